"""Tells which column of a table is the text and which the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError

TEXT_NAMES = (
    *("text", "sentence", "review", "content", "message", "comment", "tweet", "body"),
    *("question", "description", "document", "utterance", "phrase", "title"),
)
LABEL_NAMES = (
    *("label", "class", "category", "sentiment", "target", "emotion", "intent", "topic"),
    *("polarity", "tag", "rating", "stars", "y"),
)
_OPTIONS = "name them with --text-column and --label-column"


@dataclass(frozen=True)
class Columns:
    """Where text and label stand in a row.

    Attributes:
        text: place of the text, from 0.
        label: place of the label, from 0.
        count: fields in a row.
        header: whether the first row names the columns.
    """

    text: int
    label: int
    count: int
    header: bool


def find_columns(
    rows: Sequence[Sequence[str]], text: str | None, label: str | None, source: str
) -> Columns:
    """Find the columns, by what the user says, by name, or by look.

    A table without a header is understood where it has two columns, one of which repeats.

    Args:
        rows: the first rows of the table.
        text: name or number (from 1) of the text's column, or None.
        label: the same for the label.
        source: what to call the table in an error.

    Returns:
        The columns.

    Raises:
        DataError: they cannot be told; the message lists what the first row holds.
    """
    first = [field.strip() for field in rows[0]]
    names = [_name(rows, place) for place in range(len(first))]
    text_place = _place(text, names, TEXT_NAMES, source, first)
    label_place = _place(label, names, LABEL_NAMES, source, first)
    if text_place is None and label_place is None and len(first) == 2:
        label_place = _repeating_column(rows)
    if len(first) == 2 and (text_place is None) != (label_place is None):  # the other one
        text_place = 1 - label_place if label_place is not None else text_place
        label_place = 1 - text_place if text_place is not None else label_place
    if text_place is None or label_place is None or text_place == label_place:
        shown = ", ".join(repr(field[:30]) for field in first[:8])
        raise DataError(
            f"{source}: cannot tell text and label among the columns {shown}: {_OPTIONS}"
        )
    known = names[text_place] in TEXT_NAMES or names[label_place] in LABEL_NAMES
    asked = {name.casefold() for name in (text, label) if name and not name.isdecimal()}
    header = known or bool(asked & set(names)) or _looks_like_header(rows, label_place)
    return Columns(text_place, label_place, len(first), header)


def _name(rows: Sequence[Sequence[str]], place: int) -> str:
    """Give the name a header would give a column; none where later rows repeat the value."""
    value = rows[0][place].strip()
    later = {row[place].strip() for row in rows[1:] if place < len(row)}
    return "" if value in later else value.casefold()


def _looks_like_header(rows: Sequence[Sequence[str]], label_place: int) -> bool:
    """Tell a header of unknown names: its label occurs nowhere else, where labels do repeat."""
    labels = [row[label_place].strip() for row in rows if label_place < len(row)]
    return labels[0] not in labels[1:] and len(set(labels[1:])) < len(labels[1:])


def find_keys(
    record: dict[str, Any], text: str | None, label: str | None, source: str
) -> tuple[str, str]:
    """Find the keys of text and label in a JSON object, by what the user says or by name.

    Args:
        record: the first object.
        text: the text's key, or None.
        label: the label's key, or None.
        source: what to call the file in an error.

    Returns:
        The two keys.

    Raises:
        DataError: they cannot be told.
    """
    names = list(record)
    places = [
        _place(asked, [name.casefold() for name in names], known, source, names)
        for asked, known in ((text, TEXT_NAMES), (label, LABEL_NAMES))
    ]
    if places[0] is None or places[1] is None:
        raise DataError(f"{source}: cannot tell text and label among {names}: {_OPTIONS}")
    return names[places[0]], names[places[1]]


def _place(
    asked: str | None,
    names: Sequence[str],
    known: Sequence[str],
    source: str,
    first: Sequence[str],
) -> int | None:
    """Find one column: as asked, else by the first known name there is."""
    if asked is None:
        return next((names.index(name) for name in known if name in names), None)
    if asked.casefold() in names:
        return names.index(asked.casefold())
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    raise DataError(f"{source}: there is no column {asked!r} among {list(first)[:8]}")


def _repeating_column(rows: Sequence[Sequence[str]]) -> int | None:
    """Find which of two columns holds the labels: the one of few different, short values."""
    table = [row for row in rows if len(row) == 2]
    different = [len({row[place] for row in table}) for place in (0, 1)]
    label = 0 if different[0] < different[1] else 1
    return label if different[label] <= max(1, len(table) // 2) else None
