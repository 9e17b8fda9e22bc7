"""Quantizes a device graph to a TFLite flatbuffer by a named recipe.

| recipe    | table and weights | arithmetic, output |
|-----------|-------------------|--------------------|
| `float32` | 32 bits           | float32            |
| `dynamic` | 8 bits            | float32            |

TensorFlow is imported here: this module runs in the child process only.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .recipes import Recipe


def quantize(graph: Any, recipe: Recipe) -> bytes:
    """Convert a graph by a recipe.

    Args:
        graph: the concrete function `build_graph` gave.
        recipe: how its weights are kept.

    Returns:
        The flatbuffer.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.weight_bits == 8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel dense weights need FULLY_CONNECTED version 12, which 2.14 does not have.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    flatbuffer: bytes = converter.convert()
    return flatbuffer


def oldest_runtime(flatbuffer: bytes) -> str:
    """Read which TFLite release first had every operator version of a model.

    Args:
        flatbuffer: the model.

    Returns:
        A release such as `"1.14.0"`, as the converter wrote it into the model's metadata.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(flatbuffer, 0)
    for place in range(model.MetadataLength()):
        entry = model.Metadata(place)
        if entry.Name() == b"min_runtime_version":
            content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return str(content.split(b"\0", 1)[0], "ascii")
    return "unknown"
