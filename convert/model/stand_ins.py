"""Finds the listed word that each hashed word shares its id with.

A frozen word acts on the model only through its product with the kernels, so the word with the
nearest product, over all kernels and taps, replaces it best.
"""

from __future__ import annotations

import numpy as np

from runtime.aliases import Longs

from .folding import join_kernels
from .weights import Weights

_BLOCK_ROWS = 1024  # compared with all listed words at a time: bounds memory


def find_stand_ins(weights: Weights, words: Longs, listed: Longs) -> Longs:
    """Find the nearest listed word of each word in product space.

    The distance is that of `table @ kernel`. It is computed in as many dimensions as the table has,
    by a square root of `kernel @ kernel.T`.

    Args:
        weights: of the model.
        words: int64 [words], ids.
        listed: int64 [listed], ids to choose from.

    Returns:
        int64 [words], positions in `listed`.
    """
    kernels = join_kernels([each.kernel for each in weights.convolutions]).astype(np.float64)
    values, vectors = np.linalg.eigh(kernels @ kernels.T)
    root = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    candidates = weights.table[listed] @ root
    norms = (candidates**2).sum(axis=1) / 2
    nearest = np.zeros(len(words), np.int64)
    for start in range(0, len(words), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        products = (weights.table[words[block]] @ root) @ candidates.T
        nearest[block] = (norms - products).argmin(axis=1)
    return nearest
