"""Chooses below which probability a bundle's answers are better not relied on.

Chosen on dev text, from what the device computed there. The runtime marks such answers, and those
on text of which it knows almost no word, as abstained from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConversionError
from .fidelity import Longs, Scores

LEAST_KNOWN = 1 / 3  # share of a text's words; German read by an English model has less


@dataclass(frozen=True)
class Abstention:
    """Which answers are relied on.

    Attributes:
        probability: the least of an answer, 0 to 1.
        known: the least share of known words, 0 to 1.
    """

    probability: float
    known: float = LEAST_KNOWN


@dataclass(frozen=True)
class Answered:
    """What an abstention does to a set of texts.

    Attributes:
        share: of the texts that are answered, 0 to 1.
        accuracy: on those, 0 to 1.
    """

    share: float
    accuracy: float


def choose_abstention(scores: Scores, targets: Longs, accuracy: float | None) -> Abstention:
    """Choose the least probability at which answers are as often right as is wanted.

    Args:
        scores: float32 [dev texts, classes], from the device.
        targets: int [dev texts], true classes.
        accuracy: wanted of the answers given, 0 to 1; None halves the errors.

    Returns:
        The abstention that answers most texts.

    Raises:
        ConversionError: no least probability reaches the accuracy that was asked for.
    """
    surest = scores.max(axis=1)
    right = scores.argmax(axis=1) == targets
    wanted = 1 - (1 - right.mean()) / 2 if accuracy is None else accuracy
    order = np.argsort(-surest, kind="stable")
    answered = np.arange(1, len(order) + 1)
    reached = np.cumsum(right[order]) / answered
    ordered = surest[order]
    # A threshold takes all texts of one probability or none.
    whole = np.append(ordered[1:] < ordered[:-1], True)
    fitting = np.flatnonzero(whole & (reached >= wanted))
    if len(fitting):
        last = int(fitting[-1])
        everything = last == len(order) - 1
        return Abstention(0.0 if everything else _round_down(float(ordered[last])))
    if accuracy is None:  # too few dev texts to tell
        return Abstention(0.0)
    best = int(np.argmax(np.where(whole, reached, -1)))
    raise ConversionError(
        f"no share of dev text is answered with {accuracy:.1%} right: the surest "
        f"{answered[best]:,} of {len(order):,} texts reach {reached[best]:.1%}; ask for less"
    )


def apply_abstention(scores: Scores, targets: Longs, abstention: Abstention) -> Answered:
    """Say what an abstention by probability does to texts.

    Args:
        scores: float32 [texts, classes], from the device.
        targets: int [texts], true classes.
        abstention: the least probability.

    Returns:
        Share answered and accuracy on it.
    """
    kept = scores.max(axis=1) >= abstention.probability
    right = scores.argmax(axis=1)[kept] == targets[kept]
    return Answered(float(kept.mean()), float(right.mean()) if len(right) else 0.0)


def _round_down(probability: float) -> float:
    """Shorten a threshold to six digits without shutting out the text it was taken from."""
    return float(np.floor(probability * 1e6) / 1e6)
