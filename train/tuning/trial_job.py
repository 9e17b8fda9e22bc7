"""Runs a trial of a search, in this process or with the same arguments in another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from glovelite.runtime.errors import OptionsError

from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable
from .criterion import measure
from .evaluation import Comparison, run_trial
from .records import COMPLETE, PRUNED, TuningTrial
from .space import SearchSpace
from .study import EarlyStopping

FINISH_SECONDS = 8.0  # calibration, the unknown word's vector, writing the run folder
FINISH_SHARE = 1.1  # of the expected time of the final training
WARMING_UP = 0.15  # of a trial, until its speed is known: the first steps compile the model

Clock = Callable[[], float]


class _StoppedError(Exception):
    """A trial was stopped early."""


@dataclass(frozen=True)
class TrialText:
    """The text that all trials of a search share.

    Attributes:
        comparison: the part that trials are trained and compared on.
        texts: number of texts that the final model is trained on.
    """

    comparison: Comparison
    table: EmbeddingTable
    classes: int
    space: SearchSpace
    texts: int

    def final_seconds(self, trial_seconds: float) -> float:
        """Return how long the final training with a trial's options takes."""
        trained = sum(len(part.train) for part in self.comparison.parts)
        return trial_seconds * self.texts / trained * FINISH_SHARE + FINISH_SECONDS


@dataclass(frozen=True)
class TrialJob:
    """A trial to run.

    Attributes:
        seed: added to that of the options.
        others: finished trials, with which it is compared after each step; empty for none.
        seconds: limit for the trial and its final training; None if it must not be stopped.
    """

    trial: TuningTrial
    seed: int = 0
    others: tuple[TuningTrial, ...] = ()
    seconds: float | None = None


def run_job(text: TrialText, job: TrialJob, clock: Clock = time.monotonic) -> TuningTrial:
    """Run a trial.

    Returns:
        The trial with its loss and errors, or as stopped early. The search adds the time when it
        ended, and how good it is relative to the default.

    Raises:
        OptionsError: the loss of a trial that must finish is not finite.
    """
    started, trial, comparison = clock(), job.trial, text.comparison
    stopping = EarlyStopping(text.space, job.others, trial.parameters, len(comparison.parts))

    def report(share: float, loss: float | None) -> None:
        if job.seconds is None:
            return
        spent = clock() - started
        bad = trial.repeats is None and stopping.is_bad(share, loss)
        if bad or _is_late(text, job.seconds, spent, share):
            raise _StoppedError

    def options(texts: int) -> TrainingOptions:
        chosen = text.space.make_options(trial.parameters, texts)
        return replace(chosen, seed=chosen.seed + job.seed)

    try:
        logits = run_trial(comparison, text.table, text.classes, options, report)
        measured = measure(logits, comparison.targets, comparison.folds)
        trial = replace(trial, state=COMPLETE, measured=measured)
    except _StoppedError:
        trial = replace(trial, state=PRUNED)
    except OptionsError:  # the loss is not finite: a bad choice of options
        if job.seconds is None:
            raise
        trial = replace(trial, state=PRUNED)
    return replace(trial, steps=stopping.steps, seconds=clock() - started)


def _is_late(text: TrialText, seconds: float, spent: float, share: float) -> bool:
    """Return whether a trial would leave too little time for its own final training."""
    if share < WARMING_UP:
        return False
    expected = spent / share
    return expected + text.final_seconds(expected) > seconds


class TrialWorkers(Protocol):
    """Runs trials, one or several at the same time."""

    @property
    def count(self) -> int:
        """The number of trials that run at the same time."""

    def share(self, text: TrialText) -> None:
        """Set the text of the next jobs."""

    def start(self, job: TrialJob) -> None:
        """Start a trial; fewer than `count` are running."""

    def wait(self, seconds: float) -> TuningTrial | None:
        """Return a trial that has ended, or None if none does within a time."""

    def give_up(self, number: int) -> None:
        """End a trial that runs; `count` falls by one."""


class LocalWorkers:
    """Runs one trial after the other in this process."""

    count = 1

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Initialize with a function that returns seconds."""
        self._clock = clock
        self._text: TrialText | None = None
        self._jobs: list[TrialJob] = []

    def share(self, text: TrialText) -> None:
        """Set the text of the next jobs."""
        self._text = text

    def start(self, job: TrialJob) -> None:
        """Add a trial."""
        self._jobs.append(job)

    def wait(self, seconds: float) -> TuningTrial | None:  # noqa: ARG002
        """Run the trial."""
        assert self._text is not None
        return run_job(self._text, self._jobs.pop(), self._clock)

    def give_up(self, number: int) -> None:
        """Do nothing: `wait` always returns a trial."""
