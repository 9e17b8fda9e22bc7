"""The names by which columns of text and labels are found, and how names are compared.

Names are compared without case, spaces, `_`, `-` and `.`. A name of several words, such as
`Review Text`, `review_text` or `reviewText`, is also known by its last word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

#: What columns are called, the names that are looked for first in front.
TEXT_NAMES = (
    "text",
    "sentence",
    "review",
    "content",
    "message",
    "comment",
    "tweet",
    "body",
    "question",
    "description",
    "document",
    "utterance",
    "phrase",
    "title",
)
LABEL_NAMES = (
    "label",
    "class",
    "category",
    "sentiment",
    "target",
    "emotion",
    "intent",
    "topic",
    "polarity",
    "tag",
    "rating",
    "stars",
    "y",
    "labels",
)
_MAX_WORDS = 4  # of a name: more are a sentence
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")


def fold_name(name: str) -> str:
    """Return what two spellings of a name share: `"Review Text"` -> `"reviewtext"`."""
    return _BETWEEN_WORDS.sub("", name.casefold())


def split_name(name: str) -> list[str]:
    """Return the words of a name: `"reviewText"` -> `["review", "text"]`."""
    words = _BETWEEN_WORDS.split(_CAMEL.sub(" ", name))
    return [word.casefold() for word in words if word]


def is_known(name: str, known: Sequence[str]) -> bool:
    """Return whether a whole name is a known one."""
    return fold_name(name) in known


def find_known(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the indices of columns with known names, the one to take first.

    The order is that of the known names; of two columns known by the same name, the one whose whole
    name it is comes first. Columns known by their last word only are left out if the first one is
    known by its whole name.
    """
    ranks = sorted(_rank(names, known))
    exact = [index for _, partly, index in ranks if not partly]
    indices = [index for _, _, index in ranks]
    return exact if exact[:1] == indices[:1] else indices


def find_named(name: str, names: Sequence[str]) -> list[int]:
    """Return the indices of the columns that a name stands for, by its closest spelling."""
    for spell in (str, str.casefold, fold_name):
        if found := [n for n, other in enumerate(names) if other and spell(other) == spell(name)]:
            return found
    return []


def _rank(names: Sequence[str], known: Sequence[str]) -> Iterator[tuple[int, bool, int]]:
    """Yield the rank of each known column, whether only its last word is known, and its index."""
    for index, name in enumerate(names):
        if is_known(name, known):
            yield known.index(fold_name(name)), False, index
        elif (last := _last_word(name, known)) is not None:
            yield known.index(last), True, index


def _last_word(name: str, known: Sequence[str]) -> str | None:
    """Return the last of several words if it is a known name.

    A single letter says too little, as in `pos_y`; `label_text` is the text of a label.
    """
    *others, last = split_name(name) or [""]
    if not others or len(others) >= _MAX_WORDS or len(last) < 2 or last not in known:
        return None
    return None if known is TEXT_NAMES and {*others} & {*LABEL_NAMES} else last
