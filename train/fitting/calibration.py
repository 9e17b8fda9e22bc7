"""Calibrates probabilities with a temperature fitted on dev text.

A model with the lowest dev loss of its training is often overconfident. Dividing its logits
by one number that is fitted to dev text corrects most of that and changes no label
(Guo et al., "On Calibration of Modern Neural Networks", 2017). The number is folded into the
weights, so that the device computes nothing more.

Each label of multi-label text has a temperature of its own, which differs from the others as far as
dev text shows that it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp

from glovelite.data.run_files import OUT_OF_FOLD
from glovelite.evaluation.scores import calibration_error
from glovelite.runtime.aliases import Classes, Floats, Longs

from ..data.corpus import SoftTargets
from ..row_blocks import row_blocks

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.2, 5.0
#: Prior of the log temperature, a normal distribution: models of few texts are overconfident,
#: unless they were trained towards a teacher's probabilities. It weighs about as much as one text,
#: so it matters where there are a few dozen. Twenty dev texts that are all predicted correctly
#: would otherwise give the lowest temperature.
PRIOR_MEAN, PRIOR_DEVIATION = 0.5, 0.5
#: Of the log temperature of a label, around that of all labels together.
LABEL_DEVIATION = 0.2


@dataclass(frozen=True)
class Calibration:
    """The fitted temperature and its effect.

    Attributes:
        temperature: divisor of the logits; of multi-label text, the one that fits all labels
            together best.
        error: expected calibration error of each set of texts, `(before, after)`, 0 to 1.
        fitted_on: name of the set: `dev` or `out_of_fold`.
        label_temperatures: of multi-label text, the divisor of each label's logit; else empty.
    """

    temperature: float
    error: dict[str, tuple[float, float]]
    fitted_on: str = "dev"
    label_temperatures: tuple[float, ...] = ()

    @property
    def divisors(self) -> Floats:
        """Divisors of the logits, float32 [1 or labels]."""
        return np.array(self.label_temperatures or (self.temperature,), np.float32)


def calibrate(
    logits: Mapping[str, Floats],
    targets: Mapping[str, Classes],
    fitted: Calibration | None = None,
    prior_mean: float = PRIOR_MEAN,
) -> Calibration:
    """Fit the temperature on dev text and measure its effect on all sets.

    Args:
        logits: for `dev` and other sets, float32 [texts, 1 or classes].
        targets: their true classes, int [texts], or bool [texts, labels].
        fitted: a calibration whose temperature is taken instead.
    """
    fitted = fitted or fit_calibration(logits["dev"], targets["dev"], prior_mean=prior_mean)
    errors = {
        name: (_error(values, targets[name]), _error(values / fitted.divisors, targets[name]))
        for name, values in logits.items()
    }
    return replace(fitted, error={**errors, **fitted.error})


def _error(logits: Floats, targets: Classes) -> float:
    return calibration_error(to_probabilities(logits, targets.ndim == 2), targets)


def choose_prior_mean(soft: SoftTargets | None) -> float:
    """Return the prior mean of the log temperature; less certain targets need less correction."""
    return PRIOR_MEAN * (1.0 if soft is None else soft.certain_share)


def fit_calibration(
    logits: Floats, targets: Classes, fitted_on: str = "dev", prior_mean: float = PRIOR_MEAN
) -> Calibration:
    """Fit the temperature, and those of the labels of multi-label text.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: true classes, int [texts], or bool [texts, labels].
        fitted_on: name of the set.
    """
    if targets.ndim == 1:
        return Calibration(fit_temperature(logits, targets, prior_mean), {}, fitted_on)
    decisions = targets.ravel().astype(np.int64)
    shared = fit_temperature(logits.reshape(-1, 1), decisions, prior_mean)
    of_labels = tuple(
        fit_temperature(column[:, None], given, float(np.log(shared)), LABEL_DEVIATION)
        for column, given in zip(logits.T, targets.T.astype(np.int64))
    )
    return Calibration(shared, {}, fitted_on, of_labels)


def calibrate_folds(logits: Floats, targets: Classes, folds: Longs) -> tuple[Floats, Calibration]:
    """Calibrate the logits of each fold, which come from a model that was trained without it.

    The temperature is fitted on all texts, for the model that is trained on all of them: there are
    ten times as many as dev texts (scikit-learn's `CalibratedClassifierCV(ensemble=False)` does the
    same). No fold's own probabilities and error depend on its labels: they have the temperature
    that is fitted on the other folds.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: true classes, int [texts], or bool [texts, labels].
        folds: int64 [texts], fold of each text.

    Returns:
        Probabilities, float32 [texts, classes], and the calibration.
    """
    scaled = np.empty_like(logits)
    for fold in np.unique(folds):
        others = folds != fold
        calibration = fit_calibration(logits[others], targets[others])
        scaled[~others] = logits[~others] / calibration.divisors
    error = {OUT_OF_FOLD: (_error(logits, targets), _error(scaled, targets))}
    calibration = replace(fit_calibration(logits, targets, OUT_OF_FOLD), error=error)
    return to_probabilities(scaled, targets.ndim == 2), calibration


def fit_temperature(
    logits: Floats,
    targets: Classes,
    prior_mean: float = PRIOR_MEAN,
    prior_deviation: float = PRIOR_DEVIATION,
) -> float:
    """Return the temperature with the highest posterior; above 1 for overconfident logits.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: int [texts], true classes.
    """

    def loss(log_temperature: float) -> float:
        cross_entropy = 0.0
        for rows in row_blocks(*logits.shape):
            scaled = _two_columns(logits[rows]).astype(np.float64) / np.exp(log_temperature)
            chosen = scaled[np.arange(len(scaled)), targets[rows]]
            cross_entropy += float(np.sum(logsumexp(scaled, axis=1) - chosen))
        return cross_entropy + ((log_temperature - prior_mean) / prior_deviation) ** 2 / 2

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def to_probabilities(logits: Floats, multi_label: bool = False) -> Floats:
    """Turn logits, float32 [texts, 1 or classes], into probabilities, float32 [texts, classes].

    Of multi-label text, each label's probability depends on its own logit alone.
    """
    if multi_label:
        of_labels: Floats = expit(logits)
        return of_labels
    probabilities = np.empty((len(logits), max(2, logits.shape[1])), logits.dtype)
    for rows in row_blocks(*logits.shape):
        columns = _two_columns(logits[rows])
        probabilities[rows] = np.exp(columns - logsumexp(columns, axis=1, keepdims=True))
    return probabilities


def _two_columns(logits: Floats) -> Floats:
    """Prepend zeros to a sigmoid's logit: the softmax of both columns is the sigmoid."""
    return logits if logits.shape[1] > 1 else np.hstack([np.zeros_like(logits), logits])
