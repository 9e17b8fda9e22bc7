"""Accuracy with its interval, confusion matrix, precision, recall and F1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from ..aliases import Bools, Floats, Ids, Longs


@dataclass(frozen=True)
class ClassScore:
    """One class's scores, each 0 to 1.

    Attributes:
        label: the class.
        texts: number of texts of the class.
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
class Scores:
    """A model's scores on one set of texts.

    Attributes:
        texts: number of texts.
        accuracy: share classified correctly, 0 to 1.
        interval: 95 % Wilson interval of the accuracy.
        classes: scores of each class.
        confusion: [true class][predicted class], counts.
    """

    texts: int
    accuracy: float
    interval: tuple[float, float]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur or are predicted, 0 to 1."""
        predicted = np.sum(self.confusion, axis=0)
        counted = [each.f1 for each, count in zip(self.classes, predicted) if each.texts or count]
        return float(np.mean(counted))


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


def predicted_classes(outputs: Floats) -> Longs:
    """Turn probabilities, float32 [texts, 1 or classes], into classes, int64 [texts]."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(np.int64)
    classes: Longs = outputs.argmax(axis=1)
    return classes


def score(targets: Ids | Longs, predicted: Longs, labels: tuple[str, ...]) -> Scores:
    """Score predicted classes against true ones.

    Args:
        targets: int [texts], true classes.
        predicted: int [texts], predicted classes.
        labels: class names.
    """
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    classes = []
    for index, label in enumerate(labels):
        correct = int(confusion[index, index])
        precision = correct / max(1, int(confusion[:, index].sum()))
        recall = correct / max(1, int(confusion[index].sum()))
        f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
        classes.append(ClassScore(label, int(confusion[index].sum()), precision, recall, f1))
    correct = int(np.trace(confusion))
    return Scores(
        texts=len(targets),
        accuracy=correct / max(1, len(targets)),
        interval=_interval(correct, len(targets)),
        classes=tuple(classes),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def score_sources(targets: Ids, predicted: Longs, rows: Mapping[str, Longs]) -> dict[str, Accuracy]:
    """Score the texts of each source, if there are several.

    Args:
        targets: int [texts], true classes.
        predicted: int [texts], predicted classes.
        rows: source -> rows of its texts, at least one.
    """
    scores: dict[str, Accuracy] = {}
    if len(rows) < 2:
        return scores
    for source, each in rows.items():
        scores[source] = measure_accuracy(targets[each] == predicted[each])
    return scores


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
