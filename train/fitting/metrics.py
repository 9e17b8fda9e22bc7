"""How good a model is: accuracy with its interval, confusion matrix, precision, recall, F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest


@dataclass(frozen=True)
class ClassScore:
    """One class's scores, each 0 to 1.

    Attributes:
        label: the class.
        texts: how many texts are of it.
        precision: share of the texts called so that are so.
        recall: share of the texts that are so that are called so.
        f1: their harmonic mean.
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
        texts: how many.
        accuracy: share classified rightly, 0 to 1.
        interval: 95 % Wilson interval of the accuracy.
        classes: scores of each class.
        confusion: [true class][predicted class], counts.
    """

    texts: int
    accuracy: float
    interval: tuple[float, float]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]


def classify(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Turn probabilities, float32 [texts, 1 or classes], into classes, int64 [texts]."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(np.int64)
    classes: npt.NDArray[np.int64] = outputs.argmax(axis=1)
    return classes


def score(
    targets: npt.NDArray[np.int32], predicted: npt.NDArray[np.int64], labels: tuple[str, ...]
) -> Scores:
    """Score predicted classes against true ones.

    Args:
        targets: int [texts], true classes.
        predicted: int [texts], predicted classes.
        labels: the class names.

    Returns:
        The scores.
    """
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    classes = []
    for place, label in enumerate(labels):
        right = int(confusion[place, place])
        precision = right / max(1, int(confusion[:, place].sum()))
        recall = right / max(1, int(confusion[place].sum()))
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        classes.append(ClassScore(label, int(confusion[place].sum()), precision, recall, f1))
    right = int(np.trace(confusion))
    interval = binomtest(right, len(targets)).proportion_ci(method="wilson")
    return Scores(
        texts=len(targets),
        accuracy=right / max(1, len(targets)),
        interval=(float(interval.low), float(interval.high)),
        classes=tuple(classes),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )
