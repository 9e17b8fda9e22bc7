"""Makes probabilities mean what they say: a temperature, fitted on dev text.

A model that is trained until its dev loss stops falling is often surer than it is right. Dividing
its logits by one number, chosen to make dev text most probable, mends most of that and changes no
label (Guo et al., "On Calibration of Modern Neural Networks", 2017). The number is folded into the
weights, so that the device computes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ..vectors.cache import Floats

BINS = 15  # of equal width, as in the paper
COOLEST, HOTTEST = 0.2, 5.0  # a temperature beyond them is a sign of too little dev text


@dataclass(frozen=True)
class Calibration:
    """How well probabilities agree with how often they are right.

    Attributes:
        temperature: what the logits were divided by.
        error: expected calibration error on each set of texts, `(before, after)`, 0 to 1.
    """

    temperature: float
    error: dict[str, tuple[float, float]]


def calibrate(
    logits: Mapping[str, Floats], targets: Mapping[str, npt.NDArray[np.int32]]
) -> Calibration:
    """Fit the temperature on dev text and measure what it does.

    Args:
        logits: for `dev` and other sets of texts, float32 [texts, 1 or classes].
        targets: their true classes, int32 [texts].

    Returns:
        The temperature, and the calibration error of every set before and after.
    """
    temperature = fit_temperature(logits["dev"], targets["dev"])

    def error(name: str, hot: float) -> float:
        return calibration_error(to_probabilities(logits[name] / np.float32(hot)), targets[name])

    return Calibration(temperature, {n: (error(n, 1.0), error(n, temperature)) for n in logits})


def fit_temperature(logits: Floats, targets: npt.NDArray[np.int32]) -> float:
    """Choose the temperature that makes the true classes most probable.

    Args:
        logits: float32 [texts, 1 or classes].
        targets: int32 [texts], true classes.

    Returns:
        The temperature: above 1 where the logits are too sure.
    """
    both = _two_columns(logits).astype(np.float64)

    def loss(log_temperature: float) -> float:
        scaled = both / np.exp(log_temperature)
        chosen = scaled[np.arange(len(targets)), targets]
        return float(np.mean(logsumexp(scaled, axis=1) - chosen))

    bounds = (np.log(COOLEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def to_probabilities(logits: Floats) -> Floats:
    """Turn logits, float32 [texts, 1 or classes], into probabilities, float32 [texts, classes]."""
    both = _two_columns(logits)
    probabilities: Floats = np.exp(both - logsumexp(both, axis=1, keepdims=True))
    return probabilities


def calibration_error(probabilities: Floats, targets: npt.NDArray[np.int32]) -> float:
    """Measure how far probabilities are from how often they are right.

    Args:
        probabilities: float32 [texts, classes].
        targets: int32 [texts], true classes.

    Returns:
        The expected calibration error, 0 to 1: over bins of the answered class's probability, the
        mean difference of probability and accuracy, each bin weighed by its texts.
    """
    surest = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((surest * BINS).astype(int), BINS - 1)
    excess = np.bincount(bins, weights=surest - right, minlength=BINS)
    return float(np.abs(excess).sum() / max(1, len(targets)))


def _two_columns(logits: Floats) -> Floats:
    """Give a sigmoid's one logit a column of zeros beside it: the softmax of both is the same."""
    return logits if logits.shape[1] > 1 else np.hstack([np.zeros_like(logits), logits])
