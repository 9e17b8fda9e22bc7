"""Compares a bundle with its float model; one that lost more than chance explains is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from runtime.aliases import Floats, Longs

from ..errors import FidelityError
from ..tflite.recipes import Recipe

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
        keras: accuracy of the float model, 0 to 1.
        device: accuracy of the bundle on the device's interpreter, 0 to 1.
        agreement: share of texts with the same label, 0 to 1.
        largest_difference: of any probability.
        lost: texts that only the float model classifies correctly.
        won: texts that only the device classifies correctly.
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


def compare_scores(targets: Longs, keras: Floats, device: Floats) -> Fidelity:
    """Compare the device's scores with Keras's.

    Args:
        targets: int64 [texts], true classes.
        keras: float32 [texts, classes].
        device: float32 [texts, classes].
    """
    keras_labels, device_labels = keras.argmax(axis=1), device.argmax(axis=1)
    keras_correct, device_correct = keras_labels == targets, device_labels == targets
    return Fidelity(
        texts=len(targets),
        keras=float(np.mean(keras_correct)),
        device=float(np.mean(device_correct)),
        agreement=float(np.mean(keras_labels == device_labels)),
        largest_difference=float(np.abs(keras - device).max()),
        lost=int(np.sum(keras_correct & ~device_correct)),
        won=int(np.sum(device_correct & ~keras_correct)),
    )


def check_fidelity(
    dev: Fidelity, dev_kept: Fidelity, recipe: Recipe, max_accuracy_drop: float
) -> None:
    """Refuse a bundle that is too far from its float model on dev text.

    Args:
        dev: the comparison on dev text.
        dev_kept: the same with a float model of only the words and dimensions that were kept: the
            effect of quantization without that of pruning.
        recipe: its limits are used.
        max_accuracy_drop: accuracy that may be lost in all, 0 to 1.

    Raises:
        FidelityError: a limit is exceeded by more than chance; the message says by how much and
            what to try.
    """
    reasons = []
    if dev.drop > max_accuracy_drop and dev.p_value_of_drop < ALPHA:
        reasons.append(
            f"accuracy on dev falls from {dev.keras:.2%} to {dev.device:.2%}, "
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
        finer = "float32" if recipe.name.startswith("float") else "float16"
        raise FidelityError(
            f"no bundle written: {'; '.join(reasons)}. Try this: more --listed-words or "
            f"--dimensions, --quantize {finer}, or train on more text; --no-gate writes the bundle "
            "anyway"
        )
