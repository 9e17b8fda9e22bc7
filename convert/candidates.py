"""Budgets of a bundle, and the candidates that are measured for them with their ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any

from glovelite.data.short_repr import ShortRepr
from glovelite.runtime.errors import BudgetError

from .verify.fidelity import ALPHA, mcnemar

#: What to do if nothing is within a budget.
ADVICE = (
    "Allow more, set --listed-words or --dimensions below what the search tries, or train with "
    "fewer filters"
)


@dataclass(frozen=True, repr=False)
class Budget(ShortRepr):
    """The maximum cost of a bundle; None is unlimited.

    Attributes:
        max_bytes: size of all files that a device needs.
        max_microseconds: median latency from text to label.
    """

    max_bytes: int | None = None
    max_microseconds: float | None = None


def describe_budget(budget: Budget) -> str:
    """Describe a budget: `"300,000 bytes and 50 µs"`."""
    size, time = budget.max_bytes, budget.max_microseconds
    parts = [f"{size:,} bytes"] if size is not None else []
    parts += [f"{time:g} µs"] if time is not None else []
    return " and ".join(parts) or "no limits"


@dataclass(frozen=True)
class Candidate:
    """A measured bundle.

    Attributes:
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        words: listed tokens.
        hashed_words: words in the index of hashed words.
        dimensions: length of a word vector before folding.
        bytes: size of all files that a device needs.
        accuracy: on dev text, on the device's interpreter, 0 to 1; micro F1 on multi-label text.
        agreement: share of dev texts with the trained model's label, 0 to 1; see `Fidelity`.
        difference: mean difference from the trained model's probabilities on dev text.
        microseconds: median latency over dev text, one thread, this machine.
        right: number of right decisions about each dev text: 0 or 1 if it has one label.
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
    right: tuple[int, ...] = field(default=(), repr=False)

    def relative_cost(self, budget: Budget) -> float:
        """Return the cost relative to a budget; 1 or less is within."""
        costs = [0.0]
        if budget.max_bytes is not None:
            costs.append(self.bytes / budget.max_bytes)
        if budget.max_microseconds is not None:
            costs.append(self.microseconds / budget.max_microseconds)
        return max(costs)

    @property
    def form(self) -> str:
        """What was converted, as `"int4 conv, 900 words × 24, 2,700 hashed"`."""
        return (
            f"{self.recipe} {self.layout}, {self.words:,} words × {self.dimensions}, "
            f"{self.hashed_words:,} hashed"
        )

    def describe(self) -> str:
        """Return a human-readable line."""
        return (
            f"{self.form}: {self.bytes:,} bytes, {self.accuracy:.2%} on dev, "
            f"{self.microseconds:.0f} µs"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate as plain JSON types."""
        return {key: value for key, value in asdict(self).items() if key != "right"}


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
    within = _within(measured, budget)
    if not within:
        closest = min(measured, key=lambda candidate: candidate.relative_cost(budget))
        raise BudgetError(
            f"no bundle is within {describe_budget(budget)}; the closest is {closest.describe()}. "
            + ADVICE
        )
    top = max(within, key=attrgetter("accuracy"))

    def order(candidate: Candidate) -> tuple[float, ...]:
        beaten = mcnemar(*_compare(top, candidate), "greater") < ALPHA
        first = candidate.accuracy if beaten else candidate.agreement
        return (beaten, -first, candidate.difference, candidate.bytes)

    return sorted(within, key=order)


def pareto_frontier(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that are more accurate than all smaller ones, smallest first."""
    frontier: list[Candidate] = []
    by_accuracy = sorted(candidates, key=attrgetter("accuracy"), reverse=True)
    for candidate in sorted(by_accuracy, key=attrgetter("bytes")):
        if not frontier or candidate.accuracy > frontier[-1].accuracy:
            frontier.append(candidate)
    return frontier


def explain_choice(best: Candidate, candidates: Sequence[Candidate], budget: Budget) -> str:
    """Say in one line why a more accurate or a smaller candidate within the budget was not taken.

    `best` is the first of `rank_candidates`.
    """
    others = [candidate for candidate in _within(candidates, budget) if candidate != best]
    top = max(others, key=attrgetter("accuracy"), default=best)
    if top.accuracy > best.accuracy:
        lost, won = _compare(top, best)
        lead = 100 * (top.accuracy - best.accuracy)
        return (
            f"{top.form} is {lead:.2f} points more accurate on dev, "
            f"which chance explains (p = {mcnemar(lost, won, 'greater'):.0%}); the choice keeps "
            f"{best.agreement:.2%} of the trained model's labels, that one {top.agreement:.2%}"
        )
    smaller = [candidate for candidate in others if candidate.bytes < best.bytes]
    nearest = max(
        smaller, key=lambda candidate: (candidate.agreement, -candidate.bytes), default=None
    )
    if nearest is not None:
        smaller_by = f"{nearest.form} is {best.bytes - nearest.bytes:,} bytes smaller, but"
        kept, best_kept = f"{nearest.agreement:.2%}", f"{best.agreement:.2%}"
        if kept != best_kept:
            return f"{smaller_by} keeps {kept} of the trained model's labels instead of {best_kept}"
        return (
            f"{smaller_by} changes probabilities by up to {nearest.difference:.4f} instead of "
            f"{best.difference:.4f}"
        )
    return "no other candidate is within the budget"


def _compare(first: Candidate, second: Candidate) -> tuple[int, int]:
    """Return on how many dev texts the first, and the second, is right about more."""
    lost = sum(one > other for one, other in zip(first.right, second.right))
    won = sum(one < other for one, other in zip(first.right, second.right))
    return lost, won


def _within(candidates: Iterable[Candidate], budget: Budget) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.relative_cost(budget) <= 1]
