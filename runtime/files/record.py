"""What a file consists of: records, and rows that are none."""

from __future__ import annotations

from typing import NamedTuple, Union

from .columns import Column

MAX_SHOWN_BAD_ROWS = 5  # in messages; all are counted


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
