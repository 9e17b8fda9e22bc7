"""The two layouts of a convolution over a frozen table.

`conv` looks vectors up and convolves them. `folded` uses that the table is frozen and a convolution
is linear before its relu: `table @ kernel[tap]` is computed once per word and tap, at conversion,
and at run time the convolution is one GATHER, shifted ADDs and a maximum. Both compute the same
features up to rounding. Folded costs taps × filters values per word instead of the dimensions.
"""

from __future__ import annotations

import numpy as np

from glovelite.runtime.aliases import Floats

FOLDED_KEEPS_DIMENSIONS = "the folded layout has no dimensions to reduce: use --layout conv"
LSTM_NOT_FOLDED = "conv-lstm has no folded layout: use --layout conv"
LSTM_KEEPS_ALL = "conv-lstm keeps all its words and dimensions: train with fewer"
_BLOCK_ROWS = 4096  # folded at a time: bounds memory


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
    for start in range(0, len(table), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
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
    """Return `"folded"` if that makes the table no larger, else `"conv"`.

    Args:
        dimensions: values of a word vector.
        kernels: shapes [taps, dimensions, filters].
    """
    columns = sum(taps * filters for taps, _, filters in kernels)
    return "folded" if columns <= dimensions else "conv"
