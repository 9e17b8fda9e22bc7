"""Decides which labels a text gets, and chooses the thresholds of a multi-label classifier.

Of several classes a text gets the most probable one. In multi-label text each label has a
threshold of its own, and a text gets every label whose probability reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Bools, Classes, Floats, Longs
from glovelite.runtime.decision.thresholds import NEVER_GIVEN
from glovelite.runtime.files.columns import LABEL_SEPARATOR

Doubles = npt.NDArray[np.float64]
#: The threshold of each label, in the order of the labels.
Thresholds = Sequence[float]
MAX_ROUNDS = 20  # over the labels, until no threshold changes; few are needed


def decide(probabilities: Floats, thresholds: Thresholds | None = None) -> Classes:
    """Return the class of each text, or its labels.

    Args:
        probabilities: float32 [texts, classes].
        thresholds: of each label of a multi-label classifier; None for one class a text.

    Returns:
        int64 [texts], or bool [texts, classes] with thresholds.
    """
    if thresholds is None:
        classes: Longs = probabilities.argmax(axis=1)
        return classes
    minimum = np.array(thresholds)
    reached: Bools = (probabilities >= minimum) & (minimum < NEVER_GIVEN)
    return reached


def find_correct(targets: Classes, predicted: Classes) -> Bools:
    """Return whether each text is classified correctly, all labels of multi-label text.

    Args:
        targets: int [texts], true classes, or bool [texts, classes].
        predicted: the same for the predicted ones.
    """
    equal: Bools = targets == predicted
    return equal.all(axis=1) if equal.ndim == 2 else equal


def name_classes(classes: Classes, labels: Sequence[str]) -> str:
    """Return the name of a text's class, or the names of its labels.

    Args:
        classes: the class, int [], or bool [labels].
        labels: class names.

    Example:
        >>> name_classes(np.array([True, False, True]), ("anger", "fear", "joy"))
        'anger|joy'
    """
    numbers = np.flatnonzero(classes) if classes.ndim else [int(classes)]
    return LABEL_SEPARATOR.join(labels[number] for number in numbers)


def choose_thresholds(probabilities: Floats, targets: Classes) -> tuple[float, ...]:
    """Choose the thresholds with the highest mean of micro and macro F1.

    Micro F1 alone would hardly ever give a rare label, macro F1 alone would give it to many texts.
    The few texts of a rare label say little about its best threshold, so half of what is counted is
    observed, and half is what calibrated probabilities let expect.

    Args:
        probabilities: float32 [texts, labels], calibrated.
        targets: bool [texts, labels].
    """
    curves = [_count_by_threshold(*each) for each in zip(probabilities.T, targets.T)]
    best = [int(np.argmax(each.right / each.total)) for each in curves]
    for _ in range(MAX_ROUNDS):
        before = list(best)
        right = sum(each.right[cut] for each, cut in zip(curves, best))
        total = sum(each.total[cut] for each, cut in zip(curves, best))
        for label, curve in enumerate(curves):
            right, total = right - curve.right[best[label]], total - curve.total[best[label]]
            micro = (right + curve.right) / (total + curve.total)
            best[label] = int(np.argmax(micro + curve.right / curve.total / len(curves)))
            right, total = right + curve.right[best[label]], total + curve.total[best[label]]
        if best == before:
            break
    return tuple(float(each.thresholds[cut]) for each, cut in zip(curves, best))


class _Curve(NamedTuple):
    """What is counted for one label at each threshold, float64 [texts + 1].

    Attributes:
        thresholds: descending from `NEVER_GIVEN`.
        right: texts that have the label and get it.
        total: texts that have it plus texts that get it; F1 is 2 × right / total.
    """

    thresholds: Doubles
    right: Doubles
    total: Doubles


def _count_by_threshold(probabilities: Floats, targets: Bools) -> _Curve:
    order = np.argsort(-probabilities, kind="stable")
    descending = probabilities[order].astype(np.float64)
    true = (targets[order] + descending) / 2
    given = np.arange(len(order) + 1)
    right = np.concatenate([[0.0], np.cumsum(true)])
    between = (descending + np.append(descending[1:], 0.0)) / 2
    total = np.maximum(true.sum() + given, np.finfo(np.float64).tiny)
    return _Curve(np.concatenate([[NEVER_GIVEN], between]), right, total)
