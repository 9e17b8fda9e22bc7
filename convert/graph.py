"""Builds the device graph from constants: builtin operators, any length.

From constants, because converting a function that captures Keras variables can write a model
without weights. Of a kind that resizes: every length is taken from the input at run time.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .weights import Convolution, Weights


def build_graph(weights: Weights) -> Any:
    """Build the graph of `conv-pool`.

    Args:
        weights: what the graph computes with.

    Returns:
        A concrete function from int32 [1, length] ids to float32 [1, outputs] probabilities.
    """

    def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        vectors = tf.gather(tf.constant(weights.table), ids)
        pooled = [_convolve(vectors, each) for each in weights.convolutions]
        features = pooled[0] if len(pooled) == 1 else tf.concat(pooled, axis=1)
        logits = tf.matmul(features, tf.constant(weights.kernel)) + tf.constant(weights.bias)
        squash = tf.sigmoid if weights.kernel.shape[1] == 1 else tf.nn.softmax
        return {"probabilities": squash(logits)}

    ids = tf.TensorSpec([1, None], tf.int32, name="ids")
    return tf.function(classify).get_concrete_function(ids)


def _convolve(vectors: tf.Tensor, convolution: Convolution) -> tf.Tensor:
    """Convolve and keep each filter's maximum: [1, length, dimensions] → [1, filters]."""
    taps, dimensions, filters = convolution.kernel.shape
    image = tf.reshape(vectors, [1, 1, -1, dimensions])
    kernel = tf.constant(convolution.kernel.reshape(1, taps, dimensions, filters))
    windows = tf.nn.conv2d(image, kernel, strides=1, padding="VALID")
    features = tf.nn.relu(windows + tf.constant(convolution.bias))
    return tf.reshape(tf.reduce_max(features, axis=2), [1, filters])
