"""Budgets of a bundle: bytes and latency."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
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
