"""The wide part: a weight per word and class, summed over a text, beside the convolution.

Wide and deep (Cheng et al., 2016): the sum is divided by the square root of the text's length in
tokens and added to the logits. The weights start as naive Bayes's log-count ratios, as in Wang and
Manning's NBSVM (2012), and are trained with the rest.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from runtime.vocabulary import PADDING_ID

from ..data.batches import EncodedCorpus
from ..vectors.cache import Floats

SMOOTHING = 1.0  # texts of every class, where they are alike, that a word is held to stand in
SCALE = 0.3  # of the ratios: naive Bayes is too sure of itself


def start_weights(train: EncodedCorpus, words: int, classes: int) -> Floats:
    """Give the log-count ratios of words and classes.

    Args:
        train: training text.
        words: size of the vocabulary.
        classes: how many.

    Returns:
        float32 [words, 1 or classes]: for two classes the second's against the first's, for more
        each class's against all others'. Those of padding, and of words no text holds, are 0:
        smoothing in proportion to the classes' words leaves a rare class no more of them.
    """
    rows = np.repeat(np.arange(len(train)), train.lengths)
    pairs = np.unique(np.stack([rows, train.ids], axis=1), axis=0)  # a word counts once a text
    counts = np.zeros((words, classes))
    np.add.at(counts, (pairs[:, 1], train.targets[pairs[:, 0]]), 1)
    counts += SMOOTHING * classes * counts.sum(axis=0) / counts.sum()
    others = counts.sum(axis=1, keepdims=True) - counts
    ratios = np.log(counts / counts.sum(axis=0)) - np.log(others / others.sum(axis=0))
    chosen = ratios[:, 1:] if classes == 2 else ratios
    weights: Floats = (SCALE * chosen).astype(np.float32)
    weights[PADDING_ID] = 0
    return weights


class WideSum(keras.layers.Layer):  # type: ignore[misc]
    """Sums the wide weights of texts; only ever used in training."""

    def __init__(self, start: Floats, **options: object) -> None:
        """Hold the weights to start with, float32 [vocabulary, outputs]."""
        super().__init__(**options)
        self._start = start

    def build(self, _shape: object) -> None:
        """Make the weights."""
        self.kernel = self.add_weight(name="wide", shape=self._start.shape, initializer="zeros")
        self.kernel.assign(self._start)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Sum: int32 [texts, length] → float32 [texts, outputs]."""
        present = tf.cast(tf.not_equal(ids, PADDING_ID), tf.float32)[:, :, None]
        total = tf.reduce_sum(tf.gather(self.kernel, ids) * present, axis=1)
        return total / tf.sqrt(tf.maximum(tf.reduce_sum(present, axis=1), 1.0))

    def merged(self) -> Floats:
        """Give the weights, padding's 0."""
        weights = np.array(self.kernel)
        weights[PADDING_ID] = 0
        return weights
