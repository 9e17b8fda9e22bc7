"""Fits a reduced model to the trained model's logits, without labels.

Fewer words, fewer dimensions and rounding change what the convolutions see. Their kernels and
biases are fitted again so that logits and features stay as they were (Hinton, Vinyals and Dean:
Distilling the knowledge in a neural network, 2015; Romero et al.: FitNets, 2015). A text has one
logit per class but a feature per filter, so that the features keep thousands of weights from
following the noise of a few thousand texts. The table keeps its rows: a word that the texts lack
stays where its neighbours are. Any text serves, because the trained model answers all: in each
some words are replaced by random ones, so that a small corpus is not all that is fitted.

Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from glovelite.runtime.aliases import Floats, Ids, Longs
from glovelite.runtime.text.vocabulary import PADDING_ID, SPECIAL_TOKENS

from .reduction import zipf_frequency
from .weights import Convolution, Weights, with_two_outputs

STEPS = 300  # at least; twice as many change a probability by 2 % less
LEARNING_RATE = 2e-3  # of Adam, falling linearly
WARM_UP_STEPS = 20
FEATURE_WEIGHT = 4.0  # of the features' errors, each scaled to its effect on the logits
REPLACED_WORDS = 0.2  # share of a text's words that are replaced by random ones
MAX_TEXTS = 64  # in a batch
MAX_TOKENS = 1 << 13  # in a batch: bounds memory
LENGTH_STEP = 16  # batches are padded to its multiples: bounds the number of traced graphs


def fit_convolutions(
    reduced: Weights, trained: Weights, kept_ids: Longs, texts: Sequence[Longs], seed: int = 0
) -> Weights:
    """Fit kernels and biases of a reduced `conv-pool` model to the trained model's logits.

    Args:
        reduced: weights with fewer words or dimensions, or a rounded table.
        trained: weights of the trained model, whose vocabulary is sorted by frequency.
        kept_ids: int64 [trained vocabulary], the reduced model's id of each trained id.
        texts: ids of the trained model, int64 [length] each, without padding.
        seed: of the order of the batches and the random words.
    """
    random = np.random.default_rng(seed)
    batches = _group_by_length([ids for ids in texts if len(ids)])
    if not batches:
        return reduced
    padding = max(map(len, trained.kernels))
    frequency = zipf_frequency(len(trained.table) - len(SPECIAL_TOKENS))
    cumulative = np.cumsum(frequency / frequency.sum())  # of the words, to draw from
    cumulative /= cumulative[-1]
    epochs = -(-STEPS // len(batches))
    step = _FitStep(reduced, trained, epochs * len(batches))
    for _ in range(epochs):
        for index in random.permutation(len(batches)):
            ids = _pad(batches[index], padding)
            ids = _replace_words(ids, cumulative, random)
            step.run(ids, kept_ids[ids].astype(np.int32))
    return step.fitted()


class _FitStep:
    """Fits the convolutions to one batch after another."""

    def __init__(self, reduced: Weights, trained: Weights, steps: int) -> None:
        self._reduced, self._steps, self._done = reduced, steps, 0
        self._variables = [tf.Variable(value) for value in _kernels_and_biases(reduced)]
        student, teacher = (_Model(with_two_outputs(weights)) for weights in (reduced, trained))
        # A feature's error moves the logits that are compared by this, squared.
        kernel = with_two_outputs(trained).feature_effects
        effects = kernel if trained.multi_label else kernel - kernel.mean(axis=1, keepdims=True)
        importance = tf.constant(np.mean(effects**2, axis=1))
        constants = [tf.constant(value) for value in _kernels_and_biases(trained)]
        self._optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def fit_batch(ids: tf.Tensor, kept: tf.Tensor) -> None:
            features, logits = teacher.compute(ids, constants)
            with tf.GradientTape() as tape:
                own_features, own_logits = student.compute(kept, self._variables)
                feature_errors = tf.square(own_features - features) @ importance[:, None]
                loss = tf.reduce_mean(tf.square(own_logits - logits))
                loss += FEATURE_WEIGHT * tf.reduce_mean(feature_errors)
            gradients = tape.gradient(loss, self._variables)
            self._optimizer.apply_gradients(zip(gradients, self._variables))

        self._fit_batch = fit_batch

    def run(self, ids: Ids, kept: Ids) -> None:
        """Fit to a batch: ids of the trained and of the reduced model, int32 [texts, length]."""
        warm_up = min(1.0, (self._done + 1) / WARM_UP_STEPS)
        remaining = 1 - self._done / self._steps
        self._optimizer.learning_rate.assign(LEARNING_RATE * warm_up * remaining)
        self._fit_batch(tf.constant(ids), tf.constant(kept))
        self._done += 1

    def fitted(self) -> Weights:
        """Return the reduced weights with the fitted convolutions."""
        values = [variable.numpy() for variable in self._variables]
        convolutions = map(Convolution, values[::2], values[1::2])
        return replace(self._reduced, convolutions=tuple(convolutions))


def _kernels_and_biases(weights: Weights) -> list[Floats]:
    pairs = ((convolution.kernel, convolution.bias) for convolution in weights.convolutions)
    return [value for pair in pairs for value in pair]


class _Model:
    """Computes features and logits; the convolutions are given with each call.

    The logits are centered for a softmax, which ignores what they share.
    """

    def __init__(self, weights: Weights) -> None:
        self._table = tf.constant(weights.table)
        self._kernel, self._bias = tf.constant(weights.kernel), tf.constant(weights.bias)
        self._centered = not weights.multi_label
        self._wide = None if weights.wide is None else tf.constant(weights.wide)
        self._mixing = None if weights.mixing is None else tf.constant(weights.mixing)

    def compute(
        self, ids: tf.Tensor, convolutions: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return features, [texts, filters], and logits, [texts, classes]."""
        vectors = tf.gather(self._table, ids)
        pooled = []
        for kernel, bias in zip(convolutions[::2], convolutions[1::2]):
            windows = tf.nn.conv1d(vectors, kernel, 1, "VALID")
            pooled.append(tf.nn.relu(tf.reduce_max(windows, axis=1) + bias))
        features = tf.concat(pooled, axis=1)
        logits = features @ self._kernel
        if self._wide is not None:
            present = tf.cast(ids != PADDING_ID, tf.float32)
            tokens = tf.reduce_sum(present, axis=1, keepdims=True)
            total = tf.reduce_sum(tf.gather(self._wide, ids), axis=1)
            mean = total * tf.math.rsqrt(tf.maximum(tokens, 1.0))
            if self._mixing is None:
                logits += mean
            else:
                logits = tf.concat([logits, mean], axis=1) @ self._mixing
        logits += self._bias
        if self._centered:
            logits -= tf.reduce_mean(logits, axis=1, keepdims=True)
        return features, logits


