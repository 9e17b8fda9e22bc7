"""Calibrates probabilities with a temperature fitted on dev text.

A model with the lowest dev loss of its training is often overconfident. Dividing its logits
by one number that is fitted to dev text corrects most of that and changes no label
(Guo et al., "On Calibration of Modern Neural Networks", 2017). The number is folded into the
weights, so that the device computes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from runtime.aliases import Floats, Ids, Longs
from runtime.evaluation.calibration import calibration_error

OUT_OF_FOLD = "out_of_fold"
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.2, 5.0
#: Prior of the log temperature, a normal distribution: models of few texts are overconfident. It
#: weighs about as much as one text, so it matters where there are a few dozen. Twenty dev texts
#: that are all predicted correctly would otherwise give the lowest temperature.
PRIOR_MEAN, PRIOR_DEVIATION = 0.5, 0.5


@dataclass(frozen=True)
class Calibration:
    """The fitted temperature and its effect.

    Attributes:
        temperature: what the logits were divided by.
        error: expected calibration error of each set of texts, `(before, after)`, 0 to 1.
        fitted_on: the set that it was fitted on: `dev` or `out_of_fold`.
    """

    temperature: float
    error: dict[str, tuple[float, float]]
    fitted_on: str = "dev"


def calibrate(
    logits: Mapping[str, Floats],
    targets: Mapping[str, Ids],
    fitted: Calibration | None = None,
) -> Calibration:
    """Fit the temperature on dev text and measure its effect on all sets.

    Args:
        logits: for `dev` and other sets, float32 [texts, 1 or classes].
        targets: their true classes, int32 [texts].
        fitted: a calibration whose temperature is taken instead; None fits one.
    """
    fitted = fitted or Calibration(fit_temperature(logits["dev"], targets["dev"]), {})

    def error(name: str, divisor: float) -> float:
        probabilities = to_probabilities(logits[name] / np.float32(divisor))
        return calibration_error(probabilities, targets[name])

    errors = {name: (error(name, 1.0), error(name, fitted.temperature)) for name in logits}
    return replace(fitted, error={**errors, **fitted.error})


def calibrate_folds(logits: Floats, targets: Ids, folds: Longs) -> tuple[Floats, Calibration]:
    """Calibrate what models trained without each fold make of it.

    The temperature is fitted on all texts, for the model that is trained on all of them: there are
    ten times as many as dev texts (scikit-learn's `CalibratedClassifierCV(ensemble=False)` does the
    same). No fold's own probabilities and error depend on its labels: they have the temperature
    that is fitted on the other folds.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: int32 [texts], true classes.
        folds: int64 [texts], fold of each text.

    Returns:
        Probabilities, float32 [texts, classes], and the calibration.
    """
    divisors = np.ones((len(folds), 1), np.float32)
    for fold in np.unique(folds):
        others = folds != fold
        divisors[~others] = fit_temperature(logits[others], targets[others])
    probabilities = to_probabilities(logits / divisors)
    before = calibration_error(to_probabilities(logits), targets)
    error = {OUT_OF_FOLD: (before, calibration_error(probabilities, targets))}
    return probabilities, Calibration(fit_temperature(logits, targets), error, OUT_OF_FOLD)


def fit_temperature(logits: Floats, targets: Ids) -> float:
    """Return the temperature with the highest posterior; above 1 for overconfident logits.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: int32 [texts], true classes.
    """
    columns = _two_columns(logits).astype(np.float64)

    def loss(log_temperature: float) -> float:
        scaled = columns / np.exp(log_temperature)
        chosen = scaled[np.arange(len(targets)), targets]
        cross_entropy = float(np.sum(logsumexp(scaled, axis=1) - chosen))
        return cross_entropy + ((log_temperature - PRIOR_MEAN) / PRIOR_DEVIATION) ** 2 / 2

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def to_probabilities(logits: Floats) -> Floats:
    """Turn logits, float32 [texts, 1 or classes], into probabilities, float32 [texts, classes]."""
    columns = _two_columns(logits)
    probabilities: Floats = np.exp(columns - logsumexp(columns, axis=1, keepdims=True))
    return probabilities


def _two_columns(logits: Floats) -> Floats:
    """Prepend zeros to a sigmoid's logit: the softmax of both columns is the sigmoid."""
    return logits if logits.shape[1] > 1 else np.hstack([np.zeros_like(logits), logits])
