"""Reads the records of a file: rows of a table, objects or lines, with all their fields.

| format     | content                                                                    |
|------------|----------------------------------------------------------------------------|
| `csv`      | separated by commas, semicolons, tabs or pipes, quoted, header or not      |
| `tsv`      | separated by tabs, quoted only where rows span lines, header or not        |
| `jsonl`    | a JSON object per line                                                     |
| `fasttext` | `__label__positive the text` per line, with any number of labels anywhere  |
| `xlsx`     | the first sheet of an Excel workbook, header or not; needs the train extra |
| `parquet`  | a table with column names; needs the train extra                           |

The format of a file is detected from its content if that is no text, else from its extension or its
first lines.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError
from ..logs import WARNING
from ..strict_json import check_levels
from ..trained_text import join_columns
from .binary_files import (
    STANDARD_INPUT,
    is_compressed,
    name_damage,
    open_binary,
    remove_compression,
    source_name,
)
from .binary_tables import read_parquet, read_xlsx
from .column_search import find_columns, find_keys
from .columns import BadRow as BadRow
from .columns import ColumnNames, Columns, TableRow
from .columns import Record as Record
from .kinds import HEAD_BYTES, find_kind
from .tables import is_separator_line, split_csv, split_tsv
from .text_lines import read_lines

#: Format that is no text -> what messages call it.
BINARY_FORMATS = {"xlsx": "an Excel workbook", "parquet": "Parquet"}
FORMATS = ("csv", "tsv", "jsonl", "fasttext", *BINARY_FORMATS)
#: End of a file's name, before that of its compression -> format.
EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ft": "fasttext",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
}
_FASTTEXT_LABEL = re.compile(r"(?<!\S)__label__(\S+)\s*")
_SNIFFED_LINES = 20
_FASTTEXT_SEPARATOR = " "  # no label holds one
_JSON_ARRAY = re.compile(r"\s*\[\s*(\{|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNDECODED = re.compile("[\udc80-\udcff]")  # how surrogateescape decodes invalid bytes
_GUESS_ROWS = 200  # rows from which columns are guessed


@dataclass(frozen=True)
class Records:
    """The records of one file, read as they are iterated.

    Attributes:
        name: the file's name in messages.
        format: one of `FORMATS`.
        columns: where text, labels, group and time are in each record.
        header: the names of a table's columns; None for a table without header and for objects.
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

    @property
    def text_names(self) -> tuple[str, ...]:
        """The names of the text columns; empty if they have none that UTF-8 can encode."""
        if self.format == "fasttext":
            return ()
        names = [
            self.header[column] if isinstance(column, int) and self.header else column
            for column in self.columns.text
        ]
        encoded = [name for name in names if isinstance(name, str) and not _SURROGATE.search(name)]
        return tuple(encoded) if all(encoded) and len(encoded) == len(names) else ()

    def describe_columns(self) -> Iterator[str]:
        """Say which columns are read, and what was guessed about them, as `log_lines` takes it."""
        if self.columns.text and self.format != "fasttext":
            for note in (self.columns.describe(self.header), *self.columns.notes):
                prefix = WARNING if note.startswith(WARNING) else ""
                yield f"{prefix}{self.name}: {note.removeprefix(WARNING)}"


def open_records(
    path: str,
    requested: ColumnNames,
    format_: str | None = None,
    labelled: bool = True,
    encoding: str | None = None,
) -> Records:
    """Open a file of records and find its columns from the first ones.

    Args:
        path: a file, text also compressed, or `-` for text on standard input.
        format_: one of `FORMATS`, or None to detect it.
        labelled: whether there must be a label column.
        encoding: the encoding of text; None detects it.

    Raises:
        DataError: the file cannot be read, or its columns cannot be determined.

    Example:
        >>> file = open_records("mails.csv", ColumnNames(text=("body",)), labelled=False)
        >>> for record in file:
        ...     text = record if isinstance(record, BadRow) else read_text(record, file.columns)
    """
    name = source_name(path)
    format_ = format_ or choose_format(path)
    if format_ in BINARY_FORMATS and path == STANDARD_INPUT:
        raise _not_a_plain_file(name, format_)
    file = open_binary(path)
    format_ = _check_kind(file, path, format_)
    if format_ == "xlsx":
        return _open_table(read_xlsx(path), format_, requested, name, labelled)
    if format_ == "parquet":
        return _open_objects(read_parquet(path), format_, requested, name, labelled)
    lines = read_lines(file, name, encoding)
    head = list(islice(lines, _SNIFFED_LINES))
    lines = chain(head, lines)
    if head and _JSON_ARRAY.match(head[0]):
        raise DataError(f"{name} is a JSON array: write one object per line (JSONL)")
    format_ = format_ or _detect_format(head)
    if format_ == "fasttext":
        refuse_columns(requested, name, "the fastText format")
        return _open_fasttext(lines, name)
    if format_ == "jsonl":
        return _open_objects(_parse_objects(lines), format_, requested, name, labelled)
    rows = split_tsv(lines, name) if format_ == "tsv" else split_csv(lines, name)
    return _open_table(rows, format_, requested, name, labelled)


