"""The content of a run folder's `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from glovelite.evaluation.scores import Accuracy, Scores

from .fitting.calibration import Calibration
from .fitting.checkpoint import History
from .run_description import RunDescription
from .trials.cross_validation import CrossValidation, OutOfFold
from .tuning.records import TuningSummary


@dataclass(frozen=True)
class LabelErrorSummary:
    """What `metrics.json` records about probably wrong labels.

    Attributes:
        texts: number of texts whose labels are probably wrong.
        thresholds: class -> the probability above which it is suggested, 0 to 1.
    """

    texts: int
    thresholds: dict[str, float]


def summarize_label_errors(out_of_fold: OutOfFold) -> LabelErrorSummary | None:
    """Return how many labels are probably wrong, or None if that was not asked."""
    errors = out_of_fold.label_errors
    if errors is None:
        return None
    thresholds = zip(out_of_fold.corpus.classes, errors.thresholds.tolist())
    return LabelErrorSummary(len(errors), {label: round(each, 6) for label, each in thresholds})


@dataclass(frozen=True)
class Metrics:
    """The content of `metrics.json`.

    Attributes:
        run: what the run depends on.
        summary: lines of Keras's model summary.
        seconds: training time.
        history: loss, and accuracy or micro F1, one value per epoch.
        best_epoch: the epoch whose weights were kept, from 1.
        scores: of `dev` and `test`, and of `test_with_seen` if training holds some test texts;
            without `test` if cross-validation replaces test text.
        source_scores: part -> source -> its score, for the parts whose texts are from several;
            `out_of_fold` is one of them.
        calibration: the temperature and its effect.
        cross_validation: its result, or None if there was none.
        label_errors: how many labels are probably wrong, or None if that was not asked.
        autotune: the search that chose the options, or None.
        thresholds: label -> the probability from which multi-label text gets it; empty otherwise.
    """

    run: RunDescription
    summary: tuple[str, ...]
    seconds: float
    history: History
    best_epoch: int
    scores: dict[str, Scores]
    source_scores: dict[str, dict[str, Accuracy]]
    calibration: Calibration
    cross_validation: CrossValidation | None = None
    label_errors: LabelErrorSummary | None = None
    autotune: TuningSummary | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `metrics.json` as plain JSON types."""
        folds, label_errors = self.cross_validation, self.label_errors
        return {
            **self.run.as_dict(),
            "summary": self.summary,
            "seconds": self.seconds,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "scores": {name: asdict(scores) for name, scores in self.scores.items()},
            "source_scores": {
                part: {source: asdict(each) for source, each in scores.items()}
                for part, scores in self.source_scores.items()
            },
            "calibration": asdict(self.calibration),
            **({"thresholds": dict(self.thresholds)} if self.thresholds else {}),
            **({} if folds is None else {"cross_validation": asdict(folds)}),
            **({} if label_errors is None else {"label_errors": asdict(label_errors)}),
            **({} if self.autotune is None else {"autotune": asdict(self.autotune)}),
        }
