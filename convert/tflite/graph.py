"""Builds the device graph from constants and quantizes it to a TFLite flatbuffer by a recipe.

From constants, because converting a function that captures Keras variables can write a model
without weights. `conv-pool` graphs can be resized: every length is taken from the input at run
time. `conv-lstm` has one length with its recurrence unrolled, because not every interpreter loads a
loop.

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
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from glovelite.runtime.aliases import Floats, Ids

from ..model.reduction import quantize_columns, quantize_rows
from ..model.weights import Convolution, Lstm, Weights, fold, with_two_outputs
from ..options import Recipe


@dataclass(frozen=True)
class GraphConfig:
    """The form of a device graph; what it computes does not depend on it.

    Attributes:
        length: ids of the input; None for any, which an LSTM does not support.
        layout: `"conv"` or `"folded"`.
        row_bits: 8 or 4 stores the table's rows in that many bits; None stores float32, which the
            converter may quantize.
        appended_padding: padding ids that the graph appends to its input.
        two_columns: output both probabilities of a binary model instead of the second.
    """

    length: int | None
    layout: str = "conv"
    row_bits: int | None = None
    appended_padding: int = 0
    two_columns: bool = False


def build_graph(weights: Weights, config: GraphConfig) -> Any:
    """Build the graph of a model.

    Returns:
        A concrete function from int32 [1, length] ids to float32 [1, outputs] probabilities.
    """
    features = _folded_features if config.layout == "folded" else _conv_features
    if config.two_columns:
        weights = with_two_outputs(weights)
    kernel, bias, wide, mixing = weights.kernel, weights.bias, weights.wide, weights.mixing

    def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        flat = tf.reshape(ids, [-1])
        if config.appended_padding:
            flat = tf.concat([flat, tf.zeros([config.appended_padding], tf.int32)], axis=0)
        logits = tf.matmul(features(flat, weights, config.row_bits), tf.constant(kernel))
        if wide is not None:
            mean = _sum_wide(flat, wide, config.row_bits)
            if mixing is None:
                logits += mean
            else:
                logits = tf.matmul(tf.concat([logits, mean], axis=1), tf.constant(mixing))
        activation = tf.sigmoid if weights.activation == "sigmoid" else tf.nn.softmax
        return {"probabilities": activation(logits + tf.constant(bias))}

    ids = tf.TensorSpec([1, config.length], tf.int32, name="ids")
    return tf.function(classify).get_concrete_function(ids)


def _conv_features(ids: tf.Tensor, weights: Weights, row_bits: int | None) -> tf.Tensor:
    """Look up vectors, convolve, pool over the text: [length] -> [1, features].

    Rows of 8 bits have a scale per column, which the kernels absorb: looking up costs one cast.
    """
    convolutions = weights.convolutions
    if row_bits == 8:
        codes, scales = quantize_columns(weights.table)
        vectors = tf.cast(tf.gather(tf.constant(codes), ids), tf.float32)
        convolutions = tuple(
            replace(convolution, kernel=convolution.kernel * scales.reshape(1, -1, 1))
            for convolution in convolutions
        )
    else:
        vectors = _look_up(ids, weights.table, row_bits)
    windows = [_convolve(vectors, convolution) for convolution in convolutions]
    if weights.lstm is not None:
        return _recur(windows[0], weights.lstm)
    pooled = [tf.reshape(tf.reduce_max(w, axis=2), [1, w.shape[-1]]) for w in windows]
    return pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)


def _folded_features(ids: tf.Tensor, weights: Weights, row_bits: int | None) -> tf.Tensor:
    """Look up products, add them shifted, take each filter's maximum: [length] -> [1, features].

    Bias and relu are applied after the maximum; both are monotonic, so the result is the same.
    """
    products = _look_up(ids, fold(weights.table, weights.kernels), row_bits)
    pooled, column = [], 0
    for kernel in weights.kernels:
        taps, _, filters = kernel.shape
        total = None
        for tap in range(taps):
            end = tap - (taps - 1) or None  # relative to the end, so that any length works
            part = products[tap:end, column : column + filters]
            total = part if total is None else total + part
            column += filters
        pooled.append(tf.reduce_max(total, axis=0, keepdims=True))
    joined = pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)
    biases = tf.concat([convolution.bias for convolution in weights.convolutions], axis=0)
    return tf.nn.relu(joined + biases)


def _look_up(ids: tf.Tensor, table: Floats, row_bits: int | None) -> tf.Tensor:
    """Gather and dequantize a table's rows: [length] -> [length, columns]."""
    if row_bits is None:
        return tf.gather(tf.constant(table), ids)
    rows = quantize_rows(table, row_bits)
    codes = tf.cast(tf.gather(tf.constant(rows.codes), ids), tf.float32)
    if row_bits == 4:  # a byte is 16 × high + low, both from -7 to 7
        high = tf.floor(codes * 0.0625 + 0.5)
        codes = tf.concat([codes - 16.0 * high, high], axis=1)[:, : rows.columns]
    return codes * tf.gather(tf.constant(rows.scales), ids)


