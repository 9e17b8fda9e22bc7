"""Budgets, the candidates that are measured for them, and their ranking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import BudgetError
from ..verify.fidelity import ALPHA, mcnemar

#: Units in lower case, in bytes and in µs; the micro sign in both Unicode spellings.
SIZE_UNITS = {
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "kib": 1 << 10,
    "m": 10**6,
    "mb": 10**6,
    "mib": 1 << 20,
    "gb": 10**9,
}
TIME_UNITS = {"us": 1, "µs": 1, "μs": 1, "ms": 10**3, "s": 10**6}
MAX_VALUE = 1e15  # larger than any bundle


@dataclass(frozen=True)
class Budget:
    """The maximum cost of a bundle; None is unlimited.

    Attributes:
        max_bytes: size of all files that a device needs.
        max_microseconds: median latency from text to label.
    """

    max_bytes: int | None = None
    max_microseconds: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A measured bundle.

    Attributes:
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        words: tokens that the vocabulary file lists.
        hashed_words: words in the index of hashed words.
        dimensions: of the word vectors before folding.
        bytes: size of all files that a device needs.
        accuracy: on dev text, on the device's interpreter, 0 to 1.
        agreement: share of dev texts with the trained model's label, 0 to 1.
        difference: mean difference from the trained model's probabilities on dev text.
        microseconds: median latency over dev text, one thread, this machine.
        correct: whether each dev text is classified correctly.
    """

    recipe: str
    layout: str
    words: int
    hashed_words: int
    dimensions: int
    bytes: int
    accuracy: float
    agreement: float
    difference: float
    microseconds: float
    correct: tuple[bool, ...] = field(default=(), repr=False)

    def relative_cost(self, budget: Budget) -> float:
        """Return the cost relative to a budget; 1 or less is within."""
        costs = [0.0]
        if budget.max_bytes is not None:
            costs.append(self.bytes / budget.max_bytes)
        if budget.max_microseconds is not None:
            costs.append(self.microseconds / budget.max_microseconds)
        return max(costs)

    def describe(self) -> str:
        """Return a human-readable line."""
        return (
            f"{self.recipe} {self.layout}, {self.words:,} words × {self.dimensions}, "
            f"{self.hashed_words:,} hashed: "
            f"{self.bytes:,} bytes, "
            f"{self.accuracy:.2%} on dev, {self.microseconds:.0f} µs"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate as plain JSON types."""
        return {key: value for key, value in asdict(self).items() if key != "correct"}


def rank_candidates(candidates: Iterable[Candidate], budget: Budget) -> list[Candidate]:
    """Rank the candidates within a budget, best first.

    The most accurate on dev text comes first, but a lead that chance explains does not count: the
    candidates that the best does not beat significantly (exact McNemar test) are ordered by how
    many of the trained model's labels they keep, which few texts measure much more precisely; then
    by their distance from its probabilities, then by size.

    Raises:
        BudgetError: none is within; the message names the closest.
    """
    measured = list(candidates)
    within = [each for each in measured if each.relative_cost(budget) <= 1]
    if not within:
        closest = min(measured, key=lambda each: each.relative_cost(budget))
        raise BudgetError(
            f"no bundle is within {describe_budget(budget)}; the closest is {closest.describe()}. "
            "Allow more, set --listed-words or --dimensions below what the search tries, or train "
            "with fewer filters"
        )
    top = max(within, key=lambda each: each.accuracy)

    def order(each: Candidate) -> tuple[float, ...]:
        beaten = _beats(top, each)
        first = each.accuracy if beaten else each.agreement
        return (beaten, -first, each.difference, each.bytes)

    return sorted(within, key=order)


def pareto_frontier(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are more accurate than all smaller ones, smallest first."""
    frontier: list[Candidate] = []
    for each in sorted(candidates, key=lambda each: (each.bytes, -each.accuracy)):
        if not frontier or each.accuracy > frontier[-1].accuracy:
            frontier.append(each)
    return frontier


def describe_budget(budget: Budget) -> str:
    """Describe a budget: `"300,000 bytes and 50 µs"`."""
    size, time = budget.max_bytes, budget.max_microseconds
    parts = [f"{size:,} bytes"] if size is not None else []
    parts += [f"{time:g} µs"] if time is not None else []
    return " and ".join(parts) or "no limits"


def parse_size(text: str) -> int:
    """Parse a size in bytes: `"300kB"` -> 300000, `"1.5 MiB"` -> 1572864.

    Raises:
        ValueError: it is not a size with a unit.
    """
    return int(_parse(text, SIZE_UNITS, "300kB, 2MB or 500KiB"))


def parse_time(text: str) -> float:
    """Parse a time in µs: `"50us"` -> 50.0, `"1.5ms"` -> 1500.0.

    Raises:
        ValueError: it is not a time with a unit.
    """
    return _parse(text, TIME_UNITS, "50us, 1.5ms or 1s")


def _parse(text: str, units: dict[str, int], examples: str) -> float:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zµμ]+)\s*", text.lower())
    value = float(match[1]) * units.get(match[2], 0) if match else 0.0
    if not 1 <= value < MAX_VALUE:
        raise ValueError(f"{text!r:.40}: expected something like {examples}")
    return value


def _beats(first: Candidate, second: Candidate) -> bool:
    """Return whether a candidate is significantly more accurate than another."""
    lost = sum(one and not other for one, other in zip(first.correct, second.correct))
    won = sum(other and not one for one, other in zip(first.correct, second.correct))
    return mcnemar(lost, won, "greater") < ALPHA
