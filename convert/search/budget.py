"""What a bundle may cost, what candidates for it do cost, and which of them is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import BudgetError
from ..verify.fidelity import CHANCE, mcnemar

#: Units, in lower case, in bytes and in µs; the micro sign in both of Unicode's ways.
SIZES = {
    **{"b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "gb": 10**9},
    **{"kib": 1 << 10, "mib": 1 << 20},
}
MOST = 1e15  # more than any bundle
TIMES = {"us": 1, "µs": 1, "μs": 1, "ms": 10**3, "s": 10**6}


@dataclass(frozen=True)
class Budget:
    """What a bundle may cost at the most; None sets no bound.

    Attributes:
        max_bytes: of all files a device needs.
        max_microseconds: median time from text to label.
    """

    max_bytes: int | None = None
    max_microseconds: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A bundle that could be written, measured.

    Attributes:
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        words: size of its vocabulary.
        dimensions: of its word vectors before any folding.
        bytes: of all files a device needs.
        accuracy: on dev text, on the device's interpreter, 0 to 1.
        agreement: share of dev texts given the trained model's label, 0 to 1.
        difference: from the trained model's probabilities, the mean over dev text.
        microseconds: from text to label, median over dev text, one thread, this machine.
        right: whether it has each dev text right.
    """

    recipe: str
    layout: str
    words: int
    dimensions: int
    bytes: int
    accuracy: float
    agreement: float
    difference: float
    microseconds: float
    right: tuple[bool, ...] = field(default=(), repr=False)

    def excess(self, budget: Budget) -> float:
        """Say how many times a budget it costs; 1 or less is within."""
        costs = [0.0]
        if budget.max_bytes is not None:
            costs.append(self.bytes / budget.max_bytes)
        if budget.max_microseconds is not None:
            costs.append(self.microseconds / budget.max_microseconds)
        return max(costs)

    def describe(self) -> str:
        """Say it in a line."""
        return (
            f"{self.recipe} {self.layout}, {self.words:,} words × {self.dimensions}: "
            f"{self.bytes:,} bytes, "
            f"{self.accuracy:.2%} on dev, {self.microseconds:.0f} µs"
        )

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON types."""
        return {key: value for key, value in asdict(self).items() if key != "right"}


def rank_candidates(candidates: Iterable[Candidate], budget: Budget) -> list[Candidate]:
    """Rank the candidates that are within a budget.

    The most accurate on dev text comes first, but a lead that chance explains is no lead: among all
    that the best does not beat beyond chance (exact McNemar test), the order is by how many of the
    trained model's labels they keep, which so few texts tell far more surely.

    Args:
        candidates: what was measured.
        budget: the bounds.

    Returns:
        The best first; of equals the one nearer to the trained model's probabilities, then the
        smaller.

    Raises:
        BudgetError: none is within; the message names the closest.
    """
    measured = list(candidates)
    within = [each for each in measured if each.excess(budget) <= 1]
    if not within:
        closest = min(measured, key=lambda each: each.excess(budget))
        raise BudgetError(
            f"no bundle is within {describe_budget(budget)}; the closest is {closest.describe()}. "
            "Allow more, settle on less than a search tries (--max-words, --dimensions), or train "
            "with fewer filters"
        )
    top = max(within, key=lambda each: each.accuracy)

    def order(each: Candidate) -> tuple[float, ...]:
        beaten = _beats(top, each)
        first = each.accuracy if beaten else each.agreement
        return (beaten, -first, each.difference, each.bytes)

    return sorted(within, key=order)


def _beats(first: Candidate, second: Candidate) -> bool:
    """Tell whether a candidate is more accurate than another beyond chance."""
    lost = sum(one and not other for one, other in zip(first.right, second.right))
    won = sum(other and not one for one, other in zip(first.right, second.right))
    return mcnemar(lost, won, "greater") < CHANCE


def frontier(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Give the candidates that no smaller or equal one is as accurate as, smallest first."""
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda each: (each.bytes, -each.accuracy)):
        if not kept or each.accuracy > kept[-1].accuracy:
            kept.append(each)
    return kept


def describe_budget(budget: Budget) -> str:
    """Say what a budget allows: `"300,000 bytes and 50 µs"`."""
    size, time = budget.max_bytes, budget.max_microseconds
    parts = [f"{size:,} bytes"] if size is not None else []
    parts += [f"{time:g} µs"] if time is not None else []
    return " and ".join(parts) or "no bounds"


def parse_size(text: str) -> int:
    """Read a size: `"300kB"` → 300000, `"1.5 MiB"` → 1572864; ValueError says what is read."""
    return int(_parse(text, SIZES, "300kB, 2MB or 500KiB"))


def parse_time(text: str) -> float:
    """Read a time in µs: `"50us"` → 50.0, `"1.5ms"` → 1500.0; ValueError says what is read."""
    return _parse(text, TIMES, "50us, 1.5ms or 1s")


def _parse(text: str, units: dict[str, int], examples: str) -> float:
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zµμ]+)\s*", text.lower())
    value = float(found[1]) * units.get(found[2], 0) if found else 0.0
    if not 1 <= value < MOST:
        raise ValueError(f"{text!r:.40}: expected something like {examples}")
    return value
