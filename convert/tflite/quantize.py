"""Quantizes a device graph to a TFLite flatbuffer by a named recipe.

| recipe    | table and weights            | arithmetic         | output                      |
|-----------|------------------------------|--------------------|-----------------------------|
| `float32` | 32 bits                      | float32            | float32                     |
| `float16` | 16 bits                      | float32            | float32                     |
| `dynamic` | 8 bits; folded: 8-bit rows   | float32 and 8 bits | float32                     |
| `int4`    | 4-bit rows, the rest 16 bits | float32            | float32                     |
| `int8`    | 8 bits                       | 8 bits             | float32, or int8 on request |

TensorFlow is imported here: this module runs in the child process only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from .recipes import Recipe

Ids = npt.NDArray[np.int32]


def quantize(
    graph: Any,
    recipe: Recipe,
    layout: str,
    calibration: Iterable[Ids] = (),
    integer_output: bool = False,
) -> bytes:
    """Convert a graph by a recipe.

    Args:
        graph: the concrete function `build_graph` gave.
        recipe: how its numbers are kept.
        layout: of the graph.
        calibration: the representative dataset of a calibrated recipe, int32 [1, length] each.
        integer_output: leave the output int8, with its scale, where the arithmetic is.

    Returns:
        The flatbuffer.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.name != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense weights need FULLY_CONNECTED version 12, which 2.14 does not have.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    # Where rows are quantized already, in the graph, 8 bits would be too few for their scales.
    if recipe.name == "float16" or layout in recipe.row_bits:
        converter.target_spec.supported_types = [tf.float16]
    if recipe.calibrated:
        converter.representative_dataset = lambda: ([ids] for ids in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if integer_output:
            converter.inference_output_type = tf.int8
    flatbuffer: bytes = converter.convert()
    return flatbuffer
