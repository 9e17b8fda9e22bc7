"""The content of a run folder's `metrics.json`, and its description."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glovelite.data.run_files import LABEL_ERRORS_FILE, METRICS_FILE, OUT_OF_FOLD
from glovelite.evaluation.confusions import describe_confusions, find_confusions
from glovelite.evaluation.scores import (
    MAX_LISTED_CLASSES,
    Accuracy,
    Scores,
    describe_accuracy,
    describe_classes,
    name_classes,
)

from .data.corpus import Corpus
from .fitting.calibration import Calibration
from .options import FEW_DEV_TEXTS
from .run_description import RunDescription
from .trials.cross_validation import CrossValidation, LabelErrors, OutOfFold
from .unfinished import History

MAX_SHOWN_LABEL_ERRORS = 3


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
    return LabelErrorSummary(len(errors), {label: round(value, 6) for label, value in thresholds})


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
            without `test` if there is no test text, as with cross-validation.
        source_scores: part -> source -> its score, for the parts whose texts are from several;
            `out_of_fold` is one of them.
        calibration: the temperature and its effect.
        thresholds: label -> the probability from which multi-label text gets it; empty otherwise.
        label_errors: number of labels that are probably wrong; None if that was not asked.
    """

    run: RunDescription
    summary: tuple[str, ...]
    seconds: float
    history: History
    best_epoch: int
    scores: dict[str, Scores]
    source_scores: dict[str, dict[str, Accuracy]]
    calibration: Calibration
    thresholds: dict[str, float] = field(default_factory=dict)
    cross_validation: CrossValidation | None = None
    label_errors: LabelErrorSummary | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `metrics.json` as plain JSON types."""
        content = {**self.run.as_dict(), **asdict(self), "thresholds": self.thresholds or None}
        del content["run"]
        return {name: value for name, value in content.items() if value is not None}


def describe_next_step(run: Path) -> str:
    """Return the command that exports a run, beside its folder or to `bundles` beside `runs`."""
    bundle = run.with_name(f"{run.name}-bundle")
    if run.parent.name == "runs":
        bundle = run.parent.with_name("bundles") / run.name
    command = ("glovelite-convert", "export", str(run), "--out", str(bundle))
    return f"next: {shlex.join(command)}"


def describe_headline(metrics: Metrics) -> str:
    """Describe the accuracy on the test text, or on what stands for it, in one line."""
    if metrics.cross_validation is not None:
        return describe_accuracy(_shown(OUT_OF_FOLD), metrics.cross_validation.out_of_fold)
    name = "test" if "test" in metrics.scores else "dev"
    return describe_accuracy(name, metrics.scores[name])


def summarize_metrics(metrics: Metrics, run: Path) -> Iterator[str]:
    """Describe a finished run in four lines: text, model, accuracy and the next step."""
    corpus, options = metrics.run.corpus, metrics.run.options
    held_out = (f"{scores.texts:,} {name}" for name, scores in metrics.scores.items())
    yield f"{corpus.name}: {corpus.texts:,} texts, of these {', '.join(held_out)}"
    yield (
        f"{options.architecture} with {metrics.run.vectors}, epoch {metrics.best_epoch} of "
        f"{len(metrics.history['loss'])}, {metrics.seconds:,.0f} s"
    )
    yield describe_headline(metrics)
    yield describe_next_step(run)


def describe_metrics(metrics: Metrics) -> Iterator[str]:
    """Describe a finished run's scores."""
    if metrics.cross_validation is not None:
        yield from describe_cross_validation(metrics.cross_validation)
    elif "test" not in metrics.scores:
        yield describe_accuracy("dev, on which the epoch was chosen", metrics.scores["dev"])
    yield from describe_scores(metrics.scores)
    yield from describe_source_scores(metrics.source_scores)
    yield describe_calibration(metrics.calibration)
    dev_texts = metrics.scores["dev"].texts
    if metrics.calibration.fitted_on == "dev" and dev_texts < FEW_DEV_TEXTS:
        yield (
            f"warning: only {dev_texts:,} dev texts: probabilities are uncertain, and so is "
            "everything that is chosen by them; give more text, or use --folds"
        )


def describe_label_errors(errors: LabelErrors, corpus: Corpus) -> str:
    """Describe how many labels are probably wrong, and which ones most probably."""
    if not len(errors):
        return f"label errors: none found in {len(corpus):,} texts"
    first = [
        f"{corpus.where(row)}: {name_classes(corpus.targets[row], corpus.classes)}, probably "
        f"{name_classes(suggested, corpus.classes)}"
        for row, suggested in zip(errors.rows[:MAX_SHOWN_LABEL_ERRORS], errors.suggested)
    ]
    return (
        f"label errors: {len(errors):,} of {len(corpus):,} texts are probably mislabelled, all in "
        f"{LABEL_ERRORS_FILE}; the first: {'; '.join(first)}"
    )


def describe_calibration(calibration: Calibration) -> str:
    """Describe the calibration error before and after the temperature."""
    name = "test" if "test" in calibration.error else calibration.fitted_on
    before, after = calibration.error[name]
    source = "out-of-fold text" if calibration.fitted_on == OUT_OF_FOLD else calibration.fitted_on
    return (
        f"{_shown(name)}: expected calibration error {before:.1%}, {after:.1%} with temperature "
        f"{calibration.temperature:.2f} (fitted on {source}, folded into the weights)"
    )


def describe_scores(scores: Mapping[str, Scores]) -> Iterator[str]:
    """Describe the test scores, class by class; nothing if there is no test text."""
    if test := scores.get("test"):
        yield describe_accuracy("test", test)
        if with_seen := scores.get("test_with_seen"):
            yield describe_accuracy("test with the texts that training holds too", with_seen)
        yield from _describe_classes(test)


def describe_cross_validation(result: CrossValidation) -> Iterator[str]:
    """Describe the means over the folds, then all texts together, class by class."""
    means = {
        "micro F1": result.micro_f1,
        "accuracy": result.accuracy,
        "macro F1": result.macro_f1,
    }
    shown = ", ".join(
        f"{name} {score.mean:.1%} ({score.interval[0]:.1%} to {score.interval[1]:.1%})"
        for name, score in means.items()
        if score is not None
    )
    yield f"mean of {len(result.folds)} folds, with 95 % t interval over folds: {shown}"
    yield describe_accuracy(_shown(OUT_OF_FOLD), result.out_of_fold)
    yield from _describe_classes(result.out_of_fold)


def _describe_classes(scores: Scores) -> Iterator[str]:
    """Describe the scores of each class, and of many classes what is confused most."""
    yield from describe_classes(scores, METRICS_FILE)
    if len(scores.classes) > MAX_LISTED_CLASSES and scores.multi_label is None:
        yield from describe_confusions(find_confusions(scores))


def describe_source_scores(scores: Mapping[str, Mapping[str, Accuracy]]) -> Iterator[str]:
    """Describe the accuracy on the texts of each source, from part -> source -> score."""
    for source in dict.fromkeys(source for part in scores.values() for source in part):
        parts = [
            f"{_shown(name)} accuracy {part[source].accuracy:.1%} ({part[source].texts:,} texts)"
            for name, part in scores.items()
            if source in part
        ]
        yield f"{source}: {', '.join(parts)}"


def _shown(name: str) -> str:
    return name.replace("_", " ")
