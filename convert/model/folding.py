"""The layouts of a convolution over a frozen table.

`conv` looks vectors up and convolves them. `folded` uses that the table is frozen and a convolution
linear before its relu: `table @ kernel[tap]` is computed once per word and tap, at conversion, and
at run time the convolution is one GATHER, shifted ADDs and a maximum. Both compute the same
features to float rounding. Folded costs taps × filters values a word in place of the dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
LAYOUTS = ("conv", "folded", "auto")
NO_DIMENSIONS = "the folded layout has no dimensions to reduce: say --layout conv"
LSTM_NOT_FOLDED = "conv-lstm has no folded layout: say --layout conv"
LSTM_KEEPS_ALL = "conv-lstm keeps all its words and dimensions: train with fewer"
_BLOCK_WORDS = 4096  # folded at a time: bounds memory beyond the result


@dataclass(frozen=True)
class Rows:
    """A table in 8 or 4 bits, each row under a scale of its own.

    Attributes:
        codes: int8 [words, columns], or [words, ⌈columns / 2⌉] where two values share a byte.
        scales: float32 [words, 1]; a value is its code times its row's scale.
        columns: values in a row.
        bits: 8 or 4.
    """

    codes: Bytes
    scales: Floats
    columns: int
    bits: int


def fold(table: Floats, kernels: list[Floats]) -> Floats:
    """Fold convolutions into the table.

    Args:
        table: float32 [words, dimensions].
        kernels: float32 [taps, dimensions, filters] each.

    Returns:
        float32 [words, columns]: for each kernel, for each tap, the filters' values.
    """
    joined = join_kernels(kernels)
    folded = np.empty((len(table), joined.shape[1]), np.float32)
    for start in range(0, len(table), _BLOCK_WORDS):
        block = slice(start, start + _BLOCK_WORDS)
        folded[block] = table[block].astype(np.float64) @ joined
    return folded


def join_kernels(kernels: list[Floats]) -> Floats:
    """Join kernels into one matrix.

    Args:
        kernels: float32 [taps, dimensions, filters] each.

    Returns:
        float32 [dimensions, columns]: for each kernel, for each tap, the filters' values.
    """
    parts = [np.swapaxes(kernel, 0, 1).reshape(kernel.shape[1], -1) for kernel in kernels]
    return np.concatenate(parts, axis=1)


def choose_layout(dimensions: int, kernels: list[tuple[int, ...]]) -> str:
    """Choose the layout of `auto`: folded where it makes the table no larger.

    Args:
        dimensions: values of a word vector.
        kernels: shapes [taps, dimensions, filters].

    Returns:
        `"folded"` or `"conv"`.
    """
    columns = sum(taps * filters for taps, _, filters in kernels)
    return "folded" if columns <= dimensions else "conv"


def quantize_rows(table: Floats, bits: int) -> Rows:
    """Round a table's rows to 8 or 4 bits, symmetric, each under the scale of its largest value.

    Args:
        table: float32 [words, columns].
        bits: 8 or 4.

    Returns:
        Codes and scales. Two 4-bit values share a byte: first half of the row in the low nibble,
        second half in the high one.
    """
    limit = 2 ** (bits - 1) - 1
    scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(limit)
    scales[scales < np.finfo(np.float32).tiny] = 1  # a row of nothing; no scale is exact below
    codes = np.clip(np.rint(table / scales), -limit, limit).astype(np.int8)
    if bits == 4:
        half = -(-table.shape[1] // 2)
        low, high = codes[:, :half], codes[:, half:]
        high = np.pad(high, ((0, 0), (0, half - high.shape[1])))
        codes = 16 * high + low  # from -119 to 119
    return Rows(codes, scales.astype(np.float32), table.shape[1], bits)


def restore_rows(rows: Rows) -> Floats:
    """Give the table that quantized rows stand for, float32 [words, columns]."""
    codes = rows.codes.astype(np.float32)
    if rows.bits == 4:
        high = np.floor(codes / 16 + 0.5)
        codes = np.concatenate([codes - 16 * high, high], axis=1)[:, : rows.columns]
    restored: Floats = codes * rows.scales
    return restored


def rounding_error(table: Floats, bits: int) -> float:
    """Give the mean squared error of a table's rows in 8 or 4 bits."""
    return float(np.mean((restore_rows(quantize_rows(table, bits)) - table) ** 2))


def quantize_columns(weights: Floats) -> tuple[Bytes, Floats]:
    """Round weights to 8 bits, symmetric, each column under the scale of its largest value.

    Args:
        weights: float32 [words, columns].

    Returns:
        Codes, int8 [words, columns], and scales, float32 [1, columns].
    """
    rows = quantize_rows(np.ascontiguousarray(weights.T), 8)
    return np.ascontiguousarray(rows.codes.T), rows.scales.T
