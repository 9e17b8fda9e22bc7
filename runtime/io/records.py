"""Reads the records of a file: rows of a table, objects or lines, with all their fields.

| format     | content                                                        |
|------------|----------------------------------------------------------------|
| `csv`      | separated by commas or semicolons, quoted, header or not       |
| `tsv`      | separated by tabs, never quoted (as GLUE's), header or not     |
| `jsonl`    | a JSON object per line                                         |
| `fasttext` | `__label__positive the text` per line                          |

The format of a file is detected from its extension, else from its first line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Union

from ..errors import DataError
from .columns import Column, ColumnNames, Columns, find_columns, find_keys
from .text_lines import read_lines, source_name

FORMATS = ("csv", "tsv", "jsonl", "fasttext")

_EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ft": "fasttext",
}
_FASTTEXT_LABEL = re.compile(r"__label__(\S+)\s*")
_INVALID_BYTE = re.compile("[\udc80-\udcff]")  # how surrogateescape decodes bytes beyond UTF-8
_GUESS_ROWS = 200  # rows from which columns are guessed

csv.field_size_limit(1 << 30)  # Python's default of 128 kB is less than a long document


class Record(NamedTuple):
    """One row of a table, or one JSON object.

    Attributes:
        fields: the row's fields in order, or the object.
        line: its first line in the file.
    """

    fields: list[str] | dict[str, object]
    line: int

    def get(self, column: Column) -> object:
        """Return the value in a column; None if a JSON object lacks the key."""
        if isinstance(self.fields, dict):
            return self.fields.get(str(column))
        return self.fields[int(column)]


class BadRow(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: str


#: The fields of a row, or why it cannot be split, and its line.
TableRow = tuple[Union[list[str], BadRow], int]


@dataclass(frozen=True)
class Records:
    """The records of one file, read as they are iterated.

    Attributes:
        name: the file's name in messages.
        format: one of `FORMATS`.
        columns: where text, label, group and time are in each record.
        header: the names of a table's columns; None for a table without header and for JSONL.
        records: records and bad ones, in order, without the header; can be iterated once. All rows
            of a table have the same number of fields.
    """

    name: str
    format: str
    columns: Columns
    header: tuple[str, ...] | None
    records: Iterator[Record | BadRow]

    def __iter__(self) -> Iterator[Record | BadRow]:
        return self.records


def open_records(
    path: str, requested: ColumnNames, format_: str | None = None, labelled: bool = True
) -> Records:
    """Open a file of records and find its columns from the first ones.

    Args:
        path: a file, gzipped or not, or `-` for standard input.
        requested: the columns that the user names.
        format_: one of `FORMATS`, or None to detect it.
        labelled: whether there must be a label column.

    Raises:
        DataError: the file cannot be read, or its columns cannot be determined.

    Example:
        >>> file = open_records("mails.csv", ColumnNames(text=("body",)), labelled=False)
        >>> for record in file:
        ...     text = record if isinstance(record, BadRow) else read_text(record, file.columns)
    """
    name = source_name(path)
    lines = read_lines(path)
    first = next(lines, "")
    lines = chain([first] if first else [], lines)
    format_ = format_ or _detect_format(path, first)
    if format_ == "fasttext":
        refuse_columns(requested, name, "the fastText format")
        return _open_fasttext(lines, name)
    if format_ == "jsonl":
        return _open_objects(lines, requested, name, labelled)
    rows = _split_tsv(lines) if format_ == "tsv" else _split_csv(lines, name)
    return _open_table(rows, format_, requested, name, labelled)


def read_text(record: Record, columns: Columns) -> str | BadRow:
    """Return a record's text, its text columns joined by newlines; a bad row if it is empty."""
    texts = []
    for column in columns.text:
        text = record.get(column)
        if not isinstance(text, str):
            return BadRow(record.line, f"{column!r} is not a string")
        texts.append(text.strip())
    return check_value("\n".join(filter(None, texts)), "text", record.line)


def check_value(value: str, name: str, line: int) -> str | BadRow:
    """Return a value, or a bad row if it is empty or was not decoded."""
    if not value:
        return BadRow(line, f"the {name} is empty")
    if not value.isascii() and (match := _INVALID_BYTE.search(value)):
        return BadRow(line, f"byte {ord(match[0]) - 0xDC00:#04x} is not UTF-8")
    return value