def choose_format(path: str) -> str | None:
    """Return the format that a file's extension names, before that of a compression, or None."""
    return EXTENSIONS.get(Path(remove_compression(path.lower())).suffix)


def is_gzipped(path: str) -> bool:
    """Return whether a file's name ends in `.gz`."""
    return path.lower().endswith(".gz")


def read_text(record: Record, columns: Columns, may_be_empty: bool = False) -> str | BadRow:
    """Return a record's text, its text columns joined by newlines; a bad row if there is none."""
    texts = []
    for column in columns.text:
        text = record.get(column)
        if not isinstance(text, str):
            return BadRow(record.line, f"{column!r} is not a string")
        texts.append(text)
    text = join_columns(texts)
    if may_be_empty and not text:
        return text
    try:
        return check_value(text, "text")
    except ValueError as error:
        return BadRow(record.line, str(error))


def check_value(value: str, name: str) -> str:
    """Return a value; raise ValueError if it is empty or was not decoded."""
    if not value:
        raise ValueError(f"the {name} is empty")
    if not value.isascii() and (match := _UNDECODED.search(value)):
        raise ValueError(f"byte {ord(match[0]) - 0xDC00:#04x} cannot be decoded")
    return value


def _check_kind(file: BinaryIO, path: str, format_: str | None) -> str | None:
    """Return the format of a file, which its content decides if it is no text.

    Raises:
        DataError: the content is of a kind that is not read, or not what the name says.
    """
    name = source_name(path)
    with name_damage(file, name):
        kind = find_kind(file)
        is_text = kind is None and b"\0" not in (head := file.read(HEAD_BYTES)) and bool(head)
        file.seek(0)
    if kind is not None and kind.format is None:
        raise DataError(kind.refuse(name))
    if kind is not None and (is_compressed(path) or not isinstance(file, io.BufferedReader)):
        raise _not_a_plain_file(name, kind.name)
    if kind is None and format_ in BINARY_FORMATS and is_text:
        raise DataError(
            f"{name} cannot be read as {BINARY_FORMATS[format_]}: it is text: name it after what "
            "it is, such as .csv"
        )
    return format_ if kind is None else kind.format


def _not_a_plain_file(name: str, kind: str) -> DataError:
    return DataError(f"{name}: {kind} is read from a file that is not compressed")


def _detect_format(head: Sequence[str]) -> str:
    """Return the format of text, from its first lines."""
    first = next(iter(head), "")
    if first.lstrip().startswith("{"):
        return "jsonl"
    lines = [line for line in head if line.strip()]
    labelled = sum(bool(_FASTTEXT_LABEL.search(line)) for line in lines)
    if first.startswith("__label__") or 2 * labelled > len(lines):
        return "fasttext"
    return "tsv" if "\t" in first and not is_separator_line(first) else "csv"


def refuse_columns(requested: ColumnNames, name: str, kind: str) -> None:
    """Raise DataError for an option about columns where there are no columns."""
    for option, value in (
        ("group-column", requested.group),
        ("time-column", requested.time),
        ("label-columns", ",".join(requested.label_columns)),
        ("label-separator", requested.separator),
    ):
        if value:
            raise DataError(
                f"{name}: {kind} has no columns, so --{option} {value} needs a table or JSONL"
            )


def _open_fasttext(lines: Iterable[str], name: str) -> Records:
    columns = Columns(text=(1,), label=0, separator=_FASTTEXT_SEPARATOR)
    return Records(name, "fasttext", columns, ("label", "text"), _split_fasttext(lines))


def _split_fasttext(lines: Iterable[str]) -> Iterator[Record | BadRow]:
    for number, line in enumerate(lines, start=1):
        labels = [label.rstrip(",") for label in _FASTTEXT_LABEL.findall(line)]
        text = _FASTTEXT_LABEL.sub("", line).strip()
        if text or labels:
            yield Record([_FASTTEXT_SEPARATOR.join(labels), text], number)


def _open_objects(
    records: Iterator[Record | BadRow],
    format_: str,
    requested: ColumnNames,
    name: str,
    labelled: bool,
) -> Records:
    bad: list[Record | BadRow] = []
    for record in records:
        if isinstance(record, Record):
            assert isinstance(record.fields, dict)
            columns = find_keys(record.fields, requested, name, labelled)
            return Records(name, format_, columns, None, chain(bad, [record], records))
        bad.append(record)
        if len(bad) >= _GUESS_ROWS:
            raise DataError(
                f"{name}: none of its first {len(bad)} lines is a JSON object: choose "
                "another format with --format"
            )
    return Records(name, format_, Columns(), None, iter(bad))


def _parse_objects(lines: Iterable[str]) -> Iterator[Record | BadRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line, object_pairs_hook=_make_object)
            check_levels(line, fields)
        except _RepeatedKeyError as error:
            yield BadRow(number, f"the key {error.args[0]!r:.40} occurs twice")
            continue
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON ({error})")
            continue
        if not isinstance(fields, dict):
            yield BadRow(number, "not a JSON object")
        elif not fields:
            yield BadRow(number, "an empty object")
        else:
            yield Record(fields, number)


class _RepeatedKeyError(ValueError):
    """An object has a key twice."""


def _make_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return fields


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
