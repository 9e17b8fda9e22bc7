"""JSON of a bundle's files, read without the liberties that Python's reader takes.

Python's reader keeps the last of two equal keys, knows NaN and Infinity, makes infinity of 1e999
and spends minutes on a number of a million digits. None of that stands in a file we wrote.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import BundleDamagedError

if TYPE_CHECKING:
    from typing import TypeGuard

MOST_DIGITS = 20  # of a whole number: more than any size, id or count of ours
MOST_BRACKETS = 1 << 16  # an empty list takes two bytes here and fifty in memory


def parse_json(text: str, source: str) -> Any:
    """Read JSON strictly.

    Args:
        text: the content of a file.
        source: what to call the file in an error.

    Returns:
        The content; every number in it is finite, every key of an object there once.

    Raises:
        BundleDamagedError: it is not JSON, or nested too deeply, or holds an object with a key
            twice, NaN, infinity, a number too large or too many lists.
    """
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise BundleDamagedError(f"{source} holds more than {MOST_BRACKETS} lists and objects")
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise BundleDamagedError(f"{source} is not JSON: {error}") from None


def is_count(value: object, most: int) -> TypeGuard[int]:
    """Tell a whole number from 1 to `most`; `True` and `1.0` are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return content


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def finite_float(text: str) -> float:
    """Read a number; ValueError where it is larger than any, such as `1e999`."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:MOST_DIGITS]} is too large")
    return value


def no_constant(text: str) -> NoReturn:
    """Refuse NaN and Infinity; ValueError."""
    raise ValueError(f"{text} is not a number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=finite_float,
    parse_constant=no_constant,
)
