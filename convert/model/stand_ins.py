"""Finds the listed word that each hashed word shares its id with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Floats, Longs

from .folding import join_kernels
from .weights import Weights

_BLOCK_ROWS = 1024  # compared with all listed words at a time: bounds memory


def find_stand_ins(weights: Weights, words: Longs, listed: Longs) -> Longs:
    """Find the listed word with the nearest effect on the logits, for each word.

    Args:
        weights: of a `conv-pool` model.
        words: int64 [words], ids.
        listed: int64 [listed], ids to choose from.

    Returns:
        int64 [words], positions in `listed`.
    """
    effects = _logit_effects(weights)
    candidates = effects[listed]
    norms = (candidates**2).sum(axis=1) / 2
    nearest = np.zeros(len(words), np.int64)
    for start in range(0, len(words), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        products = effects[words[block]] @ candidates.T
        nearest[block] = (norms - products).argmin(axis=1)
    return nearest


def _logit_effects(weights: Weights) -> Floats:
    """Return coordinates of words whose Euclidean distance estimates the difference in logits.

    A frozen word acts on the model through its product with each filter and tap, which matters as
    much as the filter's weights in the logits, and through its wide weights. The products need only
    as many coordinates as the table has dimensions: `table @ root` with `root @ root.T` equal to
    `kernels @ kernels.T` has their distances.

    Returns:
        float32 [vocabulary, dimensions + outputs].
    """
    scaled, row = [], 0
    for each in weights.convolutions:
        filters = each.kernel.shape[2]
        importance = np.linalg.norm(weights.kernel[row : row + filters], axis=1)
        scaled.append(each.kernel * importance)
        row += filters
    kernels: npt.NDArray[np.float64] = join_kernels(scaled).astype(np.float64)
    values, vectors = np.linalg.eigh(kernels @ kernels.T)
    root = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    effects: Floats = weights.table @ root
    return effects if weights.wide is None else np.hstack([effects, weights.wide])
