"""Records of the trials of a search: to resume it, and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glovelite.data.output_folder import write_csv

from ..options import TrainingOptions
from ..request import SEARCHED
from .criterion import Measured

COMPLETE, PRUNED, RUNNING = "complete", "pruned", "running"
COLUMNS = ("number", "state", "repeats", "relative", "score", "loss", "seconds", "at", *SEARCHED)


@dataclass(frozen=True)
class TuningTrial:
    """A trial, finished or running.

    Attributes:
        number: from 0, the trial with the default options.
        state: `complete`, `pruned` if it was stopped early, or `running`.
        parameters: Optuna's choice.
        options: the searched options, as the final model would be trained.
        repeats: number of the trial that was repeated with another seed, or None.
        measured: loss and errors; None if it was stopped.
        relative: the criterion: 1 is as good as the default, less is better; None without it.
        steps: step -> loss up to there, for pruning.
        seconds: of the trial.
        at: when it ended, seconds from the start of the search; interruptions do not count.
    """

    number: int
    state: str
    parameters: Mapping[str, Any]
    options: Mapping[str, Any]
    repeats: int | None = None
    measured: Measured | None = None
    relative: float | None = None
    steps: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    at: float = 0.0

    @classmethod
    def parse(cls, saved: Any) -> TuningTrial:
        """Return the object whose `dataclasses.asdict` was saved as JSON."""
        measured = saved["measured"] and Measured.parse(saved["measured"])
        steps = {int(step): float(loss) for step, loss in saved["steps"].items()}
        return cls(**{**saved, "measured": measured, "steps": steps})


@dataclass(frozen=True)
class TuningScore:
    """The scores of one choice of options.

    Attributes:
        loss: log loss of calibrated probabilities.
        score: accuracy, of multi-label text the mean of micro and macro F1, 0 to 1.
    """

    loss: float
    score: float


@dataclass(frozen=True)
class TuningSummary:
    """The entry about a search in `metrics.json`; see `Tuned`.

    Attributes:
        seconds: time of the search, without the final training and interruptions.
        trials: number of trials, without those that only have another seed.
        stopped: number of trials that were stopped early.
        two_seeds: whether the scores are means over two seeds.
    """

    seconds: float
    trials: int
    stopped: int
    compared_on: str
    two_seeds: bool
    max_bytes: int | None
    chosen: int
    relative: float
    default: TuningScore
    best: TuningScore


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Attributes:
        options: of the final training.
        trials: in the order of their end.
        chosen: number of the trial whose options were chosen; 0 is the default.
        compared_on: the text that trials were compared on, such as `"1,821 dev texts"`.
        default: loss and errors of the default options, over the seeds.
        best: of the chosen ones.
        relative: the criterion of the chosen ones: 1 is as good as the default, less is better.
        repeated: whether both were trained with another seed too.
        seconds: of the search, without interruptions.
        max_bytes: size of the bundle that the search was for, or None.
        multi_label: whether a text may have several labels.
    """

    options: TrainingOptions
    trials: tuple[TuningTrial, ...]
    chosen: int
    compared_on: str
    default: Measured
    best: Measured
    relative: float
    repeated: bool
    seconds: float
    max_bytes: int | None
    multi_label: bool

    @property
    def summary(self) -> TuningSummary:
        """The entry in `metrics.json`."""
        return TuningSummary(
            seconds=round(self.seconds, 1),
            trials=sum(1 for _ in explored(self.trials)),
            stopped=sum(trial.state == PRUNED for trial in self.trials),
            compared_on=self.compared_on,
            two_seeds=self.repeated,
            max_bytes=self.max_bytes,
            chosen=self.chosen,
            relative=round(self.relative, 4),
            default=TuningScore(round(self.default.loss, 4), round(self.default.score, 4)),
            best=TuningScore(round(self.best.loss, 4), round(self.best.score, 4)),
        )


def write_trials(path: Path, trials: Iterable[TuningTrial]) -> None:
    """Write a table of the trials as CSV."""
    write_csv(path, COLUMNS, map(_row, trials))


def _row(trial: TuningTrial) -> Sequence[object]:
    measured = trial.measured
    return (
        trial.number,
        trial.state,
        trial.repeats,
        None if trial.relative is None else round(trial.relative, 4),
        None if measured is None else round(measured.score, 4),
        None if measured is None else round(measured.loss, 4),
        round(trial.seconds, 1),
        round(trial.at, 1),
        *(_show(trial.options.get(name)) for name in SEARCHED),
    )


def _show(value: Any) -> object:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return value


def explored(trials: Iterable[TuningTrial]) -> Iterator[TuningTrial]:
    """Yield the trials with options of their own, not those with another seed."""
    return (trial for trial in trials if trial.repeats is None)
