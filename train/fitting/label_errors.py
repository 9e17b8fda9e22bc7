"""Finds texts whose labels are probably wrong, with confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021. A
model is on average less sure of some classes than of others. So each class has a threshold of its
own: its mean probability on the texts that are labelled with it. A text is probably mislabelled if
another class is the most probable one and above its threshold. Every text's probabilities are those
of a model that was trained without it, which has not learned its label by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.aliases import Floats, Longs


@dataclass(frozen=True)
class LabelErrors:
    """Texts whose labels are probably wrong, the most probable errors first.

    Attributes:
        rows: int64 [errors], index of each text.
        suggested: int64 [errors], the class that it probably has.
        thresholds: float32 [classes], mean probability of each class on the texts labelled with it.
    """

    rows: Longs
    suggested: Longs
    thresholds: Floats

    def __len__(self) -> int:
        return len(self.rows)


def find_label_errors(probabilities: Floats, targets: Longs) -> LabelErrors:
    """Find the texts for which another class is the most probable one and above its threshold.

    They are ranked by the normalized margin: the probability of the given label minus that of the
    suggested one.

    Args:
        probabilities: float32 [texts, classes], each text's from a model trained without it.
        targets: int [texts], the given classes; every class has a text.
    """
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    given = probabilities[np.arange(len(targets)), targets]
    thresholds = np.bincount(targets, weights=given, minlength=len(counts)) / counts
    suggested = probabilities.argmax(axis=1)
    largest = probabilities.max(axis=1)
    rows = np.flatnonzero((suggested != targets) & (largest >= thresholds[suggested]))
    rows = rows[np.argsort(given[rows] - largest[rows], kind="stable")]
    return LabelErrors(rows, suggested[rows], thresholds.astype(np.float32))
