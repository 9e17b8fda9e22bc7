"""Transforms table and kernels so that they lose less in few bits and few dimensions.

Only the product of a frozen table and the kernels matters. What all words share can move to the
biases, because every window holds as many words as the kernel has taps; the rest has a smaller
range, which few bits divide more finely. Both can also be expressed in another basis. The best one
of few dimensions is that of the product's truncated singular value decomposition (Eckart and Young,
1936): it drops what the convolutions hardly use, for fewer bytes per word and fewer
multiplications. Words are weighted by their estimated frequency.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .folding import join_kernels
from .weights import Weights


def center_table(weights: Weights) -> Weights:
    """Move what all words share from the table to the biases; the predictions stay the same.

    Args:
        weights: of a model whose vocabulary is sorted by frequency.

    Returns:
        Weights with a table whose rows average to 0 over text.
    """
    frequency = zipf_frequency(len(weights.table))
    mean = frequency @ weights.table / frequency.sum()
    convolutions = []
    for each in weights.convolutions:
        shared = np.einsum("d,tdf->f", mean, each.kernel)
        convolutions.append(replace(each, bias=(each.bias + shared).astype(np.float32)))
    table = (weights.table - mean).astype(np.float32)
    return replace(weights, table=table, convolutions=tuple(convolutions))


def reduce_dimensions(weights: Weights, count: int) -> Weights:
    """Express table and kernels in fewer dimensions.

    Args:
        weights: of a model whose vocabulary is sorted by frequency.
        count: dimensions to keep.

    Returns:
        Weights with a table of `count` columns (fewer if all filters and taps together use fewer),
        or unchanged if the table has no more.
    """
    words, dimensions = weights.table.shape
    if count >= dimensions:
        return weights
    kernels = join_kernels([each.kernel for each in weights.convolutions]).astype(np.float64)
    frequent = weights.table * np.sqrt(zipf_frequency(words))[:, None]
    values, vectors = np.linalg.eigh((frequent.T @ frequent).astype(np.float64))
    root = (vectors * np.sqrt(np.maximum(values, 0))).T
    _, _, components = np.linalg.svd(root @ kernels, full_matrices=False)
    count = min(count, len(components))  # few filters use fewer
    # A random rotation spreads the variance over all dimensions; otherwise the few bits of a row
    # would all serve the first ones.
    random = np.random.default_rng(0).normal(size=(count, count))
    basis = np.linalg.qr(random)[0].T @ components[:count]
    table = (weights.table @ (kernels @ basis.T)).astype(np.float32)
    convolutions, column = [], 0
    for each in weights.convolutions:
        taps, _, filters = each.kernel.shape
        part = basis[:, column : column + taps * filters].reshape(count, taps, filters)
        kernel = np.ascontiguousarray(part.swapaxes(0, 1), np.float32)
        convolutions.append(replace(each, kernel=kernel))
        column += taps * filters
    return replace(weights, table=table, convolutions=tuple(convolutions))


def zipf_frequency(vocabulary_size: int) -> npt.NDArray[np.float64]:
    """Estimate the frequency of words, most frequent first, by Zipf's law: [words]."""
    frequency: npt.NDArray[np.float64] = 1 / (np.arange(vocabulary_size) + 10.0)
    return frequency
