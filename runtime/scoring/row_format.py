"""Writes the rows of CSV, TSV and JSONL: the fields of the input's row, then the added ones."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..errors import DataError, OutputError
from ..files.binary_files import is_compressed
from ..files.columns import LABEL_SEPARATOR, Record
from ..files.records import Records, check_value, choose_format, is_gzipped

_FORMATS = ("csv", "tsv", "jsonl")
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_SURROGATE = re.compile("[\ud800-\udfff]")  # which UTF-8 cannot encode and JSON can escape
#: The value of an added field; None is an empty field, or null. A table joins several labels.
Value = Union[str, float, bool, list[str], None]


@dataclass(frozen=True)
class RowFormat:
    """How rows are written.

    Attributes:
        name: `csv`, `tsv` or `jsonl`.
        header: the names of the input's columns; None for a table without header and for objects.
        added: the names of the added fields.
    """

    name: str
    header: tuple[str, ...] | None
    added: tuple[str, ...]

    def first_line(self) -> str:
        """Return the line before the first row, which names the columns; empty without header."""
        if self.name == "jsonl" or self.header is None:
            return ""
        return self._join_fields((*self.header, *self.added)) + "\n"

    def start_row(self, record: Record) -> str:
        """Return the input's fields as the start of a row; raise ValueError if they do not fit."""
        fields = record.fields
        if isinstance(fields, list) and self.name != "jsonl":
            if self.name == "tsv" and any(set(field) & set("\t\r\n") for field in fields):
                raise ValueError("TSV has no tabs and line breaks in fields: write .csv instead")
            return check_value(self._join_fields(fields), "row")
        if isinstance(fields, list):
            fields = dict(zip(self.header or (), fields))
        try:
            start = json.dumps(fields, ensure_ascii=False, allow_nan=False)
        except ValueError:
            raise ValueError("NaN and infinity are not JSON") from None
        if start.isascii():
            return start
        check_value(start, "row")
        return json.dumps(fields) if _SURROGATE.search(start) else start

    def end_row(self, start: str, values: Sequence[Value]) -> bytes:
        """Return a complete row.

        Args:
            start: what `start_row` returned.
        """
        if self.name == "jsonl":
            added = json.dumps(dict(zip(self.added, values)), ensure_ascii=False)
            return f"{start[:-1]}, {added[1:]}\n".encode()
        added = self._join_fields([_to_field(value) for value in values])
        return f"{start}{_SEPARATORS[self.name]}{added}\n".encode()

    def find_collision(self, record: Record) -> str | None:
        """Return the first added name that an object already has, or None."""
        if isinstance(record.fields, list):  # the header was checked
            return None
        return next((name for name in self.added if name in record.fields), None)

    def _join_fields(self, fields: Sequence[str]) -> str:
        if self.name == "tsv":
            return "\t".join(fields)
        row = io.StringIO()
        csv.writer(row, lineterminator="\r\n").writerow(fields)  # quotes both characters
        return row.getvalue()[:-2]


def check_output_name(path: Path) -> str:
    """Return the format that a file's extension names; raise OutputError if it names none."""
    format_ = choose_format(path.name)
    if format_ not in _FORMATS or (is_compressed(path.name) and not is_gzipped(path.name)):
        raise OutputError(
            f"{path}: expected a file name that ends in .csv, .tsv or .jsonl, with or without .gz"
        )
    return format_


def choose_row_format(records: Records, output: Path, added: tuple[str, ...]) -> RowFormat:
    """Choose how the rows of an input are written to an output.

    Raises:
        DataError: the input already has a column of an added name, or does not fit the format.
        OutputError: the output's extension names no format.
    """
    format_ = check_output_name(output)
    name, header = records.name, records.header
    if records.format == "parquet":
        raise DataError(f"{name}: Parquet cannot be scored: write it as CSV or JSONL")
    if records.format == "jsonl" and format_ != "jsonl":
        raise DataError(f"{name} holds JSON objects, which only JSONL keeps whole: write .jsonl")
    if records.format != "jsonl" and format_ == "jsonl":
        if header is None:
            raise DataError(f"{name} has no header to name the fields of JSONL: write .csv")
        if len(set(header)) < len(header):
            raise DataError(f"{name} has two columns of one name: write .csv, or rename one")
    for column in added:
        if column in (header or ()):
            raise DataError(f"{name} {describe_collision(column, 'a column')}")
    return RowFormat(format_, header, added)


def check_labels(labels: Sequence[str], format_: str) -> None:
    """Raise OutputError if a label holds the character that separates labels in a format."""
    for label in labels:
        if format_ != "jsonl" and LABEL_SEPARATOR in label:
            raise OutputError(
                f'the label "{label}" holds "{LABEL_SEPARATOR}", which separates labels in CSV and '
                "TSV: write .jsonl"
            )


def describe_collision(name: str, kind: str) -> str:
    """Return what to do about a column or field that would be replaced."""
    return f'already has {kind} "{name}": give the new ones other names, such as --prefix new_'


def _to_field(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return LABEL_SEPARATOR.join(value)
    return value if isinstance(value, str) else json.dumps(value)
