"""Makes labelled texts of records."""

from __future__ import annotations

from typing import NamedTuple

from glovelite.runtime.files.columns import Columns
from glovelite.runtime.files.records import BadRow, Record, read_text

from .row_labels import LabelReader, read_scalar
from .times import Time, TimeParser


class Row(NamedTuple):
    """One labelled text.

    Attributes:
        text: the text.
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


class RowReader:
    """Turns the records of one file into rows."""

    def __init__(self, columns: Columns, name: str) -> None:
        """Take where everything is in a record, and the file's name for messages."""
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
        group = read_scalar(record.get(self._columns.group), self._columns.group)
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
