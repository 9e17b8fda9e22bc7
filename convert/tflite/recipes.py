"""The named recipes: how a model's numbers are kept on the device, and what each may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """One way to keep a model's numbers.

    Attributes:
        name: what the user asks for.
        purpose: what it is for, in a few words.
        agreement: share of dev texts that keep the float model's label, at the least; a lower
            share that chance explains passes.
        largest_difference: of any probability from the float model's, at the most.
        calibrated: whether it needs the calibration set.
        row_bits: layout → bits of the table's rows, each row under its own scale; in other
            layouts TensorFlow's converter quantizes.
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
DEFAULT = "dynamic"