def _detect_format(path: str, first: str) -> str:
    extension = Path(path.removesuffix(".gz")).suffix.lower()
    if extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    if first.startswith("__label__"):
        return "fasttext"
    if first.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in first else "csv"


def refuse_columns(requested: ColumnNames, name: str, kind: str) -> None:
    """Raise DataError for a group or time column where there are no columns."""
    for option, column in (("group", requested.group), ("time", requested.time)):
        if column is not None:
            raise DataError(
                f"{name}: {kind} has no columns, so --{option}-column {column} needs CSV, TSV or "
                "JSONL"
            )


def _open_fasttext(lines: Iterable[str], name: str) -> Records:
    columns = Columns(text=(1,), label=0)
    return Records(name, "fasttext", columns, ("label", "text"), _split_fasttext(lines))


def _split_fasttext(lines: Iterable[str]) -> Iterator[Record | BadRow]:
    for number, line in enumerate(lines, start=1):
        labels = []
        rest = line.strip()
        while match := _FASTTEXT_LABEL.match(rest):
            labels.append(match[1])
            rest = rest[match.end() :]
        if not rest and not labels:
            continue
        if len(labels) != 1:
            yield BadRow(number, f"expected one label, found {len(labels)}")
        else:
            yield Record([labels[0], rest], number)


def _open_objects(
    lines: Iterable[str], requested: ColumnNames, name: str, labelled: bool
) -> Records:
    records = _parse_objects(lines)
    bad: list[Record | BadRow] = []
    for record in records:
        if isinstance(record, Record):
            assert isinstance(record.fields, dict)
            columns = find_keys(record.fields, requested, name, labelled)
            return Records(name, "jsonl", columns, None, chain(bad, [record], records))
        bad.append(record)
        if len(bad) >= _GUESS_ROWS:
            raise DataError(
                f"{name}: none of its first {len(bad)} lines is a JSON object: --format chooses "
                "another format"
            )
    return Records(name, "jsonl", Columns(), None, iter(bad))


def _parse_objects(lines: Iterable[str]) -> Iterator[Record | BadRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON ({error})")
            continue
        if not isinstance(fields, dict):
            yield BadRow(number, "not a JSON object")
        elif not fields:
            yield BadRow(number, "an empty object")
        else:
            yield Record(fields, number)


def _open_table(
    rows: Iterator[TableRow], format_: str, requested: ColumnNames, name: str, labelled: bool
) -> Records:
    head: list[TableRow] = []
    for row in rows:
        head.append(row)
        if len(head) >= _GUESS_ROWS:
            break
    good = [fields for fields, _ in head if isinstance(fields, list)]
    if not good:
        bad = (fields for fields, _ in head if isinstance(fields, BadRow))
        return Records(name, format_, Columns(), None, bad)
    columns = find_columns(good, requested, name, labelled)
    header = tuple(field.strip() for field in good[0]) if columns.header else None
    records = _check_counts(chain(head, rows), len(good[0]), skip_first=columns.header)
    return Records(name, format_, columns, header, records)


def _check_counts(
    rows: Iterable[TableRow], count: int, skip_first: bool
) -> Iterator[Record | BadRow]:
    """Turn rows into records; those with another number of fields are bad."""
    for fields, line in rows:
        if isinstance(fields, BadRow):
            yield fields
        elif skip_first:
            skip_first = False
        elif len(fields) != count:
            hint = "" if len(fields) < count else ": quote texts that hold separators"
            yield BadRow(line, f"expected {count} fields, found {len(fields)}{hint}")
        else:
            yield Record(fields, line)


def _split_tsv(lines: Iterable[str]) -> Iterator[TableRow]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield line.rstrip("\r\n").split("\t"), number


def _split_csv(lines: Iterator[str], name: str) -> Iterator[TableRow]:
    first = next(lines, "")
    # Spreadsheets write semicolons in locales with a decimal comma.
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(chain([first], lines), strict=True, delimiter=delimiter)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):  # the quote spans the rest of the file
                raise DataError(
                    f"{name}: the quote opened in line {start} is never closed, so lines {start} "
                    f"to {reader.line_num} cannot be split: close it"
                ) from None
            yield BadRow(start, str(error)), start
            continue
        if fields is None:
            return
        if fields:
            yield fields, start
