"""Reads the time of a text: a number, or an ISO 8601 date with or without a time of day."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timezone
from numbers import Real
from typing import Union

import numpy as np

#: A number (of any unit), or a date without time zone, in UTC.
Time = Union[float, datetime]
_EXPECTED = "a number, or an ISO 8601 date such as 2024-05-31 or 2024-05-31T18:00:00Z"


def parse_time(value: object) -> Time:
    """Turn a value into a time.

    Args:
        value: a number, a date or datetime (also numpy's and pandas'), or either as a string. Dates
            without a time zone are taken as UTC.

    Raises:
        ValueError: it is none of these; the message says what was expected.
    """
    try:
        given = _parse_text(value) if isinstance(value, str) else value
        if isinstance(given, np.datetime64):
            given = given.astype("datetime64[us]").item()
        if isinstance(given, datetime):
            return _to_utc(given)
        if isinstance(given, date):
            return datetime.combine(given, time())
        if isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given):
            return float(given)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"expected {_EXPECTED}, found {value!r:.40}")


class TimeParser:
    """Parses the times of one source, which are all of one kind: numbers or dates."""

    def __init__(self) -> None:
        self._kind: type | None = None

    def __call__(self, value: object) -> Time:
        """Parse a time like `parse_time`.

        Raises:
            ValueError: it is no time, or of another kind than the first one.
        """
        parsed = parse_time(value)
        kind = type(parsed)
        self._kind = self._kind or kind
        if kind is not self._kind:
            expected = "a number" if self._kind is float else "a date"
            raise ValueError(f"expected {expected} as in earlier rows, found {value!r:.40}")
        return parsed


def _parse_text(text: str) -> Time:
    try:
        return float(text)
    except ValueError:
        text = text.strip()
        # Python 3.10 does not know Z.
        return datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in "zZ" else text)


def _to_utc(value: datetime) -> datetime:
    """Return a plain datetime: in UTC, without time zone."""
    if value.tzinfo is not None:
        value = value.astimezone(timezone.utc)
    return datetime(*value.timetuple()[:6], value.microsecond)