def _sum_wide(ids: tf.Tensor, wide: Floats, row_bits: int | None) -> tf.Tensor:
    """Sum a text's wide weights, divided by the root of its length: [length] -> [1, columns].

    Quantized, they have 8 bits and a scale per column: a few columns cost little, and a sum of
    integers is bit-identical for any padding.
    """
    present = tf.cast(tf.minimum(ids, 1), tf.float32)  # padding is id 0
    tokens = tf.reduce_sum(present, axis=0, keepdims=True)  # float: TFLite Micro cannot sum int32
    root = tf.math.rsqrt(tf.maximum(tokens, 1.0))
    if row_bits is None:
        total = tf.reduce_sum(tf.gather(tf.constant(wide), ids), axis=0, keepdims=True)
    else:
        codes, scales = quantize_columns(wide)
        gathered = tf.cast(tf.gather(tf.constant(codes), ids), tf.float32)
        total = tf.reduce_sum(gathered, axis=0, keepdims=True) * tf.constant(scales)
    return total * root


def _convolve(vectors: tf.Tensor, convolution: Convolution) -> tf.Tensor:
    """Convolve: [length, dimensions] -> [1, 1, windows, filters]."""
    taps, dimensions, filters = convolution.kernel.shape
    image = tf.reshape(vectors, [1, 1, -1, dimensions])
    kernel = tf.constant(convolution.kernel.reshape(1, taps, dimensions, filters))
    windows = tf.nn.conv2d(image, kernel, strides=1, padding="VALID")
    return tf.nn.relu(windows + tf.constant(convolution.bias))


def _recur(windows: tf.Tensor, lstm: Lstm) -> tf.Tensor:
    """Run the LSTM from the last step to the first: [1, 1, windows, filters] -> [1, units].

    Hochreiter and Schmidhuber's cell with a forget gate, as Keras implements it.
    """
    steps, filters = windows.shape[2] // lstm.pool, windows.shape[3]
    pooled = tf.nn.max_pool2d(windows, [1, lstm.pool], [1, lstm.pool], "VALID")
    gates = tf.matmul(tf.reshape(pooled, [steps, filters]), tf.constant(lstm.kernel)) + lstm.bias
    recurrent = tf.constant(lstm.recurrent)
    hidden = cell = tf.zeros([1, lstm.recurrent.shape[0]])
    for step in reversed(range(steps)):
        at_step = gates[step : step + 1] + tf.matmul(hidden, recurrent)
        input_, forget, candidate, output = tf.split(at_step, 4, axis=1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(input_) * tf.tanh(candidate)
        hidden = tf.sigmoid(output) * tf.tanh(cell)
    return hidden


def quantize(
    graph: Any,
    recipe: Recipe,
    calibration: Iterable[Ids] = (),
    integer_output: bool = False,
) -> bytes:
    """Convert the concrete function of `build_graph` to a flatbuffer.

    A calibrated recipe needs representative inputs, int32 [1, length] each.
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
