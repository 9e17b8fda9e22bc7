"""How well probabilities agree with accuracy, in bins of the predicted class's probability.

Of multi-label text, every probability of a label is compared with how often the label is true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glovelite.runtime.aliases import Bools, Classes, Floats, Longs

BINS = 15  # of equal width, as in Guo et al., "On Calibration of Modern Neural Networks", 2017


@dataclass(frozen=True)
class Bin:
    """The texts whose predicted class has a probability in one range.

    Of multi-label text, the texts and labels with a probability in that range.

    Attributes:
        texts: number of texts, at least one.
        probability: mean probability of the predicted class, 0 to 1.
        accuracy: share classified correctly, or that have the label, 0 to 1.
    """

    texts: int
    probability: float
    accuracy: float


def calibration_error(probabilities: Floats, targets: Classes) -> float:
    """Return the expected calibration error, 0 to 1.

    The mean difference between probability and accuracy over bins, weighted by the texts in each.

    Args:
        probabilities: float32 [texts, classes].
        targets: int [texts], true classes, or bool [texts, classes].
    """
    confidence, correct = _compared(probabilities, targets)
    excess = np.bincount(_number_bins(confidence), weights=confidence - correct, minlength=BINS)
    return float(np.abs(excess).sum() / max(1, len(correct)))


def reliability(probabilities: Floats, targets: Classes) -> tuple[Bin, ...]:
    """Return the bins that hold texts, in ascending order.

    Args:
        probabilities: float32 [texts, classes].
        targets: int [texts], true classes, or bool [texts, classes].
    """
    confidence, correct = _compared(probabilities, targets)
    numbers = _number_bins(confidence)
    rows = [numbers == number for number in np.unique(numbers)]
    return tuple(
        Bin(int(each.sum()), float(confidence[each].mean()), float(correct[each].mean()))
        for each in rows
    )


def _compared(probabilities: Floats, targets: Classes) -> tuple[Floats, Bools]:
    """Return the probabilities that are binned, and whether what they stand for is true."""
    if targets.ndim == 2:
        return probabilities.ravel(), targets.astype(np.bool_).ravel()
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def _number_bins(confidence: Floats) -> Longs:
    numbers: Longs = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return numbers
