"""How good a model is: accuracy with its interval, confusion matrix, precision, recall, F1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
    return Scores(
        texts=len(targets),
        accuracy=right / max(1, len(targets)),
        interval=wilson_interval(right, len(targets)),
        classes=tuple(classes),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def wilson_interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Give the interval of a proportion (Wilson 1927), which holds near 0 and 1 too.

    Args:
        right: successes.
        total: trials.
        z: standard deviations; 1.96 is 95 %.

    Returns:
        Lower and upper bound: `(869, 1000)` → `(0.847, 0.888)`.
    """
    if not total:
        return 0.0, 1.0
    share = right / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
