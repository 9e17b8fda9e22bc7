"""Reduces the word vectors to the dimensions that the convolutions use.

A frozen table and the kernels over it matter by their product alone, so both may be rewritten in
another basis. The best one of few dimensions is that of the product's truncated singular value
decomposition (Eckart and Young, 1936), words weighted by how often they stand in text. What it
drops is what the convolutions hardly look at: fewer bytes a word, and fewer multiplications.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .layouts import join_kernels
from .weights import Weights


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
    frequent = weights.table / np.sqrt(np.arange(words) + 10.0)[:, None]  # by Zipf's law
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
