"""Finds the columns of text, label, group and time, and names the records and rows read by them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Union

from ..errors import DataError
from ..text.label_characters import check_label

MAX_SHOWN_BAD_ROWS = 5  # in messages; all are counted
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
MULTI_LABEL_NAME = "labels"  # a column of that name holds several labels
LABEL_SEPARATOR = "|"  # of the labels in it
_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
_FLAGS = frozenset(("0", "1", "0.0", "1.0", "true", "false"))
#: Where a value is in a record: an index in a row of a table, or a key of a JSON object.
Column = Union[int, str]


class Record(NamedTuple):
    """One row of a table, or one object.

    Attributes:
        fields: the row's fields in order, or the object.
        line: its first line in the file.
    """

    fields: list[str] | dict[str, object]
    line: int

    def get(self, column: Column) -> object:
        """Return the value in a column; None if an object lacks the key."""
        if isinstance(self.fields, dict):
            return self.fields.get(str(column))
        return self.fields[int(column)]


class BadRow(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: str


#: The fields of a row of a table, or why it cannot be split, and its line.
TableRow = tuple[Union[list[str], BadRow], int]


class ColumnNames(NamedTuple):
    """The columns that a user names, by name or by number from 1.

    Attributes:
        text: the text columns, in the order in which they are joined; empty looks for one.
        label: None looks for it.
        label_columns: the columns of 0 and 1, one a label, also as ranges such as `3-8`; empty if
            the labels are in one column.
        separator: what separates several labels in the label column; None separates only those of
            a column found by the name `labels`.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    time: str | None = None
    label_columns: tuple[str, ...] = ()
    separator: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Every name that was given."""
        names = (self.label, self.group, self.time)
        return (*self.text, *(name for name in names if name is not None), *self.label_columns)


@dataclass(frozen=True)
class Columns:
    """Where everything is in a record.

    Attributes:
        text: the text columns; empty only if there is no record.
        label_columns: the columns of 0 and 1, one a label.
        header: whether the first row of the table names the columns.
        label_names: the label of each of `label_columns`.
        separator: what separates the labels in the label column; None if it holds one.
        multi_label: whether the labels of each row are a set, even if it is one label.
    """

    text: tuple[Column, ...] = ()
    label: Column | None = None
    group: Column | None = None
    time: Column | None = None
    label_columns: tuple[Column, ...] = ()
    header: bool = False
    label_names: tuple[str, ...] = ()
    separator: str | None = None
    multi_label: bool = False


class _Indices(NamedTuple):
    """The index of each column, as far as names tell."""

    text: tuple[int, ...]
    label: int | None
    group: int | None
    time: int | None
    label_columns: tuple[int, ...]

    @property
    def others(self) -> tuple[int, ...]:
        """The indices of what is neither text nor the label column."""
        named = (index for index in (self.group, self.time) if index is not None)
        return (*named, *self.label_columns)


def find_columns(
    rows: Sequence[Sequence[str]], requested: ColumnNames, source: str, labelled: bool = True
) -> Columns:
    """Find the columns of a table: as requested, by their name, or by their values.

    A table without a header is understood if, besides group and time, it has two columns and the
    values of one repeat. Columns of groups, times and 0 and 1 are never taken for text or label.

    Args:
        labelled: whether there must be a label column; without one, a single column is the text.

    Raises:
        DataError: the columns cannot be determined; the message lists the first row.
    """
    first = [field.strip() for field in rows[0]]
    names = [_header_name(rows, index) for index in range(len(first))]
    found = _find_indices(requested, names, first, source)
    found = _complete(found, rows, len(first), labelled)
    _check(found, first, source, labelled)
    if found.label_columns and all(first[i].casefold() in _FLAGS for i in found.label_columns):
        raise DataError(
            f"{source}: expected a header that names the labels of --label-columns, found "
            f"{first[found.label_columns[0]]!r}: add a header"
        )
    header = bool(found.label_columns) or _has_header(rows, names, first, found, requested)
    return replace(_to_columns(found, first, requested, source), header=header)


def find_keys(
    record: Mapping[str, object], requested: ColumnNames, source: str, labelled: bool = True
) -> Columns:
    """Find the keys of a JSON object: as requested, text and label also by their name.

    Raises:
        DataError: the keys cannot be determined.
    """
    names = list(record)
    found = _find_indices(requested, [name.casefold() for name in names], names, source)
    _check(found, names, source, labelled)
    label, group, time = (
        None if index is None else names[index] for index in (found.label, found.group, found.time)
    )
    columns = _to_columns(found, names, requested, source)
    text = tuple(names[index] for index in found.text)
    keys = columns.label_names  # of columns of 0 and 1
    return replace(columns, text=text, label=label, group=group, time=time, label_columns=keys)


def _find_indices(
    requested: ColumnNames, names: Sequence[str], first: Sequence[str], source: str
) -> _Indices:
    """Find text, labels, group and time as far as names tell."""
    written = [name.casefold() for name in first]
    group = _find_index(requested.group, written, (), source, first)
    time = _find_index(requested.time, written, (), source, first)
    flags = tuple(_find_label_columns(requested, written, source, first))
    others = (group, time, *flags)
    detectable = ["" if index in others else name for index, name in enumerate(names)]
    text = [
        _find_index(given, names if given else detectable, TEXT_NAMES, source, first)
        for given in requested.text or (None,)
    ]
    given = requested.label
    known = () if flags else LABEL_NAMES
    label = _find_index(given, names if given else detectable, known, source, first)
    found = _Indices(tuple(index for index in text if index is not None), label, group, time, flags)
    taken = [*found.text, *found.others]
    for index in taken:
        if taken.count(index) > 1 or (index == label and index in found.others):
            raise DataError(
                f"{source}: column {first[index]!r:.40} is asked for twice: text, label, group and "
                "time are different columns"
            )
    return found


def _find_label_columns(
    requested: ColumnNames, names: Sequence[str], source: str, first: Sequence[str]
) -> Iterator[int]:
    """Yield the index of each column of 0 and 1: by name, by number, or by a range of numbers."""
    for given in requested.label_columns:
        span = None if given.casefold() in names else _RANGE.fullmatch(given)
        if span is None:
            index = _find_index(given, names, (), source, first)
            assert index is not None
            yield index
            continue
        start, end = int(span[1]), int(span[2])
        if not 1 <= start <= end <= len(names):
            raise DataError(
                f"{source}: --label-columns {given}: expected a range within 1-{len(names)}"
            )
        yield from range(start - 1, end)


def _label_names(found: _Indices, first: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the labels that columns of 0 and 1 are named by."""
    names = tuple(first[index] for index in found.label_columns)
    for index, name in zip(found.label_columns, names):
        try:
            check_label(name)
        except ValueError as error:
            raise DataError(f"{source}: the name of column {index + 1}: {error}") from None
        if names.count(name) > 1:
            raise DataError(
                f"{source}: expected a different name of each label column, found {name!r:.40} as "
                f"the name of column {index + 1}: rename it"
            )
    if len(names) == 1:
        raise DataError(
            f"{source}: --label-columns names only the column {names[0]!r:.40}: name two or more, "
            f"or train on one column of labels with --label-column"
        )
    return names


