"""Rounds a table to the bits in which a bundle stores it, before the convolutions are fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glovelite.data.row_quantization import dequantize_rows, quantize_columns, quantize_rows
from glovelite.runtime.aliases import Floats

from .low_rank import center_table
from .weights import Weights


def round_table(weights: Weights, row_bits: int) -> Weights:
    """Round a table to 8 or 4 bits.

    Args:
        weights: of a model whose vocabulary is sorted by frequency.
        row_bits: 8, with a scale per column, or 4, with a scale per row.

    Returns:
        Weights with a rounded table. It is centered first, unless training rounded it to these
        bits already.
    """
    tables = []
    for each in (center_table(weights), weights):
        rounded = _rounded(each.table, row_bits)
        tables.append((float(np.mean((rounded - each.table) ** 2)), replace(each, table=rounded)))
    return min(tables, key=lambda pair: pair[0])[1]


def _rounded(table: Floats, row_bits: int) -> Floats:
    if row_bits == 4:
        return dequantize_rows(quantize_rows(table, row_bits))
    codes, scales = quantize_columns(table)
    rounded: Floats = codes * scales
    return rounded
