"""Builds the device graph from constants: builtin operators, any length.

From constants, because converting a function that captures Keras variables can write a model
without weights. `conv-pool` is of a kind that resizes: every length is taken from the input at run
time. `conv-lstm` has one length, its recurrence unrolled: a loop would not load everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..model.folding import Floats, fold, quantize_columns, quantize_rows
from ..model.weights import Convolution, Lstm, Weights


@dataclass(frozen=True)
class Form:
    """The form a device graph is given; what it computes does not depend on it.

    Attributes:
        length: ids of the input; None for any, which an LSTM cannot have.
        layout: `"conv"` or `"folded"`.
        row_bits: 8 or 4 keeps the table's rows in so many bits, each under its own scale; None
            keeps them in float32, for the converter to quantize or not.
        own_padding: padding ids the graph adds to its input by itself.
        two_columns: give both probabilities of a binary model, where it would give the second.
    """

    length: int | None
    layout: str = "conv"
    row_bits: int | None = None
    own_padding: int = 0
    two_columns: bool = False


def build_graph(weights: Weights, form: Form) -> Any:
    """Build the graph of a model.

    Args:
        weights: what the graph computes with.
        form: the form it takes.

    Returns:
        A concrete function from int32 [1, length] ids to float32 [1, outputs] probabilities.
    """
    features = _folded_features if form.layout == "folded" else _conv_features
    kernel, bias, wide = weights.kernel, weights.bias, weights.wide
    if form.two_columns and kernel.shape[1] == 1:  # the softmax of 0 and z is the sigmoid of z
        kernel, bias = _after_zeros(kernel), _after_zeros(bias[None])[0]
        wide = None if wide is None else _after_zeros(wide)

    def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        flat = tf.reshape(ids, [-1])
        if form.own_padding:
            flat = tf.concat([flat, tf.zeros([form.own_padding], tf.int32)], axis=0)
        logits = tf.matmul(features(flat, weights, form.row_bits), tf.constant(kernel))
        if wide is not None:
            logits += _sum_wide(flat, wide, form.row_bits)
        squash = tf.sigmoid if kernel.shape[1] == 1 else tf.nn.softmax
        return {"probabilities": squash(logits + tf.constant(bias))}

    ids = tf.TensorSpec([1, form.length], tf.int32, name="ids")
    return tf.function(classify).get_concrete_function(ids)


def _after_zeros(column: Floats) -> Floats:
    """Put a column of zeros before a column: [rows, 1] → [rows, 2]."""
    return np.hstack([np.zeros_like(column), column])


def _conv_features(ids: tf.Tensor, weights: Weights, row_bits: int | None) -> tf.Tensor:
    """Look vectors up, convolve, keep what the text comes to: [length] → [1, features]."""
    vectors = _look_up(ids, weights.table, row_bits)
    windows = [_convolve(vectors, each) for each in weights.convolutions]
    if weights.lstm is not None:
        return _recur(windows[0], weights.lstm)
    pooled = [tf.reshape(tf.reduce_max(each, axis=2), [1, each.shape[-1]]) for each in windows]
    return pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)


def _folded_features(ids: tf.Tensor, weights: Weights, row_bits: int | None) -> tf.Tensor:
    """Look products up, add them shifted, keep each filter's maximum: [length] → [1, features].

    Bias and relu come after the maximum, which they do not change: both are monotonic.
    """
    kernels = [each.kernel for each in weights.convolutions]
    products = _look_up(ids, fold(weights.table, kernels), row_bits)
    pooled, column = [], 0
    for kernel in kernels:
        taps, _, filters = kernel.shape
        total = None
        for tap in range(taps):
            end = tap - (taps - 1) or None  # from the end, so that any length will do
            part = products[tap:end, column : column + filters]
            total = part if total is None else total + part
            column += filters
        pooled.append(tf.reduce_max(total, axis=0, keepdims=True))
    joined = pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)
    biases = tf.concat([each.bias for each in weights.convolutions], axis=0)
    return tf.nn.relu(joined + biases)


def _look_up(ids: tf.Tensor, table: Floats, row_bits: int | None) -> tf.Tensor:
    """Gather a table's rows and give them their scale: [length] → [length, columns]."""
    if row_bits is None:
        return tf.gather(tf.constant(table), ids)
    rows = quantize_rows(table, row_bits)
    codes = tf.cast(tf.gather(tf.constant(rows.codes), ids), tf.float32)
    if row_bits == 4:  # a byte is 16 × high + low, both from -7 to 7
        high = tf.floor(codes * 0.0625 + 0.5)
        codes = tf.concat([codes - 16.0 * high, high], axis=1)[:, : rows.columns]
    return codes * tf.gather(tf.constant(rows.scales), ids)


def _sum_wide(ids: tf.Tensor, wide: Floats, row_bits: int | None) -> tf.Tensor:
    """Sum the wide weights of a text over the root of its length: [length] → [1, outputs].

    Quantized, they keep 8 bits under a scale for each output: a few columns cost little, and the
    sum of whole numbers is the same to the bit however much padding follows.
    """
    present = tf.cast(tf.minimum(ids, 1), tf.float32)  # padding is id 0
    tokens = tf.reduce_sum(present, axis=0, keepdims=True)  # no int32: TFLite Micro cannot
    root = tf.math.rsqrt(tf.maximum(tokens, 1.0))
    if row_bits is None:
        total = tf.reduce_sum(tf.gather(tf.constant(wide), ids), axis=0, keepdims=True)
    else:
        codes, scales = quantize_columns(wide)
        gathered = tf.cast(tf.gather(tf.constant(codes), ids), tf.float32)
        total = tf.reduce_sum(gathered, axis=0, keepdims=True) * tf.constant(scales)
    return total * root


def _convolve(vectors: tf.Tensor, convolution: Convolution) -> tf.Tensor:
    """Convolve: [length, dimensions] → [1, 1, windows, filters]."""
    taps, dimensions, filters = convolution.kernel.shape
    image = tf.reshape(vectors, [1, 1, -1, dimensions])
    kernel = tf.constant(convolution.kernel.reshape(1, taps, dimensions, filters))
    windows = tf.nn.conv2d(image, kernel, strides=1, padding="VALID")
    return tf.nn.relu(windows + tf.constant(convolution.bias))


def _recur(windows: tf.Tensor, lstm: Lstm) -> tf.Tensor:
    """Run the LSTM from the last step to the first: [1, 1, windows, filters] → [1, units].

    Hochreiter and Schmidhuber's cell with a forget gate, as Keras computes it.
    """
    steps, filters = windows.shape[2] // lstm.pool, windows.shape[3]
    pooled = tf.nn.max_pool2d(windows, [1, lstm.pool], [1, lstm.pool], "VALID")
    gates = tf.matmul(tf.reshape(pooled, [steps, filters]), tf.constant(lstm.kernel)) + lstm.bias
    recurrent = tf.constant(lstm.recurrent)
    hidden = cell = tf.zeros([1, lstm.recurrent.shape[0]])
    for step in reversed(range(steps)):
        at_step = gates[step : step + 1] + tf.matmul(hidden, recurrent)
        enter, forget, new, leave = tf.split(at_step, 4, axis=1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(new)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
    return hidden