def _to_columns(
    found: _Indices, first: Sequence[str], requested: ColumnNames, source: str
) -> Columns:
    """Add what the first row or object tells about labels."""
    separator = requested.separator
    if separator is None and requested.label is None and found.label is not None:
        separator = LABEL_SEPARATOR if first[found.label].casefold() == MULTI_LABEL_NAME else None
    return Columns(
        *found,
        label_names=_label_names(found, first, source),
        separator=separator,
        multi_label=bool(separator or found.label_columns),
    )


def _complete(
    found: _Indices, rows: Sequence[Sequence[str]], count: int, labelled: bool
) -> _Indices:
    """Find text and label by the values of the columns and by what is left over."""
    text, label = found.text, found.label
    labelled_by_columns = bool(found.label_columns)
    free = [index for index in range(count) if index not in found.others]
    if not text and label is None and len(free) == 2 and not labelled_by_columns:
        label = _repeating_column(rows, count, free)
    rest = [index for index in free if index != label and index not in text]
    if len(rest) == 1 and not text:
        text = (rest[0],) if label is not None or labelled_by_columns or not labelled else ()
    elif len(rest) == 1 and label is None and labelled and not labelled_by_columns:
        label = rest[0]
    label = None if label in text and not labelled else label
    return found._replace(text=text, label=label)


def _check(found: _Indices, names: Sequence[str], source: str, labelled: bool) -> None:
    """Raise DataError if the text is missing, or the label where there must be one."""
    wanted, hint = "text", "name it with --text-column"
    labelled = labelled and not found.label_columns
    if labelled:
        wanted = "text and label"
        hint = (
            "name them with --text-column and --label-column (or --label-columns for columns of 0 "
            "and 1)"
        )
    if not found.text or (labelled and (found.label is None or found.label in found.text)):
        shown = ", ".join(repr(name[:30]) for name in names[:8])
        raise DataError(f"{source}: cannot find {wanted} among the columns {shown}: {hint}")


def _has_header(
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    first: Sequence[str],
    found: _Indices,
    requested: ColumnNames,
) -> bool:
    """Return whether the first row names the columns."""
    if any(names[index] in TEXT_NAMES for index in found.text):
        return True
    if found.label is not None and names[found.label] in LABEL_NAMES:
        return True
    by_value = (first[index].casefold() for index in (found.group, found.time) if index is not None)
    asked_for = {name.casefold() for name in requested.given if not name.isdecimal()}
    if asked_for & {*names, *by_value}:
        return True
    if found.label is not None:
        return _looks_like_header(rows, found.label)
    others = [index for index in range(len(first)) if index not in found.text]
    return any(_looks_like_header(rows, index) for index in others)


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
