"""A convolution and the maximum over the text, as training computes it: word by word.

A convolution is linear before its relu, so each tap's product is computed once for every word of a
batch and added up where the word stands; and of a maximum's windows only the largest has a
gradient. Scores and gradients are those of `Conv1D` and `GlobalMaxPooling1D` but for rounding, for
a fraction of the work.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

Gradients = tuple[tf.Tensor, None, tf.Tensor]


class PooledConvolution(keras.layers.Layer):  # type: ignore[misc]
    """`Conv1D` with a relu and `GlobalMaxPooling1D` in one; only ever used in training."""

    def __init__(self, filters: int, kernel_size: int, **options: object) -> None:
        """Take what `Conv1D` takes."""
        super().__init__(**options)
        self._filters, self._size = filters, kernel_size

    def build(self, words_shape: tuple[int | None, ...], places_shape: object) -> None:  # noqa: ARG002
        """Make the weights, in the shapes and the order of `Conv1D`."""
        shape = (self._size, words_shape[-1], self._filters)
        self.kernel = self.add_weight(name="kernel", shape=shape)
        self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")

    def call(self, words: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """Give the features of texts.

        Args:
            words: float32 [words, dimensions], a vector for each word of the batch.
            places: int32 [texts, length], which of them stands where.

        Returns:
            float32 [texts, filters].
        """
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.nn.relu(convolve_and_pool(words, places, kernel) + self.bias)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def convolve_and_pool(
    words: tf.Tensor, places: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], Gradients]]:
    """Give the largest value of every filter over a text's windows.

    Args:
        words: float32 [words, dimensions].
        places: int32 [texts, length], rows of `words`.
        kernel: float32 [taps, dimensions, filters].

    Returns:
        float32 [texts, filters], and what turns its gradient into those of words and kernel.
    """
    taps, dimensions, filters = kernel.shape
    flat = tf.reshape(tf.transpose(kernel, [1, 0, 2]), [dimensions, taps * filters])
    products = tf.reshape(words @ flat, [-1, filters])  # a row for each word and tap
    last = tf.shape(places)[1] - taps + 1
    windows = tf.add_n(
        [tf.gather(products, places[:, tap : last + tap] * taps + tap) for tap in range(taps)]
    )

    def to_gradients(upstream: tf.Tensor) -> Gradients:
        chosen = tf.argmax(windows, axis=1, output_type=tf.int32)[:, :, None] + tf.range(taps)
        held = tf.gather(places, chosen, batch_dims=1) * taps + tf.range(taps)
        values = held * filters + tf.range(filters)[:, None]  # [texts, filters, taps]
        repeated = tf.broadcast_to(upstream[:, :, None], tf.shape(values))
        summed = tf.math.unsorted_segment_sum(repeated, values, tf.size(products))
        spread = tf.reshape(summed, [-1, taps * filters])
        on_kernel = tf.matmul(words, spread, transpose_a=True)
        on_taps = tf.transpose(tf.reshape(on_kernel, [dimensions, taps, filters]), [1, 0, 2])
        return tf.matmul(spread, flat, transpose_b=True), None, on_taps

    return tf.reduce_max(windows, axis=1), to_gradients
