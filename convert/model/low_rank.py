"""Rewrites table and kernels so that few bits and few dimensions say more of them.

A frozen table and the kernels over it matter by their product alone. What all words share can be
moved to the biases, since every window holds as many words as the kernel has taps; what is left has
a smaller range, which few bits divide more finely. And both may be rewritten in another basis. The
best one of few dimensions is that of the product's truncated singular value decomposition (Eckart
and Young, 1936). It drops what the convolutions hardly look at: fewer bytes a word, and fewer
multiplications. Words are weighted by how often they stand in text.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .folding import join_kernels
from .weights import Weights


def centre_table(weights: Weights) -> Weights:
    """Move what all words share from the table to the biases; the answers stay what they are.

    Args:
        weights: of a model; its vocabulary is in the order of frequency.

    Returns:
        Weights with a table whose rows are 0 on the average over text.
    """
    frequency = _frequency(len(weights.table))
    mean = frequency @ weights.table / frequency.sum()
    convolutions = []
    for each in weights.convolutions:
        shared = np.einsum("d,tdf->f", mean, each.kernel)
        convolutions.append(replace(each, bias=(each.bias + shared).astype(np.float32)))
    table = (weights.table - mean).astype(np.float32)
    return replace(weights, table=table, convolutions=tuple(convolutions))


def reduce_dimensions(weights: Weights, count: int) -> Weights:
    """Rewrite table and kernels in fewer dimensions.

    Args:
        weights: of a model; its vocabulary is in the order of frequency.
        count: dimensions to keep.

    Returns:
        Weights with a table of `count` columns (fewer where all filters and taps together use
        fewer), or as they are where it has no more.
    """
    words, dimensions = weights.table.shape
    if count >= dimensions:
        return weights
    kernels = join_kernels([each.kernel for each in weights.convolutions]).astype(np.float64)
    frequent = weights.table * np.sqrt(_frequency(words))[:, None]
    values, vectors = np.linalg.eigh((frequent.T @ frequent).astype(np.float64))
    root = (vectors * np.sqrt(np.maximum(values, 0))).T
    _, _, components = np.linalg.svd(root @ kernels, full_matrices=False)
    count = min(count, len(components))  # few filters do not use more
    # A random rotation spreads what is left over all dimensions, or the few bits of a row would
    # all go to the first.
    draw = np.random.default_rng(0).normal(size=(count, count))
    basis = np.linalg.qr(draw)[0].T @ components[:count]
    table = (weights.table @ (kernels @ basis.T)).astype(np.float32)
    convolutions, column = [], 0
    for each in weights.convolutions:
        taps, _, filters = each.kernel.shape
        part = basis[:, column : column + taps * filters].reshape(count, taps, filters)
        kernel = np.ascontiguousarray(part.swapaxes(0, 1), np.float32)
        convolutions.append(replace(each, kernel=kernel))
        column += taps * filters
    return replace(weights, table=table, convolutions=tuple(convolutions))


def _frequency(words: int) -> npt.NDArray[np.float64]:
    """Estimate how often words stand in text, the most frequent first, by Zipf's law: [words]."""
    frequency: npt.NDArray[np.float64] = 1 / (np.arange(words) + 10.0)
    return frequency
