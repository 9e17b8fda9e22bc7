"""Transforms table and kernels so that they lose less in few bits and few dimensions.

Only the product of a frozen table and the kernels matters. The mean row can move to the biases,
because every window holds as many words as the kernel has taps; the rest has a smaller range, which
few bits divide more finely. Both can also be expressed in another basis. The best one of few
dimensions is that of the product's truncated singular value decomposition (Eckart and Young, 1936):
fewer bytes per word and fewer multiplications at the least error. Words are weighted by their
estimated frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Floats

from .weights import Weights, join_kernels

Int8s = npt.NDArray[np.int8]


def center_table(weights: Weights) -> Weights:
    """Move the mean row of the table to the biases; the predictions stay the same.

    The mean is over text; the vocabulary is sorted by frequency.
    """
    frequency = zipf_frequency(len(weights.table))
    mean = frequency @ weights.table / frequency.sum()
    convolutions = []
    for convolution in weights.convolutions:
        bias = convolution.bias + np.einsum("d,tdf->f", mean, convolution.kernel)
        convolutions.append(replace(convolution, bias=bias.astype(np.float32)))
    table = (weights.table - mean).astype(np.float32)
    return replace(weights, table=table, convolutions=tuple(convolutions))


def reduce_dimensions(weights: Weights, count: int) -> Weights:
    """Express table and kernels in fewer dimensions; the vocabulary is sorted by frequency.

    Returns:
        Weights with a table of `count` columns (fewer if all filters and taps together use fewer),
        or unchanged if the table has no more.
    """
    words, dimensions = weights.table.shape
    if count >= dimensions:
        return weights
    kernels = join_kernels(weights.kernels).astype(np.float64)
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
    for convolution in weights.convolutions:
        taps, _, filters = convolution.kernel.shape
        part = basis[:, column : column + taps * filters].reshape(count, taps, filters)
        kernel = np.ascontiguousarray(part.swapaxes(0, 1), np.float32)
        convolutions.append(replace(convolution, kernel=kernel))
        column += taps * filters
    return replace(weights, table=table, convolutions=tuple(convolutions))


def zipf_frequency(vocabulary_size: int) -> npt.NDArray[np.float64]:
    """Estimate the frequency of words, most frequent first, by Zipf's law: [words]."""
    frequency: npt.NDArray[np.float64] = 1 / (np.arange(vocabulary_size) + 10.0)
    return frequency


@dataclass(frozen=True)
class QuantizedRows:
    """A table in 8 or 4 bits, each row with its own scale.

    Attributes:
        codes: int8 [rows, columns], or [rows, ceil(columns / 2)] with two 4-bit values per byte.
        scales: float32 [rows, 1]; a value is its code times its row's scale.
        columns: values in a row.
        bits: 8 or 4.
    """

    codes: Int8s
    scales: Floats
    columns: int
    bits: int


def quantize_rows(table: Floats, bits: int) -> QuantizedRows:
    """Round a table's rows to 8 or 4 bits, symmetrically; the largest value sets a row's scale.

    Two 4-bit values share a byte: the first half of the row is in the low nibbles, the second half
    in the high ones.
    """
    limit = 2 ** (bits - 1) - 1
    scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(limit)
    scales[scales < np.finfo(np.float32).tiny] = 1  # rows of zeros; subnormal scales are inexact
    codes = np.clip(np.rint(table / scales), -limit, limit).astype(np.int8)
    if bits == 4:
        half = -(-table.shape[1] // 2)
        low, high = codes[:, :half], codes[:, half:]
        high = np.pad(high, ((0, 0), (0, half - high.shape[1])))
        codes = 16 * high + low  # from -119 to 119
    return QuantizedRows(codes, scales.astype(np.float32), table.shape[1], bits)


def dequantize_rows(rows: QuantizedRows) -> Floats:
    """Return the table that quantized rows stand for, float32 [rows, columns]."""
    codes = rows.codes.astype(np.float32)
    if rows.bits == 4:
        high = np.floor(codes / 16 + 0.5)
        codes = np.concatenate([codes - 16 * high, high], axis=1)[:, : rows.columns]
    table: Floats = codes * rows.scales
    return table


def quantize_columns(weights: Floats) -> tuple[Int8s, Floats]:
    """Round weights to 8 bits, symmetrically, each column with its own scale.

    Returns:
        Codes, int8 [rows, columns], and scales, float32 [1, columns].
    """
    rows = quantize_rows(np.ascontiguousarray(weights.T), 8)
    return np.ascontiguousarray(rows.codes.T), rows.scales.T


def round_table(weights: Weights, row_bits: int) -> Weights:
    """Center a table and round it to 8 bits, scaled by column, or 4 bits, scaled by row.

    The convolutions are fitted to the result.
    """
    centered = center_table(weights)
    if row_bits == 4:
        return replace(centered, table=dequantize_rows(quantize_rows(centered.table, row_bits)))
    codes, scales = quantize_columns(centered.table)
    return replace(centered, table=codes * scales)
