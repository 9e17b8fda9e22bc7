"""The named recipes: how a model's numbers are stored on the device, and what each may lose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One way to store a model's numbers.

    Attributes:
        name: value of `--quantize`.
        purpose: for `--help`.
        agreement: minimum share of dev texts that keep the float model's label; a lower share
            passes if chance explains it.
        largest_difference: maximum difference of any probability from the float model's.
        calibrated: whether it needs the calibration texts.
        row_bits: 8 or 4 stores the table's rows in that many bits and the rest in 16; None leaves
            all numbers to TensorFlow's converter.
        dimensions: dimensions of the word vectors in the `conv` layout; None keeps all.
    """

    name: str
    purpose: str
    agreement: float
    largest_difference: float
    calibrated: bool = False
    row_bits: int | None = None
    dimensions: int | None = None


#: Of the recipes below float16. Chosen on the dev text of six sets: with 32, a probability changes
#: by 16 % more and SST-2 loses half a point more; with 64, by 6 % less.
REDUCED_DIMENSIONS = 48

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("float32", "the reference", 0.999, 1e-4),
        Recipe("float16", "half the file, arithmetic of float32", 0.998, 0.01),
        Recipe(
            "dynamic",
            "table rows of 8 bits, for a Pi, a phone, a browser",
            0.98,
            0.15,
            row_bits=8,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            "int4",
            "table rows of 4 bits, the smallest",
            0.95,
            0.4,
            row_bits=4,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            "int8",
            "integers only, for microcontrollers",
            0.95,
            0.35,
            calibrated=True,
            dimensions=REDUCED_DIMENSIONS,
        ),
    )
}
DEFAULT_RECIPE = "dynamic"
