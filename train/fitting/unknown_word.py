"""Fits the unknown word's row, so that a text of unknown words gets the classes' frequencies.

Training approaches this with texts whose words are all replaced by the unknown word; a few steps on
the row alone, with everything else fixed, complete it.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import UNKNOWN_ID

from ..data.batches import EncodedCorpus
from ..model.outputs import class_weights
from ..options import TrainingOptions
from .calibration import to_probabilities

TEXT_LENGTHS = (1, 2, 3, 4, 6, 10, 20, 50)  # of the texts of unknown words
MAX_STEPS = 500
LEARNING_RATE = 0.01
TOLERANCE = 0.005  # of a probability, where the steps end


def class_frequencies(train: EncodedCorpus, classes: int, options: TrainingOptions) -> Floats:
    """Return the share of each class in training, as the loss weighs it, float32 [classes].

    Of multi-label text, the share of the texts with each label.
    """
    counts = train.count_classes(classes)
    if train.multi_label:
        of_labels: Floats = (counts / train.total_weight).astype(np.float32)
        return of_labels
    weighted = counts * class_weights(train, classes) if options.balanced else counts
    shares: Floats = (weighted / weighted.sum()).astype(np.float32)
    return shares


def fit_unknown_word(model: keras.Model, frequencies: Floats, train: EncodedCorpus) -> float:
    """Change the unknown word's row of a plain model until texts of it get the frequencies.

    Args:
        model: the plain model; its table is changed.
        frequencies: float32 [classes], the wanted probabilities.
        train: training text, for the padding that the model expects.

    Returns:
        The largest remaining difference of a probability.
    """
    table = model.get_layer("table")
    network = keras.Model(table.output, model.get_layer("logits").output)
    longest = train.fixed_length or TEXT_LENGTHS[-1]
    counts = [count for count in TEXT_LENGTHS if count <= longest]
    mask = tf.sequence_mask(counts, longest + train.trailing_padding, tf.float32)[:, :, None]
    weights = table.get_weights()[0]
    row = tf.Variable(weights[UNKNOWN_ID])
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    wanted = _to_logits(frequencies, train.multi_label)

    @tf.function  # type: ignore[untyped-decorator]
    def logits() -> tf.Tensor:
        return network(mask * row, training=False)

    def difference(output: tf.Tensor) -> float:
        probabilities = to_probabilities(output.numpy(), train.multi_label)
        return float(np.abs(probabilities - frequencies).max())

    for _ in range(MAX_STEPS):
        with tf.GradientTape() as tape:
            output = logits()
            if difference(output) < TOLERANCE:
                break
            if not train.multi_label and len(frequencies) > 2:  # a softmax ignores the mean
                output -= tf.reduce_mean(output, axis=1, keepdims=True)
            loss = tf.reduce_mean((output - wanted) ** 2)
        optimizer.apply([tape.gradient(loss, row)], [row])
    weights[UNKNOWN_ID] = row.numpy()
    table.set_weights([weights])
    return difference(logits())


def _to_logits(frequencies: Floats, multi_label: bool) -> Floats:
    """Return the logits whose probabilities are these, with the mean 0 for a softmax."""
    logs = np.log(np.maximum(frequencies, 1e-6))
    if multi_label:
        given: Floats = logs - np.log(np.maximum(1 - frequencies, 1e-6))
        return given
    logits: Floats = logs[1:] - logs[0] if len(logs) == 2 else logs - logs.mean()
    return logits
