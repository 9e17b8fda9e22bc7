"""The answer for one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: the most probable class.
        probability: its probability, 0 to 1.
        probabilities: every class and its probability, in the model's order.
        truncated: whether the text was longer than the model looks at.
        known: share of the words looked at that the model knows, 0 to 1.
        unfamiliar: whether that is less than the manifest's `abstention` asks for, so that the
            answer says little of the text.
        abstained: whether not to rely on the answer: the text is unfamiliar, or the answer less
            probable than `abstention` asks for.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    truncated: bool
    known: float
    unfamiliar: bool
    abstained: bool

    def top(self, count: int) -> list[tuple[str, float]]:
        """Give the most probable classes, best first.

        Args:
            count: how many, or all where there are fewer.

        Returns:
            Labels and probabilities.
        """
        ordered = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return ordered[:count]

    def as_dict(self) -> dict[str, Any]:
        """Give the prediction as plain JSON types."""
        return {
            "label": self.label,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "truncated": self.truncated,
            "known": self.known,
            "unfamiliar": self.unfamiliar,
            "abstained": self.abstained,
        }
