"""Finds the text and label columns of a table or the keys of a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError

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
)
_HINT = "name them with --text-column and --label-column"


@dataclass(frozen=True)
class Columns:
    """Where text and label are in a row.

    Attributes:
        text: index of the text column.
        label: index of the label column.
        count: number of fields in a row.
        header: whether the first row names the columns.
    """

    text: int
    label: int
    count: int
    header: bool


def find_columns(
    rows: Sequence[Sequence[str]], text: str | None, label: str | None, source: str
) -> Columns:
    """Find the columns: as requested, by their name, or by their values.

    A table without a header is understood if it has two columns and the values of one repeat.

    Args:
        rows: the first rows of the table.
        text: name or number (from 1) of the text column, or None.
        label: name or number (from 1) of the label column, or None.
        source: the table's name in error messages.

    Raises:
        DataError: the columns cannot be determined; the message lists the first row.
    """
    first = [field.strip() for field in rows[0]]
    names = [_header_name(rows, index) for index in range(len(first))]
    text_index = _find_index(text, names, TEXT_NAMES, source, first)
    label_index = _find_index(label, names, LABEL_NAMES, source, first)
    if text_index is None and label_index is None and len(first) == 2:
        label_index = _repeating_column(rows)
    if len(first) == 2 and (text_index is None) != (label_index is None):  # the other column
        text_index = 1 - label_index if label_index is not None else text_index
        label_index = 1 - text_index if text_index is not None else label_index
    if text_index is None or label_index is None or text_index == label_index:
        shown = ", ".join(repr(field[:30]) for field in first[:8])
        raise DataError(f"{source}: cannot find text and label among the columns {shown}: {_HINT}")
    named = names[text_index] in TEXT_NAMES or names[label_index] in LABEL_NAMES
    requested = {name.casefold() for name in (text, label) if name and not name.isdecimal()}
    header = named or bool(requested & set(names)) or _looks_like_header(rows, label_index)
    return Columns(text_index, label_index, len(first), header)


def find_keys(
    record: dict[str, Any], text: str | None, label: str | None, source: str
) -> tuple[str, str]:
    """Find the keys of text and label in a JSON object: as requested or by their name.

    Args:
        record: the first object of the file.
        text: the text's key, or None.
        label: the label's key, or None.
        source: the file's name in error messages.

    Raises:
        DataError: the keys cannot be determined.
    """
    names = list(record)
    folded = [name.casefold() for name in names]
    text_index = _find_index(text, folded, TEXT_NAMES, source, names)
    label_index = _find_index(label, folded, LABEL_NAMES, source, names)
    if text_index is None or label_index is None:
        raise DataError(f"{source}: cannot find text and label among {names}: {_HINT}")
    return names[text_index], names[label_index]


def _header_name(rows: Sequence[Sequence[str]], index: int) -> str:
    """Return the name in the first row; empty if later rows repeat the value."""
    value = rows[0][index].strip()
    later = {row[index].strip() for row in rows[1:] if index < len(row)}
    return "" if value in later else value.casefold()


def _looks_like_header(rows: Sequence[Sequence[str]], label_index: int) -> bool:
    """Return whether the first label occurs nowhere else although the other labels repeat."""
    labels = [row[label_index].strip() for row in rows if label_index < len(row)]
    return labels[0] not in labels[1:] and len(set(labels[1:])) < len(labels[1:])


def _find_index(
    requested: str | None,
    names: Sequence[str],
    known_names: Sequence[str],
    source: str,
    first: Sequence[str],
) -> int | None:
    """Find one column: as requested, else the first known name that is there."""
    if requested is None:
        return next((names.index(name) for name in known_names if name in names), None)
    if requested.casefold() in names:
        return names.index(requested.casefold())
    if requested.isdecimal() and 1 <= int(requested) <= len(names):
        return int(requested) - 1
    raise DataError(f"{source}: there is no column {requested!r} among {list(first)[:8]}")


def _repeating_column(rows: Sequence[Sequence[str]]) -> int | None:
    """Return which of two columns holds the labels: the one with few distinct values."""
    table = [row for row in rows if len(row) == 2]
    distinct = [len({row[index] for row in table}) for index in (0, 1)]
    label = 0 if distinct[0] < distinct[1] else 1
    return label if distinct[label] <= max(1, len(table) // 2) else None
