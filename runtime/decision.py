"""Decides which labels a text gets, and whether a prediction can be relied on.

The `abstention` of a bundle's manifest says when it cannot:

    {"probability": 0.81, "known": 0.333333, "familiarity": {"typical": 9.2, "penalty": 0.35},
     "labels": {"urgent": 0.97}, "accuracy": 0.95, "wanted": 0.962}

A prediction's confidence is its probability, lowered where the words of the text are less familiar
than those of typical dev text: each level of familiarity below `typical` costs `penalty` logits.
The classifier abstains where the confidence is below `probability`, or below the label's own
threshold in `labels`, and where the share of known tokens is below `known`. `accuracy` is what
export could show of the other predictions, which may be less than the `wanted` accuracy.

The `thresholds` say which labels a multi-label bundle gives to a text:

    {"joy": 0.35, "anger": 0.62}

A text gets every label whose probability reaches the label's threshold. Labels that are not listed
have `DEFAULT_THRESHOLD`. A threshold of `NEVER_GIVEN` says that no text gets the label: no lower
one was precise enough on dev text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .text.vocabulary import MAX_LEVEL

MAX_PENALTY = 40.0  # logits; keeps the exponential finite for any difference of levels
ABSTAIN_FROM_ALL = 1.0  # as a threshold: not even a probability of 1 reaches it
DEFAULT_THRESHOLD = 0.5
NEVER_GIVEN = 1.0


@dataclass(frozen=True)
class FamiliarityPenalty:
    """How unfamiliar words lower the confidence.

    Attributes:
        typical: the familiarity of typical text, 0 to 15.
        penalty: logits for each level below it.
    """

    typical: float
    penalty: float

    def lower(self, probability: float, familiarity: float) -> float:
        """Return the confidence of a prediction: its probability, or less.

        Example:
            >>> FamiliarityPenalty(typical=9.0, penalty=0.5).lower(0.9, familiarity=5.0)
            0.549...
        """
        if familiarity >= self.typical:
            return probability
        # Dividing the odds by the exponential subtracts from the logit.
        factor = math.exp(self.penalty * (self.typical - familiarity))
        return probability / (probability + (1 - probability) * factor)


@dataclass(frozen=True)
class AbstentionRule:
    """When the classifier abstains.

    Attributes:
        probability: minimum confidence, 0 to 1; `ABSTAIN_FROM_ALL` relies on no prediction.
        known: minimum share of known tokens, 0 to 1.
        familiarity: how unfamiliar words lower the confidence; None if they do not.
        labels: minimum confidence of predictions of these labels, instead of `probability`.
        accuracy: shown by export of the predictions that are relied on, 0 to 1; None if it is not
            known.
        wanted: the accuracy that export was asked for, 0 to 1; None if it is not known.
    """

    probability: float = 0.0
    known: float = 0.0
    familiarity: FamiliarityPenalty | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    accuracy: float | None = None
    wanted: float | None = None

    @property
    def relies_on_none(self) -> bool:
        """Whether every prediction is abstained from."""
        return min(self.labels.values(), default=self.probability) >= ABSTAIN_FROM_ALL

    def confidence(self, probability: float, familiarity: float) -> float:
        """Return a prediction's confidence: its probability, lowered for unfamiliar words."""
        if self.familiarity is None:
            return probability
        return self.familiarity.lower(probability, familiarity)

    def abstains(self, label: str, confidence: float) -> bool:
        """Return whether the confidence in a label is too low."""
        threshold = self.labels.get(label, self.probability)
        return confidence < threshold or threshold >= ABSTAIN_FROM_ALL


def parse_abstention(content: object) -> AbstentionRule:
    """Parse the manifest's `abstention`; missing fields never abstain.

    Raises:
        ValueError: it is malformed; the message names the field and what was expected.
    """
    fields = _object(content, "'abstention'")
    penalty = None
    if "familiarity" in fields:
        familiarity = _object(fields["familiarity"], "'abstention.familiarity'")
        penalty = FamiliarityPenalty(
            _number(familiarity, "typical", MAX_LEVEL), _number(familiarity, "penalty", MAX_PENALTY)
        )
    labels = _object(fields.get("labels", {}), "'abstention.labels'")
    return AbstentionRule(
        probability=_number(fields, "probability", 1),
        known=_number(fields, "known", 1),
        familiarity=penalty,
        labels={label: _number(labels, label, 1) for label in labels},
        accuracy=_optional_share(fields, "accuracy"),
        wanted=_optional_share(fields, "wanted"),
    )


def _optional_share(fields: dict[str, Any], name: str) -> float | None:
    return None if fields.get(name) is None else _number(fields, name, 1)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} should be an object")
    return value


def _number(fields: dict[str, Any], name: str, maximum: float) -> float:
    value = fields.get(name, 0.0)
    if type(value) not in (int, float) or not 0 <= value <= maximum:  # True is an int
        raise ValueError(f"{name!r} of 'abstention' should be a number from 0 to {maximum:g}")
    return float(value)


def decide_labels(
    probabilities: Sequence[float], thresholds: Sequence[float]
) -> tuple[list[int], float]:
    """Return the indices of a text's labels, most probable first, and how sure they are.

    That is the probability that exactly these labels are right, if labels were independent.

    Example:
        >>> decide_labels([0.5, 0.1, 0.8], [0.5, 0.5, 0.5])
        ([2, 0], 0.36...)
    """
    given, all_right = [], 1.0
    for index, probability in enumerate(probabilities):
        if thresholds[index] <= probability and thresholds[index] < NEVER_GIVEN:
            given.append(index)
            all_right *= probability
        else:
            all_right *= 1 - probability
    given.sort(key=probabilities.__getitem__, reverse=True)
    return given, all_right


def parse_thresholds(content: object, labels: Sequence[str]) -> tuple[float, ...]:
    """Parse the manifest's `thresholds`.

    Returns:
        The threshold of each label, in the order of `labels`.

    Raises:
        ValueError: it is malformed; the message says what was expected.
    """
    if not isinstance(content, dict):
        raise ValueError("'thresholds' should be an object")
    for label in content.keys() - set(labels):
        raise ValueError(f"'thresholds' names {label[:40]!r}, which is not a label")
    for label, value in content.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:  # True is an int
            raise ValueError(f"{label!r} of 'thresholds' should be a number from 0 to 1")
    return tuple(float(content.get(label, DEFAULT_THRESHOLD)) for label in labels)
