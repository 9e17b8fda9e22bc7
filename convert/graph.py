"""Builds the device graph from constants: builtin operators, any length.

From constants, because converting a function that captures Keras variables can write a model
without weights. `conv-pool` is of a kind that resizes: every length is taken from the input at run
time. `conv-lstm` has one length, its recurrence unrolled: a loop would not load everywhere.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .weights import Convolution, Lstm, Weights


def build_graph(weights: Weights, length: int | None) -> Any:
    """Build the graph of a model.

    Args:
        weights: what the graph computes with.
        length: ids of the input, padding included; None for any, which an LSTM cannot have.

    Returns:
        A concrete function from int32 [1, length] ids to float32 [1, outputs] probabilities.
    """

    def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        vectors = tf.gather(tf.constant(weights.table), ids)
        windows = [_convolve(vectors, each) for each in weights.convolutions]
        if weights.lstm is None:
            pooled = [_maximum(each) for each in windows]
            features = pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)
        else:
            features = _recur(windows[0], weights.lstm)
        logits = tf.matmul(features, tf.constant(weights.kernel)) + tf.constant(weights.bias)
        squash = tf.sigmoid if weights.kernel.shape[1] == 1 else tf.nn.softmax
        return {"probabilities": squash(logits)}

    ids = tf.TensorSpec([1, length], tf.int32, name="ids")
    return tf.function(classify).get_concrete_function(ids)


def _convolve(vectors: tf.Tensor, convolution: Convolution) -> tf.Tensor:
    """Convolve: [1, length, dimensions] → [1, 1, windows, filters]."""
    taps, dimensions, filters = convolution.kernel.shape
    image = tf.reshape(vectors, [1, 1, -1, dimensions])
    kernel = tf.constant(convolution.kernel.reshape(1, taps, dimensions, filters))
    windows = tf.nn.conv2d(image, kernel, strides=1, padding="VALID")
    return tf.nn.relu(windows + tf.constant(convolution.bias))


def _maximum(windows: tf.Tensor) -> tf.Tensor:
    """Keep each filter's maximum over the text: [1, 1, windows, filters] → [1, filters]."""
    return tf.reshape(tf.reduce_max(windows, axis=2), [1, windows.shape[-1]])


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
