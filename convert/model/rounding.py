"""Rounds tables to 8 or 4 bits, as a bundle stores them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Floats

from .low_rank import center_table
from .weights import Weights

Int8s = npt.NDArray[np.int8]


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

    Args:
        table: float32 [rows, columns].
        bits: 8 or 4.

    Returns:
        Codes and scales. Two 4-bit values share a byte: the first half of the row is in the low
        nibbles, the second half in the high ones.
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

    Args:
        weights: float32 [rows, columns].

    Returns:
        Codes, int8 [rows, columns], and scales, float32 [1, columns].
    """
    rows = quantize_rows(np.ascontiguousarray(weights.T), 8)
    return np.ascontiguousarray(rows.codes.T), rows.scales.T


def round_table(weights: Weights, row_bits: int) -> Weights:
    """Center a table and round it to 8 or 4 bits, before the convolutions are fitted to it.

    Args:
        weights: of a model whose vocabulary is sorted by frequency.
        row_bits: 8, with a scale per column, or 4, with a scale per row.
    """
    centered = center_table(weights)
    if row_bits == 4:
        return replace(centered, table=dequantize_rows(quantize_rows(centered.table, row_bits)))
    codes, scales = quantize_columns(centered.table)
    return replace(centered, table=codes * scales)
