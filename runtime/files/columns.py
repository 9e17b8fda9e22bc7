"""The records of a file, and where text, label, group and time are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Union

MAX_SHOWN_BAD_ROWS = 5  # in messages; all are counted
MAX_SHOWN_COLUMNS = 8
LABEL_SEPARATOR = "|"  # of the labels in a column named `labels`
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
        header: whether the first row of a table names its columns; None guesses.
        trained: the text columns of a model's training, read if `text` is empty and they are there.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    time: str | None = None
    label_columns: tuple[str, ...] = ()
    separator: str | None = None
    header: bool | None = None
    trained: tuple[str, ...] = ()

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
        notes: what was guessed about the columns, for messages; a warning starts with `warning: `.
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
    notes: tuple[str, ...] = field(default=(), compare=False)

    def describe(self, header: Sequence[str] | None) -> str:
        """Say which columns are read: `"text: 'Review Text', label: 'Rating'"`.

        Args:
            header: the names of a table's columns; None for a table without and for objects.
        """

        def show(column: Column) -> str:
            name = header[column] if header is not None and isinstance(column, int) else column
            return f"{name!r:.40}" if isinstance(name, str) else f"column {name + 1}"

        shown = [f"text: {' + '.join(map(show, self.text))}"] if self.text else []
        for kind, column in (("label", self.label), ("group", self.group), ("time", self.time)):
            if column is not None:
                shown.append(f"{kind}: {show(column)}")
        if self.label_columns:
            names = [show(column) for column in self.label_columns[:MAX_SHOWN_COLUMNS]]
            hidden = len(self.label_columns) - len(names)
            more = f" and {hidden:,} more" if hidden > 0 else ""
            shown.append(f"labels: {', '.join(names)}{more}")
        return ", ".join(shown)
