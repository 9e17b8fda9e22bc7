"""How familiar the words of a text are to a model: training text against text in general.

Each listed word has a level from 0 to 15: how much more frequent it is in training text than in
general text, on a logarithmic scale. The familiarity of a text is the mean level of its tokens. A
vocabulary file may hold the levels as hexadecimal digits, one for each token:

    "familiarity": {"listed": "0089f…", "hashed": 2.31}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

MAX_LEVEL = 15
_DIGITS = "0123456789abcdef"


@dataclass(frozen=True)
class WordFamiliarity:
    """The levels of a vocabulary's words.

    Attributes:
        listed: a level from 0 to `MAX_LEVEL` for each id; the unknown word's is that of all
            tokens that are neither listed nor hashed.
        hashed: the mean level of the hashed words.
    """

    listed: tuple[int, ...]
    hashed: float = 0.0

    def sum_levels(self, ids: Sequence[int]) -> int:
        """Return the sum of the levels of ids, none of which is a hashed word's."""
        if len(ids) < 2:  # itemgetter returns a tuple only of several
            return sum(self.listed[id_] for id_ in ids)
        return sum(itemgetter(*ids)(self.listed))  # a third of the time of a loop

    def as_json(self) -> dict[str, Any]:
        """Return the content of the vocabulary file's `familiarity`."""
        return {"listed": "".join(map(_DIGITS.__getitem__, self.listed)), "hashed": self.hashed}


def parse_familiarity(content: object, tokens: int) -> WordFamiliarity:
    """Parse the vocabulary file's `familiarity`.

    Args:
        content: the parsed JSON.
        tokens: how many tokens the vocabulary lists.

    Raises:
        ValueError: it is malformed; the message says what was expected.
    """
    if not isinstance(content, dict):
        raise ValueError("expected an object")
    listed, hashed = content.get("listed"), content.get("hashed")
    if not isinstance(listed, str) or not re.fullmatch(f"[{_DIGITS}]{{{tokens}}}", listed):
        raise ValueError(f"'listed' should be {tokens} hexadecimal digits, one for each token")
    if (
        not isinstance(hashed, (int, float))
        or isinstance(hashed, bool)
        or not 0 <= hashed <= MAX_LEVEL
    ):
        raise ValueError(f"'hashed' should be a number from 0 to {MAX_LEVEL}")
    return WordFamiliarity(tuple(map(_DIGITS.index, listed)), float(hashed))
