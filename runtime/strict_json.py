"""Strict JSON parsing for a bundle's files, and what records of JSON share with it.

Python's parser keeps the last of duplicate keys, accepts NaN and Infinity, turns 1e999 into
infinity and spends minutes on a number of a million digits. No file that glovelite writes needs any
of that.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import BundleDamagedError

if TYPE_CHECKING:
    from typing import TypeGuard

MAX_DIGITS = 20  # of an integer: more than any size, id or count in a bundle
MAX_BRACKETS = 1 << 16  # an empty list takes 2 bytes in a file and 50 in memory
MAX_LEVELS = 100  # of lists and objects: what is read can also be written


def parse_json(text: str, source: str) -> Any:
    """Parse JSON strictly: every number is finite, and every key of an object unique.

    Raises:
        BundleDamagedError: the text is not JSON, has more than `MAX_LEVELS` levels, or holds a
            duplicate key, NaN, infinity, a number that is too large or too many lists.
    """
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise BundleDamagedError(f"{source} holds more than {MAX_BRACKETS} lists and objects")
    try:
        content = _DECODER.decode(text)
        check_levels(text, content)
        return content
    except (ValueError, RecursionError) as error:
        raise BundleDamagedError(f"{source} is not JSON: {error}") from None


def check_levels(text: str, content: object) -> None:
    """Raise ValueError if JSON has more than `MAX_LEVELS` levels of lists and objects.

    Python reads more levels than it writes.

    Args:
        content: what the text was parsed to.
    """
    if text.count("[") + text.count("{") <= MAX_LEVELS:
        return
    level = [content]
    for _ in range(MAX_LEVELS + 1):
        holders = [item for item in level if isinstance(item, (dict, list))]
        if not holders:
            return
        level = [
            item
            for holder in holders
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
    raise ValueError(f"more than {MAX_LEVELS} levels of lists and objects")


def is_count(value: object, maximum: int) -> TypeGuard[int]:
    """Return whether a value is an integer from 1 to `maximum`; `True` and `1.0` are not."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= maximum


def finite_float(text: str) -> float:
    """Parse a number; raise ValueError if it overflows, such as `1e999`."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:MAX_DIGITS]} is too large")
    return value


def reject_constant(text: str) -> NoReturn:
    """Raise ValueError for NaN and Infinity."""
    raise ValueError(f"{text} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"duplicate key {key[:40]!r}")
    return content


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=finite_float,
    parse_constant=reject_constant,
)
