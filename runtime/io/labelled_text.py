"""Reads labelled text as its owners keep it: one row at a time, nothing dropped in silence.

| kind         | what it looks like                                            |
|--------------|---------------------------------------------------------------|
| `csv`        | comma separated, quoted where need be, header or not          |
| `tsv`        | tab separated, never quoted (as GLUE's), header or not        |
| `jsonl`      | a JSON object a line                                          |
| `fasttext`   | `__label__positive the text` a line                           |
| a folder     | a folder per class, a text file each (as aclImdb's)           |

Files may be gzipped; `-` is standard input. The kind is told by the name's ending, else by the
first line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Union

from ..errors import DataError
from .columns import Columns, find_columns, find_keys
from .text_lines import chain_line, open_lines

KINDS = ("csv", "tsv", "jsonl", "fasttext")
_ENDINGS = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv"},
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".ft": "fasttext"},
}
_LABEL = re.compile(r"__label__(\S+)\s*")
_GUESS_ROWS = 200  # rows looked at to guess columns

csv.field_size_limit(1 << 30)  # a review is not an attack; Python's default is 128 kB a field


class Row(NamedTuple):
    """One labelled text and where it stands: a line number, or a file's place in its folder."""

    text: str
    label: str
    line: int


class BadRow(NamedTuple):
    """One row that cannot be used, and why."""

    line: int
    reason: str


Rows = Iterator[Union[Row, BadRow]]


@dataclass(frozen=True)
class Source:
    """Where labelled text is and how to read it.

    Attributes:
        path: a file, a folder, or `-` for standard input.
        kind: one of `KINDS`, or None to tell by name and first line.
        text_column: name or number (from 1) of the text's column; None guesses.
        label_column: the same for the label.
    """

    path: str
    kind: str | None = None
    text_column: str | None = None
    label_column: str | None = None


def read_rows(source: Source) -> Rows:
    """Read a file of labelled text.

    Args:
        source: a file or standard input.

    Yields:
        Rows, and bad rows with their reason, in order.

    Raises:
        DataError: the file is not there, or its columns cannot be told.
    """
    name = "standard input" if source.path == "-" else source.path
    lines = open_lines(source.path, name)
    first = next(lines, "")
    kind = source.kind or _tell_kind(source.path, first)
    everything = chain_line(first, lines)
    if kind == "fasttext":
        return _read_fasttext(everything)
    if kind == "jsonl":
        return _read_jsonl(everything, source, name)
    return _read_table(everything, kind, source, name)


def _tell_kind(path: str, first: str) -> str:
    ending = Path(path.removesuffix(".gz")).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if first.startswith("__label__"):
        return "fasttext"
    if first.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in first else "csv"


def _read_fasttext(lines: Iterator[str]) -> Rows:
    for number, line in enumerate(lines, start=1):
        labels = []
        rest = line.strip()
        while match := _LABEL.match(rest):
            labels.append(match[1])
            rest = rest[match.end() :]
        if not rest and not labels:
            continue
        if len(labels) != 1:
            yield BadRow(number, f"{len(labels)} labels where one is expected")
        else:
            yield _check(rest, labels[0], number)


def _read_jsonl(lines: Iterator[str], source: Source, name: str) -> Rows:
    keys: tuple[str, str] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON ({error})")
            continue
        if not isinstance(record, dict):
            yield BadRow(number, "not a JSON object")
            continue
        if keys is None and not record:
            yield BadRow(number, "an empty object")
            continue
        keys = keys or find_keys(record, source.text_column, source.label_column, name)
        text, label = record.get(keys[0]), record.get(keys[1])
        if not isinstance(text, str):
            yield BadRow(number, f"{keys[0]!r} is not a string")
        elif not isinstance(label, (str, int, float)):
            yield BadRow(number, f"{keys[1]!r} is neither a string nor a number")
        else:
            yield _check(text.strip(), str(label).strip(), number)


def _read_table(lines: Iterator[str], kind: str, source: Source, name: str) -> Rows:
    first_line = next(lines, "")
    # Spreadsheets of half of Europe write semicolons where others write commas.
    delimiter = ";" if ";" in first_line and "," not in first_line else ","
    lines = chain_line(first_line, lines)
    rows = _split_csv(lines, delimiter, name) if kind == "csv" else _split_tsv(lines)
    head: list[tuple[list[str], int]] = []
    for fields, line in rows:
        if isinstance(fields, BadRow):
            yield fields
        else:
            head.append((fields, line))
        if len(head) >= _GUESS_ROWS:
            break
    if not head:
        return
    columns = find_columns(
        [fields for fields, _ in head], source.text_column, source.label_column, name
    )
    for fields, line in head[1:] if columns.header else head:
        yield _take(fields, line, columns)
    for fields, line in rows:
        yield fields if isinstance(fields, BadRow) else _take(fields, line, columns)


Fields = Iterator[tuple[Union[list[str], BadRow], int]]


def _split_tsv(lines: Iterator[str]) -> Fields:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield line.rstrip("\r\n").split("\t"), number


def _split_csv(lines: Iterator[str], delimiter: str, name: str) -> Fields:
    rows = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        begun = rows.line_num + 1
        try:
            fields = next(rows, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):  # it swallowed all that follows
                raise DataError(
                    f"{name}: a quote opened in line {begun} is never closed, so lines {begun} to "
                    f"{rows.line_num} cannot be told apart: mend it"
                ) from None
            yield BadRow(begun, str(error)), begun
            continue
        if fields is None:
            return
        if fields:
            yield fields, begun


def _take(fields: list[str], line: int, columns: Columns) -> Row | BadRow:
    if len(fields) != columns.count:
        hint = "" if len(fields) < columns.count else ": quote texts that hold separators"
        return BadRow(line, f"{len(fields)} fields under {columns.count} columns{hint}")
    return _check(fields[columns.text].strip(), fields[columns.label].strip(), line)


def _check(text: str, label: str, line: int) -> Row | BadRow:
    for what, value in (("text", text), ("label", label)):
        if not value:
            return BadRow(line, f"the {what} is empty")
        if not value.isascii() and (wrong := re.search("[\udc80-\udcff]", value)):
            return BadRow(line, f"byte {ord(wrong[0]) - 0xDC00:#04x} is not UTF-8")
    if not label.isprintable():
        return BadRow(line, f"the label {label[:40]!r} holds a character that cannot be printed")
    return Row(text, label, line)
