"""The outputs of a model, and the loss and the metric of its training."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from glovelite.evaluation.scores import HEADLINES
from glovelite.runtime.aliases import Floats

from ..data.batches import EncodedCorpus, Goals
from ..data.corpus import to_distributions

ACCURACY, MICRO_F1 = HEADLINES  # names in the history


def choose_activation(outputs: int, multi_label: bool) -> str:
    """Return the activation that turns logits into probabilities."""
    return "sigmoid" if multi_label or outputs == 1 else "softmax"


def make_goals(encoded: EncodedCorpus, outputs: int, train: EncodedCorpus, balanced: bool) -> Goals:
    """Return what the texts of a corpus are trained towards, and their weights in the loss.

    Args:
        encoded: training or dev text.
        outputs: number of logits.
        train: where some training text has a teacher's labels, all targets are probabilities.
        balanced: weigh all classes equally. Labels of multi-label text are weighed by the loss.
    """
    classes, soft = max(2, outputs), encoded.soft
    weights = np.ones(len(encoded), np.float32) if soft is None else soft.weights
    if balanced and not encoded.multi_label:
        of_classes = class_weights(train, classes)
        weights = weights * (
            of_classes[encoded.targets] if soft is None else soft.probabilities @ of_classes
        )
    if encoded.multi_label or train.soft is not None:
        probabilities = (
            to_distributions(encoded.targets, classes) if soft is None else soft.probabilities
        )
        return Goals(encoded, probabilities[:, -outputs:], weights)
    return Goals(encoded, encoded.targets.astype(np.int32)[:, None], weights)


def choose_loss(
    outputs: int, train: EncodedCorpus, balanced: bool
) -> tuple[keras.losses.Loss, keras.metrics.Metric]:
    """Return the loss and the metric of a model's logits, for the goals of `make_goals`.

    Args:
        outputs: number of logits.
        train: training text.
        balanced: weigh the texts with and without each label of multi-label text equally.
    """
    if train.multi_label:
        weights = label_weights(train) if balanced else None
        return LabelCrossentropy(weights), MicroF1(name=MICRO_F1)
    if outputs == 1:
        accuracy = keras.metrics.MeanMetricWrapper(_is_same_class, name=ACCURACY)
        return keras.losses.BinaryCrossentropy(from_logits=True), accuracy
    if train.soft is not None:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        return loss, keras.metrics.CategoricalAccuracy(name=ACCURACY)
    return (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.metrics.SparseCategoricalAccuracy(name=ACCURACY),
    )


def class_weights(train: EncodedCorpus, classes: int) -> Floats:
    """Return the weights that make all classes count equally, float32 [classes].

    texts / (classes × texts of the class), as scikit-learn defines "balanced".
    """
    counts = train.count_classes(classes)
    present = np.maximum(counts, min(1.0, train.total_weight))
    weights: Floats = (train.total_weight / (classes * present)).astype(np.float32)
    return weights


def label_weights(train: EncodedCorpus) -> Floats:
    """Return the weights of texts without and with each label, float32 [2, labels].

    "Balanced" as for classes, for each label as a classifier of two classes.
    """
    given = train.count_classes(train.targets.shape[1])
    counts = np.stack([train.total_weight - given, given])
    weights: Floats = (train.total_weight / (2 * np.maximum(counts, 1))).astype(np.float32)
    return weights


def weight_bias(train: EncodedCorpus) -> Floats:
    """Return what `label_weights` adds to the logit of each label, float32 [labels].

    Weights change the frequency of a label that training sees. Without this bias, the probabilities
    are those of the true frequency again (prior correction, King and Zeng, 2001).
    """
    without, given = label_weights(train)
    bias: Floats = np.log(given / without)
    return bias


class LabelCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of each label's logit, averaged over the labels."""

    def __init__(self, weights: Floats | None = None) -> None:
        """Initialize with the `label_weights`; None weighs all texts equally."""
        super().__init__(name="label_crossentropy")
        self._weights = weights

    def call(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each text: float32 [texts, labels] twice -> float32 [texts]."""
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        if self._weights is not None:
            without, given = self._weights
            losses *= targets * given + (1 - targets) * without
        return tf.reduce_mean(losses, axis=-1)


class MicroF1(keras.metrics.Metric):  # type: ignore[misc]
    """F1 of all decisions of all labels, at a probability of 0.5."""

    def __init__(self, **keywords: object) -> None:
        """Initialize with the arguments of Keras's metrics."""
        super().__init__(**keywords)
        self.right = self.add_weight(name="right", initializer="zeros")
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(
        self,
        targets: tf.Tensor,
        logits: tf.Tensor,
        sample_weight: object = None,  # noqa: ARG002
    ) -> None:
        """Count the labels that are given, true, and both."""
        predicted = tf.cast(logits > 0, targets.dtype)
        self.right.assign_add(2 * tf.reduce_sum(predicted * targets))
        self.total.assign_add(tf.reduce_sum(predicted) + tf.reduce_sum(targets))

    def result(self) -> tf.Tensor:
        """Return the F1 of all counted labels."""
        return tf.math.divide_no_nan(self.right, self.total)


def _is_same_class(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return whether logits and targets, perhaps probabilities, mean the same of two classes."""
    same = tf.equal(tf.cast(targets, tf.float32) > 0.5, logits > 0)
    return tf.reduce_mean(tf.cast(same, tf.float32), axis=-1)
