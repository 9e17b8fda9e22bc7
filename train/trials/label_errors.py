"""Finds texts whose labels are probably wrong, with confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021. A
model is on average less sure of some classes than of others. So each class has a threshold of its
own: its mean probability on the texts that are labelled with it. A text is probably mislabelled if
another class is the most probable one and above its threshold. Every text's probabilities are those
of a model that was trained without it, which has not learned its label by heart.

Each label of multi-label text is given or not, which are two classes; a text is probably
mislabelled if one of its labels is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glovelite.runtime.aliases import Bools, Classes, Floats, Longs


@dataclass(frozen=True)
class LabelErrors:
    """Texts whose labels are probably wrong, the most probable errors first.

    Attributes:
        rows: int64 [errors], index of each text.
        suggested: int64 [errors], the class that it probably has, or bool [errors, labels].
        given_probability: float32 [errors], of the given class; of multi-label text, the product of
            the probabilities that each label is as given.
        suggested_probability: the same of the suggested class or labels.
        thresholds: float32 [classes], mean probability of each class on the texts labelled with it.
    """

    rows: Longs
    suggested: Classes
    given_probability: Floats
    suggested_probability: Floats
    thresholds: Floats

    def __len__(self) -> int:
        return len(self.rows)


def find_label_errors(probabilities: Floats, targets: Classes) -> LabelErrors:
    """Find the texts for which another class is the most probable one and above its threshold.

    They are ranked by the normalized margin: the probability of the given label minus that of the
    suggested one.

    Args:
        probabilities: float32 [texts, classes], each text's from a model trained without it.
        targets: int [texts], the given classes, or bool [texts, labels]; every class has a text.
    """
    if targets.ndim == 2:
        return _find_wrong_sets(probabilities, targets.astype(np.bool_))
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    given = probabilities[np.arange(len(targets)), targets]
    thresholds = np.bincount(targets, weights=given, minlength=len(counts)) / counts
    suggested = probabilities.argmax(axis=1)
    largest = probabilities.max(axis=1)
    rows = np.flatnonzero((suggested != targets) & (largest >= thresholds[suggested]))
    rows = rows[np.argsort(given[rows] - largest[rows], kind="stable")]
    return LabelErrors(
        rows, suggested[rows], given[rows], largest[rows], thresholds.astype(np.float32)
    )


def _find_wrong_sets(probabilities: Floats, targets: Bools) -> LabelErrors:
    """Find the texts that have a label too many or too few; ranked like single labels."""
    as_given = np.where(targets, probabilities, 1 - probabilities)
    counts = targets.sum(axis=0), (~targets).sum(axis=0)
    with_label = (as_given * targets).sum(axis=0) / np.maximum(counts[0], 1)
    without = (as_given * ~targets).sum(axis=0) / np.maximum(counts[1], 1)
    otherwise = 1 - as_given
    wrong = (otherwise > as_given) & (otherwise >= np.where(targets, without, with_label))
    rows = np.flatnonzero(wrong.any(axis=1))
    given = as_given[rows].prod(axis=1)
    suggested = np.where(wrong, otherwise, as_given)[rows].prod(axis=1)
    order = np.argsort(given - suggested, kind="stable")
    rows = rows[order]
    return LabelErrors(
        rows,
        targets[rows] ^ wrong[rows],
        given[order].astype(np.float32),
        suggested[order].astype(np.float32),
        with_label.astype(np.float32),
    )