def _group_by_length(texts: Sequence[Longs]) -> list[list[Longs]]:
    """Group texts of similar length into batches."""
    batches: list[list[Longs]] = []
    for ids in sorted(texts, key=len):
        full = not batches or len(batches[-1]) == MAX_TEXTS
        if full or (len(batches[-1]) + 1) * len(ids) > MAX_TOKENS:
            batches.append([])
        batches[-1].append(ids)
    return batches


def _pad(texts: Sequence[Longs], padding: int) -> Ids:
    """Return texts with at least `padding` trailing padding ids: int32 [texts, length]."""
    longest = max(map(len, texts)) + padding
    batch = np.zeros((len(texts), -(-longest // LENGTH_STEP) * LENGTH_STEP), np.int32)
    for row, ids in enumerate(texts):
        batch[row, : len(ids)] = ids
    return batch


def _replace_words(
    ids: Ids, cumulative: npt.NDArray[np.float64], random: np.random.Generator
) -> Ids:
    """Replace some words by others, drawn by the cumulative distribution of the words."""
    replaced = (random.random(ids.shape) < REPLACED_WORDS) & (ids != PADDING_ID)
    drawn = random.random(int(replaced.sum()))
    result = ids.copy()
    result[replaced] = len(SPECIAL_TOKENS) + cumulative.searchsorted(drawn, side="right")
    return result
