"""Fits the model: early stopping on dev loss, the best weights kept, a line an epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from .batches import EncodedCorpus, make_batches, to_dataset
from .model import build_training_model, plain_model
from .packages import Say
from .settings import Settings
from .table import Table

tf.constant(0)  # starts TensorFlow, which has its say here and not in the middle of training


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: plain Keras layers, ids to probabilities.
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value an epoch.
        seconds: how long the fit took.
    """

    model: keras.Model
    history: dict[str, list[float]]
    seconds: float


def fit(
    table: Table,
    train: EncodedCorpus,
    dev: EncodedCorpus,
    classes: int,
    settings: Settings,
    say: Say,
) -> Fitted:
    """Train `conv-pool` until dev loss stops falling.

    Args:
        table: vocabulary and vectors.
        train: what is fitted.
        dev: what decides when to stop and which weights stay.
        classes: how many.
        settings: everything else; the same seed on the same machine gives the same model.
        say: called with a line an epoch.

    Returns:
        The model with its best weights.
    """
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_training_model(table, classes, settings)
    loss = (
        keras.losses.BinaryCrossentropy(from_logits=True)
        if classes == 2
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    accuracy = (
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)  # on logits
        if classes == 2
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    model.compile(keras.optimizers.Adam(settings.learning_rate), loss, metrics=[accuracy])
    begun = time.monotonic()
    history = model.fit(
        to_dataset(train, settings.batch_size, settings.seed),
        validation_data=to_dataset(dev, settings.batch_size, None),
        epochs=settings.epochs,
        shuffle=False,  # the dataset orders itself
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                "val_loss", patience=settings.patience, restore_best_weights=True
            ),
            _EpochLines(say, settings.epochs),
        ],
    ).history
    kept = {name: [float(value) for value in values] for name, values in history.items()}
    return Fitted(plain_model(model), kept, time.monotonic() - begun)


def predict(model: keras.Model, encoded: EncodedCorpus) -> npt.NDArray[np.int64]:
    """Classify with a plain model.

    Args:
        model: ids to probabilities.
        encoded: the texts.

    Returns:
        int64 [texts], the class of each.
    """
    order = np.argsort(encoded.lengths, kind="stable")
    batches = make_batches(encoded, 256, None)
    outputs = np.concatenate([np.asarray(model(ids, training=False)) for ids, _ in batches])
    classes = np.empty(len(encoded), np.int64)
    classes[order] = outputs[:, 0] > 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return classes


class _EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Says how each epoch went."""

    def __init__(self, say: Say, epochs: int) -> None:
        super().__init__()
        self._say, self._epochs = say, epochs
        self._begun = 0.0

    def on_epoch_begin(self, _epoch: int, _logs: object = None) -> None:
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = logs or {}
        self._say(
            f"epoch {epoch + 1:2}/{self._epochs}"
            f"   training loss {values['loss']:.3f} accuracy {values['accuracy']:6.1%}"
            f"   dev loss {values['val_loss']:.3f} accuracy {values['val_accuracy']:6.1%}"
            f"   {time.monotonic() - self._begun:.0f} s"
        )
