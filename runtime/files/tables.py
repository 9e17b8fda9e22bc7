"""Reads the rows of CSV and TSV.

CSV is quoted and separated by commas, semicolons, tabs or pipes: spreadsheets write semicolons in
locales with a decimal comma. TSV is separated by tabs and rarely quoted: GLUE's has quotes as text.
"""

from __future__ import annotations

import csv
import logging
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from ..errors import DataError
from .columns import BadRow, TableRow

logger = logging.getLogger(__name__)

#: What separates fields, and how a message calls it.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_SEPARATOR_LINE = re.compile(r"sep=([^\w\s\"]|\t)\r?\n?")  # the first line of Excel's files
_SAMPLE_LINES = 100
_MAX_QUOTED_LINES = 1_000  # of a row of TSV

MAX_FIELD = 1 << 24  # characters; Python's default of 128 kB is less than a long document
csv.field_size_limit(MAX_FIELD)


def split_tsv(lines: Iterator[str], name: str) -> Iterator[TableRow]:
    """Yield the rows of TSV: quoted if only that gives its first rows the same number of fields.

    Where it is not quoted, a row of too few fields may still be one whose quotes span lines.

    Raises:
        DataError: a quote is never closed.
    """
    head = list(islice(lines, _SAMPLE_LINES))
    rows = chain(head, lines)
    if _is_quoted(head):
        logger.info(f"{name}: fields are quoted")
        return _split(rows, "\t", 0, name)
    return _split_unquoted(rows)


def _is_quoted(lines: Sequence[str]) -> bool:
    """Return whether lines of TSV have rows of one length only if they are quoted."""
    plain = {line.count("\t") for line in lines if line.strip()}
    quoted = {*_count_fields(lines, "\t")}
    return len(plain) > 1 and len(quoted) == 1 and quoted != {1}


def _split_unquoted(lines: Iterator[str]) -> Iterator[TableRow]:
    """Yield the rows of TSV, joining the lines of the few that are quoted."""
    count, number = 0, 0
    pending: deque[str] = deque()
    while (line := pending.popleft() if pending else next(lines, None)) is not None:
        number += 1
        if not line.strip():
            continue
        fields, used = line.rstrip("\r\n").split("\t"), 1
        if len(fields) < count and any(field.startswith('"') for field in fields):
            pending.extend(islice(lines, max(0, _MAX_QUOTED_LINES - len(pending))))
            joined = _join_quoted([line, *pending], count)
            if joined is not None:
                fields, used = joined
        count = count or len(fields)
        yield fields, number
        for _ in range(used - 1):
            pending.popleft()
        number += used - 1


def _join_quoted(lines: Sequence[str], count: int) -> tuple[list[str], int] | None:
    """Return the fields of a quoted row and its number of lines; None if it has no `count`."""
    reader = csv.reader(lines, strict=True, delimiter="\t")
    try:
        fields = next(reader)
    except csv.Error:
        return None
    return (fields, reader.line_num) if len(fields) == count and reader.line_num > 1 else None


def split_csv(lines: Iterator[str], name: str) -> Iterator[TableRow]:
    """Yield the rows of CSV.

    Raises:
        DataError: a quote is never closed.
    """
    head = list(islice(lines, _SAMPLE_LINES))
    named = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    separator = named[1] if named else find_separator(head)
    if separator != "," and not named:
        logger.info(f"{name}: fields are separated by {SEPARATORS[separator]}")
    skipped = 1 if named else 0
    return _split(chain(head[skipped:], lines), separator, skipped, name)


def is_separator_line(line: str) -> bool:
    """Return whether a line is `sep=;`, with which Excel names the separator of a CSV file."""
    return _SEPARATOR_LINE.fullmatch(line) is not None


def find_separator(lines: Sequence[str]) -> str:
    """Return what splits the first lines of CSV most evenly into two fields or more.

    The comma is taken unless another separator does better.
    """
    best, best_share = ",", 0.0
    for separator in SEPARATORS:
        counts = _count_fields(lines, separator)
        if counts and counts[0] >= 2:
            share = counts.count(counts[0]) / len(counts)
            if share > best_share:
                best, best_share = separator, share
    return best


def _count_fields(lines: Sequence[str], separator: str) -> list[int]:
    """Return the number of fields in each row; without the last row, which may be cut off."""
    counts = []
    try:
        counts += [len(fields) for fields in csv.reader(lines, delimiter=separator) if fields]
    except csv.Error:
        return []
    return counts[:-1] if len(lines) == _SAMPLE_LINES else counts


def _split(lines: Iterable[str], separator: str, skipped: int, name: str) -> Iterator[TableRow]:
    reader = csv.reader(lines, strict=True, delimiter=separator)
    while True:
        start = reader.line_num + skipped + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "larger than field limit" in str(error):  # the next rows cannot be found
                raise DataError(
                    f"{name}, line {start}: expected at most {MAX_FIELD:,} characters in a field: "
                    "if a quote is not closed, close it"
                ) from None
            if "unexpected end of data" in str(error):  # the quote spans the rest of the file
                last = reader.line_num + skipped
                raise DataError(
                    f"{name}: the quote opened in line {start} is never closed, so lines {start} "
                    f"to {last} cannot be split: close it"
                ) from None
            yield BadRow(start, str(error)), start
            continue
        if fields is None:
            return
        if fields:
            yield fields, start
