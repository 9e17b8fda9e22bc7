"""Trains a model for an epoch at a time and evaluates it on dev text.

Keras's own `fit` traces a training step twice and makes a dataset for each call: as long as all
epochs of a small corpus take.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ..data.batches import BatchStream
from ..unfinished import TrainingState

STEPS_PER_CALL = 10  # without returning to Python: halves the time of an epoch of short texts


class TrainingLoop:
    """A model, its optimizer, and the functions that run its batches.

    Attributes:
        variables: all that the next epoch depends on: those of the model, with its random states,
            then Adam's moments.
        model_variables: how many of them, from the first, are the model's.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: keras.losses.Loss,
        metric: keras.metrics.Metric,
        train: BatchStream,
        dev: BatchStream,
    ) -> None:
        """Initialize with the outputs of `choose_loss`."""
        optimizer.build(model.trainable_variables)
        self._model, self._optimizer = model, optimizer
        self._loss, self._metric = loss, metric
        self._mean_loss = keras.metrics.Mean()
        self._train, self._dev = train, dev
        # Not as decorators, which would keep every model for as long as the process runs.
        self._run_training = tf.function(self._train_steps)
        self._run_evaluation = tf.function(self._evaluate_steps)
        self.model_variables = len(model.variables)
        self.variables: list[keras.Variable] = [*model.variables, *optimizer.variables]

    def train(self, seed: tuple[int, ...], show: Callable[[int], object]) -> dict[str, float]:
        """Train for an epoch and return its mean loss and metric.

        Args:
            seed: of the order of the texts and the unknown words.
            show: receives how many more batches were trained on.
        """
        return self._run(self._run_training, self._train, seed, show)

    def evaluate(self) -> dict[str, float]:
        """Return loss and metric on the dev text."""
        return self._run(self._run_evaluation, self._dev, None, lambda _: None)

    def snapshot(self) -> list[npt.NDArray[np.generic]]:
        """Return a copy of the values of `variables`."""
        return [np.array(variable) for variable in self.variables]

    def restore(self, values: list[npt.NDArray[np.generic]]) -> None:
        """Set `variables`, or those of the model alone, which are the first."""
        for variable, value in zip(self.variables, values):
            variable.assign(value)

    def fits(self, state: TrainingState) -> bool:
        """Return whether a saved state has the shapes and types of `variables`."""
        best = self.variables[: self.model_variables] if state.best_epoch else []
        return all(
            len(variables) == len(values)
            and all(
                tuple(variable.shape) == value.shape and variable.dtype == value.dtype.name
                for variable, value in zip(variables, values)
            )
            for variables, values in ((self.variables, state.variables), (best, state.best))
        )

    def _run(
        self,
        steps: Callable[[tf.data.Iterator, tf.Tensor], None],
        stream: BatchStream,
        seed: tuple[int, ...] | None,
        show: Callable[[int], object],
    ) -> dict[str, float]:
        self._mean_loss.reset_state()
        self._metric.reset_state()
        batches = stream.start(seed)
        for first in range(0, stream.steps, STEPS_PER_CALL):
            count = min(STEPS_PER_CALL, stream.steps - first)
            with _hidden_trace_warnings():
                steps(batches, tf.constant(count))
            show(count)
        loss, metric = (float(found.result()) for found in (self._mean_loss, self._metric))
        return {self._metric.name: metric, "loss": loss}

    def _train_steps(self, batches: tf.data.Iterator, count: tf.Tensor) -> None:
        for _ in tf.range(count):
            ids, targets, weights = next(batches)
            with tf.GradientTape() as tape:
                logits = self._model(ids, training=True)
                loss = self._loss(targets, logits, weights)
            variables = self._model.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)
            self._count(loss, targets, logits)

    def _evaluate_steps(self, batches: tf.data.Iterator, count: tf.Tensor) -> None:
        for _ in tf.range(count):
            ids, targets, weights = next(batches)
            logits = self._model(ids, training=False)
            self._count(self._loss(targets, logits, weights), targets, logits)

    def _count(self, loss: tf.Tensor, targets: tf.Tensor, logits: tf.Tensor) -> None:
        self._mean_loss.update_state(loss, tf.shape(targets)[0])
        self._metric.update_state(targets, logits)


@contextmanager
def _hidden_trace_warnings() -> Iterator[None]:
    """Hide that functions are traced often: each training of a process has a model of its own."""
    tensorflow = tf.get_logger()

    def is_other(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    tensorflow.addFilter(is_other)
    try:
        yield
    finally:
        tensorflow.removeFilter(is_other)
