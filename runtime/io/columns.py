"""Finds the columns of a table or the keys of a JSON object: text, label, group and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class ColumnNames(NamedTuple):
    """The columns that a user names, by name or by number from 1.

    Attributes:
        text: None looks for it.
        label: None looks for it.
        group: None for no group.
        time: None for no time.
    """

    text: str | None = None
    label: str | None = None
    group: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Columns:
    """Where everything is in a row.

    Attributes:
        text: index of the text column.
        label: index of the label column.
        count: number of fields in a row.
        header: whether the first row names the columns.
        group: index of the group column, or None.
        time: index of the time column, or None.
    """

    text: int
    label: int
    count: int
    header: bool
    group: int | None = None
    time: int | None = None


class Keys(NamedTuple):
    """The keys of a JSON object; None where none was asked for."""

    text: str
    label: str
    group: str | None
    time: str | None


def find_columns(rows: Sequence[Sequence[str]], requested: ColumnNames, source: str) -> Columns:
    """Find the columns: as requested, by their name, or by their values.

    A table without a header is understood if, besides group and time, it has two columns and the
    values of one repeat. The group and time columns are never taken for text or label.

    Args:
        rows: the first rows of the table.
        requested: the columns that the user names.
        source: the table's name in error messages.

    Raises:
        DataError: the columns cannot be determined; the message lists the first row.
    """
    first = [field.strip() for field in rows[0]]
    names = [_header_name(rows, index) for index in range(len(first))]
    text, label, group, time = _find_indices(requested, names, first, source)
    free = [index for index in range(len(first)) if index not in (group, time)]
    if text is None and label is None and len(free) == 2:
        label = _repeating_column(rows, len(first), free)
    if len(free) == 2 and (text is None) != (label is None):  # the other column
        other = next(index for index in free if index not in (text, label))
        text, label = (other, label) if text is None else (text, other)
    if text is None or label is None or text == label:
        shown = ", ".join(repr(field[:30]) for field in first[:8])
        raise DataError(f"{source}: cannot find text and label among the columns {shown}: {_HINT}")
    named = names[text] in TEXT_NAMES or names[label] in LABEL_NAMES
    found = {*names, *(first[index].casefold() for index in (group, time) if index is not None)}
    asked_for = {name.casefold() for name in requested if name and not name.isdecimal()}
    header = named or bool(asked_for & found) or _looks_like_header(rows, label)
    return Columns(text, label, len(first), header, group, time)


def find_keys(record: dict[str, Any], requested: ColumnNames, source: str) -> Keys:
    """Find the keys of a JSON object: as requested, text and label also by their name.

    Args:
        record: the first object of the file.
        requested: the keys that the user names.
        source: the file's name in error messages.

    Raises:
        DataError: the keys cannot be determined.
    """
    names = list(record)
    folded = [name.casefold() for name in names]
    text, label, group, time = _find_indices(requested, folded, names, source)
    if text is None or label is None:
        raise DataError(f"{source}: cannot find text and label among {names}: {_HINT}")
    return Keys(
        names[text],
        names[label],
        None if group is None else names[group],
        None if time is None else names[time],
    )


def _find_indices(
    requested: ColumnNames, names: Sequence[str], first: Sequence[str], source: str
) -> tuple[int | None, int | None, int | None, int | None]:
    """Find text, label, group and time as far as names tell."""
    written = [name.casefold() for name in first]
    group = _find_index(requested.group, written, (), source, first)
    time = _find_index(requested.time, written, (), source, first)
    detectable = ["" if index in (group, time) else name for index, name in enumerate(names)]
    text, label = (
        _find_index(given, names if given else detectable, known, source, first)
        for given, known in ((requested.text, TEXT_NAMES), (requested.label, LABEL_NAMES))
    )
    for index in (group, time):
        if index is not None and index in (text, label):
            raise DataError(
                f"{source}: column {first[index]!r:.40} is asked for twice: text, label, group and "
                "time are different columns"
            )
    return text, label, group, time


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


def _repeating_column(
    rows: Sequence[Sequence[str]], count: int, candidates: Sequence[int]
) -> int | None:
    """Return which of two columns holds the labels: the one with few distinct values."""
    table = [row for row in rows if len(row) == count]
    distinct = {index: len({row[index] for row in table}) for index in candidates}
    label = min(reversed(candidates), key=distinct.__getitem__)
    return label if distinct[label] <= max(1, len(table) // 2) else None
