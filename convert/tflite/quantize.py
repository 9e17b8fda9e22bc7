"""Quantizes a device graph to a TFLite flatbuffer by a named recipe.

| recipe    | table and weights            | arithmetic         | output                      |
|-----------|------------------------------|--------------------|-----------------------------|
| `float32` | 32 bits                      | float32            | float32                     |
| `float16` | 16 bits                      | float32            | float32                     |
| `dynamic` | 8-bit rows, the rest 16 bits | float32            | float32                     |
| `int4`    | 4-bit rows, the rest 16 bits | float32            | float32                     |
| `int8`    | 8 bits                       | 8 bits             | float32, or int8 on request |

Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from glovelite.runtime.aliases import Ids

from ..recipes import Recipe


def quantize(
    graph: Any,
    recipe: Recipe,
    calibration: Iterable[Ids] = (),
    integer_output: bool = False,
) -> bytes:
    """Convert a graph by a recipe.

    Args:
        graph: the concrete function from `build_graph`.
        recipe: how its numbers are stored.
        calibration: representative inputs for a calibrated recipe, int32 [1, length] each.
        integer_output: leave the output of `int8` as int8.

    Returns:
        The flatbuffer.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.weight_bytes < 4:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense weights need FULLY_CONNECTED version 12, which 2.14 does not have.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    # If the graph quantizes its rows itself, 8 bits would be too few for their scales.
    if recipe.weight_bytes == 2:
        converter.target_spec.supported_types = [tf.float16]
    if recipe.calibrated:
        converter.representative_dataset = lambda: ([ids] for ids in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if integer_output:
            converter.inference_output_type = tf.int8
    flatbuffer: bytes = converter.convert()
    return flatbuffer
