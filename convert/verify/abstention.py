"""Chooses the probability below which a bundle's predictions should not be relied on.

The threshold is chosen on dev text, from what the device computed. The runtime marks predictions
below it, and those on text with few known words, as abstained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.aliases import Floats, Longs

from ..errors import ConversionError

MIN_KNOWN_SHARE = 1 / 3  # of a text's tokens; German text under an English model has less


@dataclass(frozen=True)
class Abstention:
    """The thresholds of a reliable prediction.

    Attributes:
        probability: minimum probability, 0 to 1.
        known: minimum share of known tokens, 0 to 1.
    """

    probability: float
    known: float = MIN_KNOWN_SHARE


@dataclass(frozen=True)
class AnsweredShare:
    """The effect of the probability threshold on a set of texts.

    Attributes:
        share: of texts above it, 0 to 1.
        accuracy: on those, 0 to 1.
    """

    share: float
    accuracy: float


def choose_abstention(scores: Floats, targets: Longs, accuracy: float | None = None) -> Abstention:
    """Choose the lowest threshold at which predictions have the wanted accuracy.

    Args:
        scores: float32 [dev texts, classes], from the device.
        targets: int [dev texts], true classes.
        accuracy: wanted above the threshold, 0 to 1; None halves the errors.

    Raises:
        ConversionError: no threshold reaches the requested accuracy.
    """
    confidence = scores.max(axis=1)
    correct = scores.argmax(axis=1) == targets
    wanted = 1 - (1 - correct.mean()) / 2 if accuracy is None else accuracy
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    reached = np.cumsum(correct[order]) / answered
    sorted_confidence = confidence[order]
    # A threshold separates only texts with different probabilities.
    separable = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    sufficient = np.flatnonzero(separable & (reached >= wanted))
    if len(sufficient):
        last = int(sufficient[-1])
        if last == len(order) - 1:  # all texts
            return Abstention(0.0)
        return Abstention(_round_down(float(sorted_confidence[last])))
    if accuracy is None:  # too few dev texts
        return Abstention(0.0)
    best = int(np.argmax(np.where(separable, reached, -1)))
    raise ConversionError(
        f"no threshold gives {accuracy:.1%} accuracy on dev text: the {answered[best]:,} of "
        f"{len(order):,} texts with the highest probability reach {reached[best]:.1%}; ask for less"
    )


def apply_abstention(scores: Floats, targets: Longs, abstention: Abstention) -> AnsweredShare:
    """Measure the effect of a probability threshold.

    Args:
        scores: float32 [texts, classes], from the device.
        targets: int [texts], true classes.
        abstention: the thresholds.
    """
    answered = scores.max(axis=1) >= abstention.probability
    correct = scores.argmax(axis=1)[answered] == targets[answered]
    return AnsweredShare(float(answered.mean()), float(correct.mean()) if len(correct) else 0.0)


def _round_down(probability: float) -> float:
    """Round a threshold to six digits so that the text it was taken from stays above it."""
    return float(np.floor(probability * 1e6) / 1e6)
