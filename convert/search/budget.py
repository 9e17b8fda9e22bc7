"""Budgets of a bundle: bytes and latency."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
