"""Accuracy with its interval, precision, recall and F1, and what is confused or occurs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from glovelite.runtime.aliases import Bools, Classes, Floats, Longs

from .thresholds import Thresholds, decide, find_correct

Doubles = npt.NDArray[np.float64]
#: Name of the score that sums a model up -> how people read it.
HEADLINES = {"accuracy": "accuracy", "micro_f1": "micro F1"}


@dataclass(frozen=True)
class ClassScore:
    """One class's scores, each 0 to 1.

    Attributes:
        label: the class, or the label of multi-label text.
        texts: number of texts of the class, or with the label.
        precision: share of the texts predicted as the class that are of it.
        recall: share of the texts of the class that are predicted as it.
        f1: harmonic mean of both.
    """

    label: str
    texts: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class MultiLabelScores:
    """What is scored of multi-label text only, each 0 to 1 but the counts.

    Attributes:
        micro_f1: F1 of all decisions, one for each text and label.
        mean_average_precision: mean over the labels that occur of the average precision, which
            depends on no threshold.
        thresholds: the probability from which a text gets each label.
        given: how many texts got each label.
        labels_per_text: mean number of labels, `(true, given)`.
        co_occurrence: [true label][given label], counts of texts.
    """

    micro_f1: float
    mean_average_precision: float
    thresholds: tuple[float, ...]
    given: tuple[int, ...]
    labels_per_text: tuple[float, float]
    co_occurrence: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Scores:
    """A model's scores on one set of texts.

    Attributes:
        texts: number of texts.
        accuracy: share classified correctly, 0 to 1; of multi-label text the share whose labels are
            all right.
        interval: 95 % Wilson interval of the accuracy.
        macro_f1: mean F1 of the classes that occur or are predicted, 0 to 1.
        classes: scores of each class.
        confusion: [true class][predicted class], counts; empty for multi-label text.
        multi_label: further scores of multi-label text, else None.
    """

    texts: int
    accuracy: float
    interval: tuple[float, float]
    macro_f1: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...] = ()
    multi_label: MultiLabelScores | None = None

    @property
    def micro_f1(self) -> float | None:
        """F1 of all decisions about multi-label text, else None."""
        return None if self.multi_label is None else self.multi_label.micro_f1


@dataclass(frozen=True)
class Accuracy:
    """A model's accuracy on some texts.

    Attributes:
        texts: number of texts.
        accuracy: share classified correctly, 0 to 1.
        interval: 95 % Wilson interval of the accuracy.
    """

    texts: int
    accuracy: float
    interval: tuple[float, float]


def score(
    targets: Classes,
    probabilities: Floats,
    labels: Sequence[str],
    thresholds: Thresholds | None = None,
) -> Scores:
    """Score probabilities against the true classes.

    Args:
        targets: int [texts], true classes, or bool [texts, labels].
        probabilities: float32 [texts, classes].
        labels: class names.
        thresholds: of each label, for multi-label text.
    """
    predicted = decide(probabilities, thresholds)
    correct = find_correct(targets, predicted)
    if thresholds is None:
        counts = np.zeros((len(labels), len(labels)), np.int64)
        np.add.at(counts, (targets, predicted), 1)
        true, given = counts.sum(axis=1), counts.sum(axis=0)
    else:
        # Sums of float64 are exact, and many times as fast as those of integers.
        counts = (targets.T.astype(np.float64) @ predicted).astype(np.int64)
        true, given = targets.sum(axis=0), predicted.sum(axis=0)
    right = np.diagonal(counts)
    f1 = f1_score(right, true, given)
    present = (true > 0) | (given > 0)
    table = tuple(tuple(row) for row in counts.tolist())
    multi_label = None
    if thresholds is not None:
        precisions = [
            average_precision(targets[:, label], probabilities[:, label])
            for label in np.flatnonzero(true)
        ]
        multi_label = MultiLabelScores(
            micro_f1=float(f1_score(right.sum(), true.sum(), given.sum())),
            mean_average_precision=float(np.mean(precisions)) if precisions else 0.0,
            thresholds=tuple(map(float, thresholds)),
            given=tuple(given.tolist()),
            labels_per_text=(float(true.sum()) / len(targets), float(given.sum()) / len(targets)),
            co_occurrence=table,
        )
    return Scores(
        texts=len(targets),
        accuracy=float(np.mean(correct)),
        interval=_interval(int(np.count_nonzero(correct)), len(targets)),
        macro_f1=float(np.mean(f1[present])) if present.any() else 0.0,
        classes=tuple(
            ClassScore(
                label,
                int(true[index]),
                float(right[index] / max(1, given[index])),
                float(right[index] / max(1, true[index])),
                float(f1[index]),
            )
            for index, label in enumerate(labels)
        ),
        confusion=table if multi_label is None else (),
        multi_label=multi_label,
    )


def f1_score(right: npt.ArrayLike, true: npt.ArrayLike, given: npt.ArrayLike) -> Doubles:
    """Return the harmonic mean of precision and recall, 0 if nothing is right.

    Args:
        right: how many texts have a class and get it.
        true: how many have it.
        given: how many get it.
    """
    both = np.add(true, given)
    f1: Doubles = 2 * np.asarray(right) / np.maximum(both, 1)
    return f1


def average_precision(targets: Classes, probabilities: Floats) -> float:
    """Return the mean, over the texts with a label, of the precision down to their probability.

    Args:
        targets: bool [texts], whether each has the label; one text or more has it.
        probabilities: float32 [texts].
    """
    order = np.argsort(-probabilities, kind="stable")
    hits, descending = targets[order], probabilities[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))  # of equal ones
    found = np.cumsum(hits)[last]
    gained = np.diff(found, prepend=0)
    return float(np.sum(gained * found / (last + 1)) / found[-1])


def score_sources(
    targets: Classes, predicted: Classes, rows: Mapping[str, Longs]
) -> dict[str, Accuracy]:
    """Score the texts of each source, if there are several.

    Args:
        targets: int [texts], true classes, or bool [texts, classes].
        predicted: the same for the predicted ones.
        rows: source -> rows of its texts, at least one.
    """
    if len(rows) < 2:
        return {}
    correct = find_correct(targets, predicted)
    return {source: measure_accuracy(correct[each]) for source, each in rows.items()}


def measure_accuracy(correct: Bools) -> Accuracy:
    """Measure the accuracy on one text or more.

    Args:
        correct: bool [texts], whether each is classified correctly.
    """
    count, texts = int(np.count_nonzero(correct)), len(correct)
    return Accuracy(texts, count / texts, _interval(count, texts))


def _interval(correct: int, texts: int) -> tuple[float, float]:
    interval = binomtest(correct, texts).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
