"""The gate: a bundle that lost more than chance explains is not written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from ..errors import GateError
from ..tflite.recipes import Recipe

Scores = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
CHANCE = 0.05  # what happens oftener than this by chance is put down to it


def mcnemar(lost: int, won: int, alternative: str = "two-sided") -> float:
    """Give the probability of such a pair of changes by chance (exact McNemar test, 1947).

    Args:
        lost: texts that only the first of two models has right.
        won: texts that only the second has right.
        alternative: `"two-sided"`, or `"greater"` for a loss.

    Returns:
        0 to 1.
    """
    changed = lost + won
    return float(binomtest(lost, changed, alternative=alternative).pvalue) if changed else 1.0


@dataclass(frozen=True)
class Fidelity:
    """How one set of scores compares with another on the same texts.

    Attributes:
        texts: how many.
        keras: accuracy of the float model, 0 to 1.
        device: accuracy of the bundle on the device's interpreter, 0 to 1.
        agreement: share of texts given the same label by both, 0 to 1.
        largest_difference: of any probability.
        lost: texts the float model has right and the device wrong.
        won: texts the device has right and the float model wrong.
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
        """Accuracy lost, 0 to 1; below 0 where it was won."""
        return self.keras - self.device

    @property
    def chance_of_drop(self) -> float:
        """Probability of losing so many of the changed texts by chance."""
        return mcnemar(self.lost, self.won, "greater")


def compare(targets: Longs, keras: Scores, device: Scores) -> Fidelity:
    """Compare the device's scores with Keras's.

    Args:
        targets: int64 [texts], true classes.
        keras: float32 [texts, classes].
        device: float32 [texts, classes].

    Returns:
        The comparison.
    """
    by_keras, by_device = keras.argmax(axis=1), device.argmax(axis=1)
    keras_right, device_right = by_keras == targets, by_device == targets
    return Fidelity(
        texts=len(targets),
        keras=float(np.mean(keras_right)),
        device=float(np.mean(device_right)),
        agreement=float(np.mean(by_keras == by_device)),
        largest_difference=float(np.abs(keras - device).max()),
        lost=int(np.sum(keras_right & ~device_right)),
        won=int(np.sum(device_right & ~keras_right)),
    )


def check_fidelity(
    dev: Fidelity, in_kept_words: Fidelity, recipe: Recipe, max_accuracy_drop: float
) -> None:
    """Refuse a bundle that is too far from its float model on dev text.

    Args:
        dev: the comparison on dev text.
        in_kept_words: the same, the float model reading only the words that the bundle keeps:
            what quantization did, without what pruning did.
        recipe: its bounds are used.
        max_accuracy_drop: accuracy that may be lost in all, 0 to 1.

    Raises:
        GateError: a bound is passed by more than chance; the message says by how much and what
            to try.
    """
    reasons = []
    if dev.drop > max_accuracy_drop and dev.chance_of_drop < CHANCE:
        reasons.append(
            f"accuracy on dev falls from {dev.keras:.2%} to {dev.device:.2%}, "
            f"{100 * dev.drop:.2f} points where {100 * max_accuracy_drop:g} are allowed "
            f"(by chance: {dev.chance_of_drop:.1%})"
        )
    kept = in_kept_words
    same = round(kept.agreement * kept.texts)
    if binomtest(same, kept.texts, recipe.agreement, alternative="less").pvalue < CHANCE:
        reasons.append(
            f"{kept.agreement:.2%} of dev texts keep their label where {recipe.name} should keep "
            f"{recipe.agreement:.1%}"
        )
    if not kept.largest_difference <= recipe.largest_difference:
        reasons.append(
            f"a probability moves by {kept.largest_difference:.3f} where {recipe.name} should move "
            f"none by more than {recipe.largest_difference:g}"
        )
    if reasons:
        finer = "float32" if recipe.name.startswith("float") else "float16"
        fewer = "" if dev == in_kept_words else "keep more words and dimensions, "
        raise GateError(
            f"no bundle written: {'; '.join(reasons)}. Try this: {fewer}--quantize {finer}, or "
            "train on more text; --no-gate writes it all the same"
        )
