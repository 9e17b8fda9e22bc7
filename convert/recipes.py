"""The named recipes: how a model's numbers are kept on the device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One way to keep a model's numbers.

    Attributes:
        name: what the user asks for.
        weight_bits: bits of a weight.
        purpose: what it is for, in a few words.
    """

    name: str
    weight_bits: int
    purpose: str


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("float32", 32, "the reference"),
        Recipe("dynamic", 8, "a Pi, a phone, a browser"),
    )
}
DEFAULT = "dynamic"
