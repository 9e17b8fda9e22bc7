"""Soft labels: a distribution over the classes, and a weight, for each text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Classes, Floats, Longs


@dataclass(frozen=True)
class SoftTargets:
    """What a text is trained towards instead of one class.

    Attributes:
        probabilities: float32 [texts, classes]; rows sum to 1, of multi-label text each
            probability is a label's own.
        weights: float32 [texts], of each text in the loss; 1 for text with given labels.
    """

    probabilities: Floats
    weights: Floats

    def select(self, rows: npt.ArrayLike) -> SoftTargets:
        """Return those of these rows, in this order."""
        chosen = np.asarray(rows, np.int64)
        return SoftTargets(self.probabilities[chosen], self.weights[chosen])

    def renumber(self, numbers: Longs, classes: int) -> SoftTargets:
        """Return them with other numbers of the classes.

        Args:
            numbers: int64 [classes], the new number of each.
            classes: number of classes, some of which may be new.
        """
        probabilities = np.zeros((len(self.probabilities), classes), np.float32)
        probabilities[:, numbers] = self.probabilities
        return SoftTargets(probabilities, self.weights)

    @property
    def certain_share(self) -> float:
        """Share of the weight of texts that have a certain label, 0 to 1."""
        certain = np.isin(self.probabilities, (0, 1)).all(axis=1)
        return float(self.weights[certain].sum() / self.weights.sum())

    def tobytes(self) -> bytes:
        """Return all values, for fingerprints."""
        return self.probabilities.tobytes() + self.weights.tobytes()


def make_soft(targets: Classes, classes: int) -> SoftTargets:
    """Return given classes as certain distributions.

    Args:
        targets: int [texts], or bool [texts, classes].
        classes: number of classes.
    """
    return SoftTargets(to_distributions(targets, classes), np.ones(len(targets), np.float32))


def to_distributions(targets: Classes, classes: int) -> Floats:
    """Return classes as probabilities of 0 and 1, float32 [texts, classes]."""
    if targets.ndim == 2:
        return targets.astype(np.float32)
    rows = np.zeros((len(targets), classes), np.float32)
    rows[np.arange(len(targets)), targets] = 1
    return rows


def choose_classes(probabilities: Floats, multi_label: bool) -> Classes:
    """Return the most probable class of each text, int64 [texts], or its labels, bool."""
    if multi_label:
        labels: Classes = probabilities >= 0.5
        return labels
    classes: Longs = probabilities.argmax(axis=1)
    return classes


def join_soft(first: SoftTargets, second: SoftTargets) -> SoftTargets:
    """Return those of one corpus, then those of another."""
    return SoftTargets(
        np.concatenate([first.probabilities, second.probabilities]),
        np.concatenate([first.weights, second.weights]),
    )


def soften(probabilities: Floats, temperature: float, multi_label: bool) -> Floats:
    """Return a teacher's probabilities at a temperature: above 1 is less certain.

    Args:
        probabilities: float32 [texts, classes].
        temperature: divides the logits.
        multi_label: whether each probability is a label's own.

    Example:
        >>> soften(np.array([[0.9, 0.1]], np.float32), 2.0, multi_label=False).round(2).tolist()
        [[0.75, 0.25]]
    """
    powers = probabilities.astype(np.float64) ** (1 / temperature)
    others = powers.sum(axis=1, keepdims=True)
    if multi_label:
        others = powers + (1 - probabilities.astype(np.float64)) ** (1 / temperature)
    softened: Floats = (powers / others).astype(np.float32)
    return softened
