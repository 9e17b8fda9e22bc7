"""Fits the model: early stopping on dev loss, the best weights kept, a line an epoch.

The same seed, text, vectors, settings, versions, machine and thread count give the same weights
to the bit, whether the training ran through or was killed and resumed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from runtime.io.packages import Say

from ..data.batches import EncodedCorpus, make_batches, to_dataset
from ..model.build import build_training_model
from ..model.optimizer import AveragingAdam
from ..model.wide import start_weights
from ..options import Settings
from ..progress import Progress
from ..vectors.cache import Floats
from ..vectors.embedding_table import Table
from .checkpoint import Checkpoint, History, State

LEAST_STEPS = 50  # of an epoch: a small corpus is passed over several times before dev is asked
STEPS_PER_EXECUTION = 10  # without a return to Python: half the time of an epoch of short texts
tf.constant(0)  # starts TensorFlow, which has its say here and not in the middle of training


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        model: ids to logits, with its best weights.
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value an epoch.
        seconds: how long this process fitted.
    """

    model: keras.Model
    history: History
    seconds: float


def fit(
    table: Table,
    train: EncodedCorpus,
    dev: EncodedCorpus,
    classes: int,
    settings: Settings,
    say: Say,
    checkpoint: Checkpoint | None = None,
    vectors: keras.layers.Layer | None = None,
) -> Fitted:
    """Train until dev loss stops falling.

    Args:
        table: vocabulary and vectors.
        train: what is fitted.
        dev: what decides when to stop and which weights stay.
        classes: how many.
        settings: everything else.
        say: called with a line an epoch.
        checkpoint: where the state is kept after every epoch, and resumed from.
        vectors: the layer that looks ids up, where it is not the table's.

    Returns:
        The model with its best weights.
    """
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    wide = start_weights(train, len(table.tokens), classes) if settings.wide else None
    model = build_training_model(table, classes, settings, vectors, wide)
    _compile(model, classes, settings)
    state = checkpoint.load() if checkpoint else None
    if state is None:
        state = State({}, [], [])
    else:
        say(f"resuming after epoch {state.epochs}")
        _assign(_variables(model), state.variables)
    begun = time.monotonic()
    while state.epochs < settings.epochs:
        if state.epochs - state.best_epoch >= settings.patience and state.best_epoch:
            break
        epoch_begun = time.monotonic()
        state = _run_epoch(model, train, dev, settings, state)
        if checkpoint:
            checkpoint.save(state)
        say(_describe_epoch(state, settings, time.monotonic() - epoch_begun))
    _assign(model.variables, state.best)
    return Fitted(model, state.history, time.monotonic() - begun)


def run_model(model: keras.Model, encoded: EncodedCorpus) -> Floats:
    """Run a model on texts.

    Args:
        model: takes ids.
        encoded: the texts.

    Returns:
        float32 [texts, outputs], the model's output for each.
    """
    order = np.argsort(encoded.lengths, kind="stable")
    batches = make_batches(encoded, 256, None)
    outputs = np.concatenate([np.asarray(model(ids, training=False)) for ids, _ in batches])
    ordered: Floats = np.empty_like(outputs)
    ordered[order] = outputs
    return ordered


def class_weights(train: EncodedCorpus, settings: Settings) -> Floats | None:
    """Give what a text of each class counts, None where all count alike.

    Balanced, each class counts as much as any other: texts / (classes × texts of the class), as
    scikit-learn has it.
    """
    if not settings.balanced:
        return None
    counts = np.bincount(train.targets)
    weights: Floats = (len(train) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    return weights


def _compile(model: keras.Model, classes: int, settings: Settings) -> None:
    loss: keras.losses.Loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy: keras.metrics.Metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    if classes == 2:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)  # on logits
    optimizer = AveragingAdam(settings.learning_rate, settings.weight_average)
    optimizer.build(model.trainable_variables)
    steps = {"steps_per_execution": STEPS_PER_EXECUTION}
    model.compile(optimizer, loss, weighted_metrics=[], metrics=[accuracy], **steps)


def _run_epoch(
    model: keras.Model, train: EncodedCorpus, dev: EncodedCorpus, settings: Settings, state: State
) -> State:
    size, weights = settings.batch_size, class_weights(train, settings)
    passes = -(-LEAST_STEPS // -(-len(train) // size))
    seed = settings.seed, state.epochs
    progress = _Epoch(f"epoch {state.epochs + 1}", passes * len(train), size)
    values = model.fit(
        to_dataset(train, size, seed, settings.word_dropout, weights, passes),
        shuffle=False,  # the dataset orders itself
        verbose=0,
        callbacks=[progress],
    ).history
    # Keras leaves the averaged weights in the model: those are judged, and kept if they are best.
    on_dev = model.evaluate(
        to_dataset(dev, size, None, class_weights=weights), verbose=0, return_dict=True
    )
    values |= {f"val_{name}": [value] for name, value in on_dev.items()}
    history = {n: [*state.history.get(n, ()), float(v[0])] for n, v in values.items()}
    best = [np.array(each) for each in model.variables]
    _assign(model.trainable_variables, progress.weights)  # training goes on from its own
    now = State(history, [np.array(each) for each in _variables(model)], state.best)
    return replace(now, best=best) if now.best_epoch == now.epochs else now


class _Epoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows on a terminal how far an epoch has come, and keeps the weights it ends with."""

    def __init__(self, name: str, texts: int, batch_size: int) -> None:
        super().__init__()
        self._progress, self._batch_size = Progress(name, texts, 1, "texts"), batch_size
        self.weights: list[npt.NDArray[np.generic]] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        self._progress.reach((batch + 1) * self._batch_size)

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        self.weights = [np.array(each) for each in self.model.trainable_variables]

    def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
        self._progress.clear()


def _describe_epoch(state: State, settings: Settings, seconds: float) -> str:
    last = {name: values[-1] for name, values in state.history.items()}
    return (
        f"epoch {state.epochs:2}/{settings.epochs}"
        f"   training loss {last['loss']:.3f} accuracy {last['accuracy']:6.1%}"
        f"   dev loss {last['val_loss']:.3f} accuracy {last['val_accuracy']:6.1%}"
        f"   {seconds:.0f} s"
    )


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Give all that the next epoch depends on: weights, dropout's random state, Adam's moments."""
    return [*model.variables, *model.optimizer.variables]


def _assign(variables: list[keras.Variable], values: list[npt.NDArray[np.generic]]) -> None:
    for variable, value in zip(variables, values):
        variable.assign(value)
