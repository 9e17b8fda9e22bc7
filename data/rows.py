"""Reads the labels, the group and the time of a record: a row of labelled text."""

from __future__ import annotations

import ast
import json
import logging
import math
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timezone
from numbers import Real
from typing import NamedTuple, Union

import numpy as np

from glovelite.runtime.files.columns import Column, Columns
from glovelite.runtime.files.records import BadRow, Record, check_value, read_text
from glovelite.runtime.text.label_characters import check_label

#: A number (of any unit), or a date without time zone, in UTC.
Time = Union[float, datetime]
_EXPECTED = "a number, or an ISO 8601 date such as 2024-05-31 or 2024-05-31T18:00:00Z"
logger = logging.getLogger(__name__)
#: Type of a label -> what messages call it.
LABEL_TYPES = {str: "string", int: "integer", float: "decimal number", bool: "boolean"}
_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
#: How Python writes a list of strings, such as pandas in a CSV file; JSON is tried before.
_PYTHON_LIST = re.compile(r"""\[(?:\s*(?:'[^'\\]*'|"[^"\\]*")\s*(?:,|(?=\])))*\s*\]""")
_LIST_START = re.compile(r"""\[\s*["'\d\[{\]]""")


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


class LabelReader:
    """Reads the labels of the records of one file.

    A label of an object may be a string, a number or a boolean; it becomes what JSON writes: `a`,
    `1`, `1.0`, `true`. Labels of several types are logged once, and so are empty 0/1 columns.
    """

    def __init__(self, columns: Columns, name: str) -> None:
        self._columns, self._name = columns, name
        self._types: set[type] = set()
        self._reported_empty = False

    def __call__(self, record: Record) -> tuple[tuple[str, ...], bool]:
        """Return the labels, each once, and whether they were given as a set.

        Raises:
            ValueError: they cannot be used; the message says why.
        """
        columns = self._columns
        if columns.label_columns:
            return tuple(self._read_flags(record)), True
        assert columns.label is not None
        value = record.get(columns.label)
        if isinstance(value, list):
            return self._check_all(value, record.line), True
        if columns.separator is None:
            return (self._check(value, record.line),), False
        if value is None and isinstance(record.fields, dict) and columns.label not in record.fields:
            raise ValueError(f"{columns.label!r} is missing: write [] where there is no label")
        labels = self._check_all(split_labels(value, columns.separator), record.line)
        return labels, columns.multi_label or len(labels) > 1

    def _read_flags(self, record: Record) -> list[str]:
        columns = self._columns
        return [
            label
            for label, column in zip(columns.label_names, columns.label_columns)
            if self._read_flag(record.get(column), label, record.line)
        ]

    def _read_flag(self, value: object, label: str, line: int) -> bool:
        written = "" if is_missing(value) else str(value).strip().casefold()
        if not written and not self._reported_empty:
            self._reported_empty = True
            logger.info(
                f"{self._name}, line {line}: the column {label!r} is empty: empty label columns "
                "count as 0"
            )
        flag = _FLAGS.get(written, None if written else False)
        if flag is None:
            raise ValueError(f"column {label!r}: expected 0 or 1, found {value!r:.40}")
        return flag

    def _check_all(self, values: list[object], line: int) -> tuple[str, ...]:
        given = (value for value in values if not isinstance(value, str) or value.strip())
        return tuple(dict.fromkeys(self._check(value, line) for value in given))

    def _check(self, value: object, line: int) -> str:
        assert self._columns.label is not None
        label = read_label(value, self._columns.label)
        self._check_type(value, line)
        return label

    def _check_type(self, value: object, line: int) -> None:
        known, new = self._types, type(value)
        if len(known) == 1 and new not in known:
            (first,) = known
            logger.info(
                f"{self._name}, line {line}: expected {LABEL_TYPES[first]}s as labels, as before, "
                f"found the {LABEL_TYPES[new]} {json.dumps(value, ensure_ascii=False):.40}: labels "
                'are compared as text, so "1" and 1 are one label, 1.0 and true are others'
            )
        known.add(new)


def read_label(value: object, name: Column = "label") -> str:
    """Return a label from a file or from Python, as text; raise ValueError if it is none."""
    return check_label(check_value(read_scalar(value, name), "label"))


def read_group(value: object, name: Column) -> str:
    """Return the group of a text from a file or from Python; raise ValueError if it is none."""
    if group := read_scalar(value, name):
        return group
    raise ValueError("the group is empty")


def read_scalar(value: object, name: Column) -> str:
    """Return a string without outer space, and a number or boolean as JSON writes it.

    Raises:
        ValueError: the value is missing or of another type; the message says so with the name.
    """
    if isinstance(value, str):
        return value.strip()
    if is_missing(value):
        raise ValueError(f"{name!r} is missing")
    if isinstance(value, (bool, np.bool_)):
        return json.dumps(bool(value))
    if isinstance(value, Real) and _is_finite(value):
        return str(value)  # of floats, also NumPy's, as JSON writes them
    raise ValueError(f"{name!r} is neither a string nor a number")


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of more than 308 digits
        return True


def is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, NaN, and NaT and NA of pandas."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, (Real, datetime, np.datetime64)) and bool(value != value)


def split_labels(value: object, separator: str) -> list[object]:
    """Split the labels in one field: at a separator, or a list in the syntax of JSON or Python."""
    if value is None:
        return []
    if not isinstance(value, str):
        return [value]
    written = value.strip()
    if written.endswith("]") and _LIST_START.match(written):
        return _parse_list(written)
    return list(written.split(separator))


def _parse_list(written: str) -> list[object]:
    try:
        parsed = json.loads(written)
    except (ValueError, RecursionError):
        if not _PYTHON_LIST.fullmatch(written):
            raise ValueError(
                f'expected a list of labels such as ["a", "b"], found {written:.40}'
            ) from None
        parsed = ast.literal_eval(written)
    assert isinstance(parsed, list)
    return parsed


class Row(NamedTuple):
    """One labelled text.

    Attributes:
        labels: its classes, each once. A text has one, unless its file is multi-label; a fastText
            line without one is a bad row if the file turns out to be single-label.
        line: its line in the source; a `FileList` finds it in a source of several files.
        group: whom or what it belongs to, if the source has a group column.
        time: when it was written, if the source has a time column.
        multi_label: whether the labels were given as a set, even if it is one label.
    """

    text: str
    labels: tuple[str, ...]
    line: int
    group: str | None = None
    time: Time | None = None
    multi_label: bool = False


#: Rows in order, those that can be used and the others.
Rows = Iterator[Union[Row, BadRow]]


class RowReader:
    """Turns the records of one file into rows."""

    def __init__(self, columns: Columns, name: str) -> None:
        self._columns = columns
        self._read_labels = LabelReader(columns, name)
        self._parse_time = TimeParser()

    def __call__(self, record: Record) -> Row | BadRow:
        """Return the row, or why the record is none."""
        text = read_text(record, self._columns)
        if isinstance(text, BadRow):
            return text
        try:
            labels, multi_label = self._read_labels(record)
            group, time = self._group(record), self._time(record)
        except ValueError as error:
            return BadRow(record.line, str(error))
        return Row(text, labels, record.line, group, time, multi_label)

    def _group(self, record: Record) -> str | None:
        if self._columns.group is None:
            return None
        return read_group(record.get(self._columns.group), self._columns.group)

    def _time(self, record: Record) -> Time | None:
        if self._columns.time is None:
            return None
        try:
            return self._parse_time(record.get(self._columns.time))
        except ValueError as error:
            raise ValueError(f"time: {error}") from None
