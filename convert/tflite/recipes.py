"""The named recipes: how a model's numbers are stored on the device, and what each may lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
        row_bits: layout -> bits of the table's rows, each with its own scale; in other layouts
            TensorFlow's converter quantizes the table.
    """

    name: str
    purpose: str
    agreement: float
    largest_difference: float
    calibrated: bool = False
    row_bits: Mapping[str, int] = field(default_factory=dict)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("float32", "the reference", 0.999, 1e-4),
        Recipe("float16", "half the file, arithmetic of float32", 0.998, 0.01),
        Recipe(
            "dynamic", "8 bits, for a Pi, a phone, a browser", 0.98, 0.15, row_bits={"folded": 8}
        ),
        Recipe(
            "int4",
            "table rows of 4 bits, the smallest",
            0.95,
            0.4,
            row_bits={"conv": 4, "folded": 4},
        ),
        Recipe("int8", "integers only, for microcontrollers", 0.95, 0.35, calibrated=True),
    )
}
DEFAULT_RECIPE = "dynamic"
