"""Compares a bundle with its float model; one that lost more than chance explains is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from glovelite.evaluation.scores import Thresholds, decide, f1_score
from glovelite.runtime.aliases import Classes, Floats, Longs
from glovelite.runtime.errors import FidelityError

from ..options import Recipe

ALPHA = 0.05  # significance level


def mcnemar(lost: int, won: int, alternative: str = "two-sided") -> float:
    """Return the p-value of the exact McNemar test (1947), 0 to 1.

    Args:
        lost: texts that only the first of two models classifies correctly.
        won: texts that only the second classifies correctly.
        alternative: `"two-sided"`, or `"greater"` for a loss.
    """
    changed = lost + won
    return float(binomtest(lost, changed, alternative=alternative).pvalue) if changed else 1.0


@dataclass(frozen=True)
class Fidelity:
    """How the device's scores compare with the float model's on the same texts.

    Attributes:
        texts: number of texts.
        keras: accuracy of the float model, or micro F1 on multi-label text, 0 to 1.
        device: the same of the bundle on the device's interpreter.
        agreement: share of texts with the same label, 0 to 1; of multi-label text, share of the
            labels that either model gives that both give.
        largest_difference: largest difference of a probability.
        lost: texts that only the float model classifies correctly; of multi-label text, those on
            which it is right about more labels.
        won: the same for the device.
    """

    texts: int
    keras: float
    device: float
    agreement: float
    largest_difference: float
    lost: int
    won: int

    @property
    def drop(self) -> float:
        """Accuracy lost, 0 to 1; negative if it was gained."""
        return self.keras - self.device

    @property
    def p_value_of_drop(self) -> float:
        """Probability of losing at least this many of the changed texts by chance."""
        return mcnemar(self.lost, self.won, "greater")


def compare_scores(
    targets: Classes, keras: Floats, device: Floats, thresholds: Thresholds | None = None
) -> Fidelity:
    """Compare the device's scores with Keras's, float32 [texts, classes]."""
    first, second = decide(keras, thresholds), decide(device, thresholds)
    lost, won = count_changes(targets, first, second)
    return Fidelity(
        texts=len(targets),
        keras=measure_score(targets, first),
        device=measure_score(targets, second),
        agreement=measure_agreement(first, second),
        largest_difference=float(np.abs(keras - device).max()),
        lost=lost,
        won=won,
    )


def measure_score(targets: Classes, predicted: Classes) -> float:
    """Return the accuracy, or micro F1 on multi-label text, 0 to 1."""
    if targets.ndim == 1:
        return float(np.mean(targets == predicted))
    return float(f1_score(np.sum(targets & predicted), targets.sum(), predicted.sum()))


def measure_agreement(first: Classes, second: Classes) -> float:
    """Return the share of texts with the same class, or of labels given by either of two models."""
    if first.ndim == 1:
        return float(np.mean(first == second))
    either = int(np.sum(first | second))
    return int(np.sum(first & second)) / either if either else 1.0


def count_right(targets: Classes, predicted: Classes) -> Longs:
    """Return how many decisions about each text are right, int64 [texts]: 1 at most for a class."""
    right: Longs = (targets == predicted).reshape(len(targets), -1).sum(axis=1)
    return right


def count_changes(targets: Classes, first: Classes, second: Classes) -> tuple[int, int]:
    """Return on how many texts the first, and the second, of two models is right about more."""
    right, other_right = count_right(targets, first), count_right(targets, second)
    return int(np.sum(right > other_right)), int(np.sum(right < other_right))


def check_fidelity(
    dev: Fidelity,
    dev_kept: Fidelity,
    recipe: Recipe,
    max_accuracy_drop: float,
    metric: str = "accuracy",
) -> None:
    """Refuse a bundle that is too far from its float model on dev text.

    Args:
        dev: the comparison on dev text.
        dev_kept: the same with a float model of only the words and dimensions that were kept: the
            effect of quantization without that of pruning.
        recipe: the recipe, which has limits.
        max_accuracy_drop: accuracy that may be lost in all, 0 to 1.
        metric: name of the accuracy in messages.

    Raises:
        FidelityError: a limit is exceeded by more than chance; the message says by how much and
            what to try.
    """
    reasons = []
    if dev.drop > max_accuracy_drop and dev.p_value_of_drop < ALPHA:
        reasons.append(
            f"{metric} on dev falls from {dev.keras:.2%} to {dev.device:.2%}, "
            f"{100 * dev.drop:.2f} points where {100 * max_accuracy_drop:g} are allowed "
            f"(p = {dev.p_value_of_drop:.1%})"
        )
    same_label = round(dev_kept.agreement * dev_kept.texts)
    p_value = binomtest(same_label, dev_kept.texts, recipe.agreement, alternative="less").pvalue
    if p_value < ALPHA:
        reasons.append(
            f"{dev_kept.agreement:.2%} of dev texts keep their label where {recipe.name} should "
            f"keep {recipe.agreement:.1%}"
        )
    if not dev_kept.largest_difference <= recipe.largest_difference:  # also true for NaN
        reasons.append(
            f"a probability changes by {dev_kept.largest_difference:.3f} where {recipe.name} "
            f"allows {recipe.largest_difference:g}"
        )
    if reasons:
        raise FidelityError(
            f"no bundle written: {'; '.join(reasons)}. Try this: more --listed-words or "
            f"--dimensions, --quantize {recipe.next_finer}, or train on more text; --no-gate "
            "writes the bundle anyway"
        )
