"""The number that trials are compared by, and how certain a difference is.

Accuracy is the goal, but noisy: on a thousand texts it differs by a point by chance. Log loss is
less noisy and sometimes prefers another model. The criterion is the mean of both, each
relative to that of the first trial, which has the default options: 1 is as good as the default,
0.9 has a tenth less loss and errors. For multi-label text, the mean of micro and macro F1 takes the
place of accuracy.

Two trials are compared on the same texts. The standard error of their difference is that of the
jackknife over groups of texts, which holds for F1 too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glovelite.evaluation.scores import Doubles, choose_thresholds, decide
from glovelite.runtime.aliases import Classes, Floats, Longs

from ..fitting.calibration import calibrate_folds, fit_calibration, to_probabilities

GROUPS = 20  # of texts, each left out once
MIN_PROBABILITY = 1e-6
MIN_ERROR = 1e-3  # a first trial without errors must not make a later one infinitely bad


@dataclass(frozen=True)
class Measured:
    """Loss and errors of a trial.

    Attributes:
        loss: log loss of the calibrated probabilities, of multi-label text the mean over labels.
        error: 1 - accuracy, of multi-label text 1 - the mean of micro and macro F1.
        without: `(loss, error)` without each group of texts.
    """

    loss: float
    error: float
    without: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, saved: Any) -> Measured:
        """Return the object whose `dataclasses.asdict` was saved as JSON."""
        without = tuple((float(loss), float(error)) for loss, error in saved["without"])
        return cls(float(saved["loss"]), float(saved["error"]), without)

    @property
    def score(self) -> float:
        """Accuracy, or the mean of micro and macro F1, 0 to 1."""
        return 1 - self.error

    def relative_to(self, default: Measured) -> float:
        """Return the criterion: 1 is as good as the default, less is better."""
        return float(_relative(np.array([[self.loss, self.error]]), default)[0])

    def standard_error(self, other: Measured, default: Measured) -> float:
        """Return the standard error of the difference of two trials' criteria."""
        differences = _relative(np.array(self.without), default) - _relative(
            np.array(other.without), default
        )
        count = len(differences)
        return float(np.sqrt((count - 1) * np.var(differences)))


def _relative(values: Doubles, default: Measured) -> Doubles:
    scales = np.maximum([default.loss, default.error], MIN_ERROR)
    relative: Doubles = (values / scales).mean(axis=1)
    return relative


def average(measured: Sequence[Measured]) -> Measured:
    """Return the mean of trials with the same options and different seeds."""
    without = np.mean([trial.without for trial in measured], axis=0)
    return Measured(
        float(np.mean([trial.loss for trial in measured])),
        float(np.mean([trial.error for trial in measured])),
        tuple((float(loss), float(error)) for loss, error in without),
    )


def measure(logits: Floats, targets: Classes, folds: Longs | None) -> Measured:
    """Measure a trial.

    Args:
        logits: of the texts that trials are compared on, float32 [texts, 1 or classes].
        targets: true classes, int [texts], or bool [texts, labels].
        folds: int64 [texts], fold of each, or None if one model made all logits.
    """
    multi_label = targets.ndim == 2
    if folds is None:
        divisors = fit_calibration(logits, targets).divisors
        probabilities = to_probabilities(logits / divisors, multi_label)
    else:
        probabilities, _ = calibrate_folds(logits, targets, folds)
    groups = min(GROUPS, len(targets))

    def sum_groups(values: Doubles) -> Doubles:
        return np.stack([values[group::groups].sum(axis=0) for group in range(groups)])

    sizes = sum_groups(np.ones(len(targets)))
    if multi_label:
        given = targets.astype(np.bool_)
        predicted = decide(probabilities, choose_thresholds(probabilities, given)).astype(np.bool_)
        losses = _log_loss(np.where(given, probabilities, 1 - probabilities)).mean(axis=1)
        right = sum_groups((predicted & given).astype(np.float64))
        occurs = sum_groups(predicted.astype(np.float64) + given)
        errors = list(map(_f1_error, _left_out(right), _left_out(occurs)))
    else:
        losses = _log_loss(probabilities[np.arange(len(targets)), targets])
        wrong = sum_groups((probabilities.argmax(axis=1) != targets).astype(np.float64))
        errors = (_left_out(wrong) / _left_out(sizes)).tolist()
    means = (_left_out(sum_groups(losses)) / _left_out(sizes)).tolist()
    (loss, error), *without = zip(means, errors)
    return Measured(loss, error, tuple(without))


def _left_out(sums: Doubles) -> Doubles:
    """Return the sum of all groups, then the sums without each group; [groups + 1, …]."""
    total = sums.sum(axis=0)
    if len(sums) == 1:
        return np.stack([total, total])
    return np.concatenate([total[None], total - sums])


def _log_loss(probabilities: Floats) -> Doubles:
    losses: Doubles = -np.log(np.maximum(probabilities.astype(np.float64), MIN_PROBABILITY))
    return losses


def _f1_error(right: Doubles, occurs: Doubles) -> float:
    """Return 1 - the mean of micro and macro F1.

    Args:
        right: texts that have a label and get it, float64 [labels].
        occurs: texts that have it plus texts that get it.
    """
    present = occurs > 0
    if not present.any():
        return 1.0
    micro = 2 * right.sum() / occurs.sum()
    macro = np.mean(2 * right[present] / occurs[present])
    return float(1 - (micro + macro) / 2)
