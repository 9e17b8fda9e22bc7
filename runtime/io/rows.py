"""Makes labelled texts of records."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from ..aliases import Log
from .files.columns import Column, Columns
from .records import BadRow, Record, check_value, read_text
from .times import Time, TimeParser

#: Type of a label -> what messages call it.
LABEL_TYPES = {str: "string", int: "integer", float: "decimal number", bool: "boolean"}


class Row(NamedTuple):
    """One labelled text.

    Attributes:
        text: the text.
        label: its class.
        line: its line in the source, or the index of its file in a folder.
        group: whom or what it belongs to, if the source has a group column.
        time: when it was written, if the source has a time column.
    """

    text: str
    label: str
    line: int
    group: str | None = None
    time: Time | None = None


class RowReader:
    """Turns the records of one file into rows.

    The label of an object may be a string, a number or a boolean; it becomes what JSON writes: `a`,
    `1`, `1.0`, `true`. Labels of several types are reported once.
    """

    def __init__(self, columns: Columns, name: str, log: Log) -> None:
        """Take where everything is in a record, the file's name, and what receives the report."""
        self._columns, self._name, self._log = columns, name, log
        self._parse_time = TimeParser()
        self._label_types: set[type] = set()

    def __call__(self, record: Record) -> Row | BadRow:
        """Return the row, or why the record is none."""
        text = read_text(record, self._columns)
        if isinstance(text, BadRow):
            return text
        try:
            return Row(
                text, self._label(record), record.line, self._group(record), self._time(record)
            )
        except ValueError as error:
            return BadRow(record.line, str(error))

    def _label(self, record: Record) -> str:
        assert self._columns.label is not None
        label = check_value(_read_scalar(record, self._columns.label), "label")
        if not label.isprintable():
            raise ValueError(f"the label {label[:40]!r} holds a character that cannot be printed")
        self._check_type(record.get(self._columns.label), record.line)
        return label

    def _check_type(self, value: object, line: int) -> None:
        known, new = self._label_types, type(value)
        if len(known) == 1 and new not in known:
            (first,) = known
            self._log(
                f"{self._name}, line {line}: expected {LABEL_TYPES[first]}s as labels, as before, "
                f"found the {LABEL_TYPES[new]} {json.dumps(value, ensure_ascii=False):.40}: labels "
                'are compared as text, so "1" and 1 are the same, 1.0 and true are others'
            )
        known.add(new)

    def _group(self, record: Record) -> str | None:
        if self._columns.group is None:
            return None
        group = _read_scalar(record, self._columns.group)
        if not group:
            raise ValueError("the group is empty")
        return group

    def _time(self, record: Record) -> Time | None:
        if self._columns.time is None:
            return None
        try:
            return self._parse_time(record.get(self._columns.time))
        except ValueError as error:
            raise ValueError(f"time: {error}") from None


def _read_scalar(record: Record, column: Column) -> str:
    """Return a string as it is, and a number or boolean as JSON writes it."""
    value = record.get(column)
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{column!r} is neither a string nor a number")
    return json.dumps(value)
