"""Chooses the probability below which a bundle's predictions should not be relied on.

The threshold is chosen on dev text, from what the device computed. A few dev texts prove little, so
what counts is a lower confidence bound of the accuracy above the threshold. The runtime marks
predictions below it, and those on text with few known words, as abstained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from runtime.aliases import Floats, Longs

from ..errors import ConversionError

MIN_KNOWN_SHARE = 1 / 3  # of a text's tokens; German text under an English model has less
CONFIDENCE = 0.9  # of the lower bound of the accuracy
MAX_DEFAULT_ACCURACY = 0.98  # no default asks for more: half of no errors cannot be shown
ABSTAIN_FROM_ALL = 1.0  # as a minimum probability


@dataclass(frozen=True)
class Abstention:
    """The thresholds of a reliable prediction.

    Attributes:
        probability: minimum probability, 0 to 1; `ABSTAIN_FROM_ALL` relies on no prediction.
        accuracy: the accuracy that predictions above it should have, 0 to 1.
        known: minimum share of known tokens, 0 to 1.
    """

    probability: float
    accuracy: float
    known: float = MIN_KNOWN_SHARE


@dataclass(frozen=True)
class AnsweredShare:
    """The effect of the probability threshold on a set of texts.

    Attributes:
        share: of texts above it, 0 to 1.
        accuracy: on those, 0 to 1; 0 if there are none.
    """

    share: float
    accuracy: float


def lower_bound(correct: Longs, texts: Longs) -> Floats:
    """Return the one-sided Clopper-Pearson bound of an accuracy, at confidence `CONFIDENCE`.

    Clopper and Pearson, 1934. Of three texts that are all correct, the bound is 46 %.
    """
    bound: Floats = np.where(correct > 0, beta.ppf(1 - CONFIDENCE, correct, texts - correct + 1), 0)
    return bound


def needed_texts(accuracy: float) -> int:
    """Return how many texts, all predicted correctly, show an accuracy below 1.

    Example:
        >>> needed_texts(0.95)
        45
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(accuracy))


def choose_abstention(scores: Floats, targets: Longs, accuracy: float | None = None) -> Abstention:
    """Choose the lowest threshold at which predictions are shown to have the wanted accuracy.

    Args:
        scores: float32 [dev texts, classes], from the device.
        targets: int [dev texts], true classes.
        accuracy: wanted above the threshold, 0 to 1; None halves the errors, and abstains from all
            if no threshold is shown to do so.

    Raises:
        ConversionError: no threshold reaches the requested accuracy.
    """
    confidence = scores.max(axis=1)
    correct = scores.argmax(axis=1) == targets
    halved = min(1 - (1 - float(correct.mean())) / 2, MAX_DEFAULT_ACCURACY)
    wanted = round(halved, 6) if accuracy is None else accuracy
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    reached = lower_bound(np.cumsum(correct[order]), answered)
    sorted_confidence = confidence[order]
    # A threshold separates only texts with different probabilities.
    separable = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    sufficient = np.flatnonzero(separable & (reached >= wanted))
    if len(sufficient):
        last = int(sufficient[-1])
        if last == len(order) - 1:  # all texts
            return Abstention(0.0, wanted)
        return Abstention(_round_down(float(sorted_confidence[last])), wanted)
    if accuracy is None:
        return Abstention(ABSTAIN_FROM_ALL, wanted)
    best = int(np.argmax(np.where(separable, reached, -1)))
    raise ConversionError(
        f"no threshold is shown to give {accuracy:.1%} accuracy: the {answered[best]:,} of "
        f"{len(order):,} dev texts with the highest probability show {reached[best]:.1%} at "
        f"{CONFIDENCE:.0%} confidence; ask for less, or give more dev texts"
    )


def apply_abstention(scores: Floats, targets: Longs, abstention: Abstention) -> AnsweredShare:
    """Measure the effect of a probability threshold.

    Args:
        scores: float32 [texts, classes], from the device.
        targets: int [texts], true classes.
        abstention: the thresholds.
    """
    answered = scores.max(axis=1) >= abstention.probability
    if abstention.probability >= ABSTAIN_FROM_ALL:
        answered = np.zeros_like(answered)
    correct = scores.argmax(axis=1)[answered] == targets[answered]
    return AnsweredShare(float(answered.mean()), float(correct.mean()) if len(correct) else 0.0)


def _round_down(probability: float) -> float:
    """Round a threshold to six digits so that the text it was taken from stays above it."""
    return float(np.floor(probability * 1e6) / 1e6)
