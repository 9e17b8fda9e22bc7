"""Divides input files into parts, each of which one worker reads, scores and writes.

A part becomes one output file, so a job that was killed continues with the parts without one.
Parquet is divided by rows, JSONL at line ends. A CSV or TSV file is one part: where its rows end
depends on all quotes before.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Union

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.column_search import find_keys
from glovelite.runtime.files.columns import BadRow, ColumnNames, Columns, Record
from glovelite.runtime.files.records import Records, check_value, open_records, read_text

from .files import InputFile
from .tables import make_column, read_objects

BLOCK_BYTES = 1 << 16
BYTES_PER_ROW = 200  # assumed of JSONL, whose rows are not counted before
BATCH_ROWS = 1_024
_HEAD_BYTES = 1 << 24  # of a file whose first rows are looked at
#: Rows with all columns of the input: a table, or the objects of JSONL.
Rows = Union[pa.Table, list[dict[str, Any]]]


@dataclass(frozen=True)
class Part:
    """A range of one file.

    Attributes:
        start: first row in Parquet, first byte in JSONL, else 0.
        end: the row or byte after it; None for the end of the file.
        name: of its output, without extension.
    """

    file: InputFile
    start: int
    end: int | None
    name: str

    @property
    def skipped_bytes(self) -> int:
        """Number of bytes before the first line of a range of JSONL, whose lines count from it."""
        return self.start if self.file.format == "jsonl" else 0

    @property
    def after(self) -> str:
        """What messages add to a line: where the lines of a range of JSONL count from."""
        return f" after byte {self.skipped_bytes:,}" if self.skipped_bytes else ""


def divide(files: Sequence[InputFile], rows: int) -> list[Part]:
    """Divide files into parts of about a number of rows."""
    parts, stems = list[Part](), set[str]()
    for file in files:
        stem = file.key.replace("/", "-")
        while stem in stems:  # two folders may have files of one name
            stem += "_"
        stems.add(stem)
        parts += [
            Part(file, start, end, f"{stem}-{number:05}")
            for number, (start, end) in enumerate(_divide_file(file, rows))
        ]
    return parts


def identify_parts(parts: Sequence[Part]) -> str:
    """Return a hash of the files and ranges of parts, with the sizes and times of the files."""
    ranges = [
        (part.file.location.path, part.file.size, part.file.modified, part.start, part.end)
        for part in parts
    ]
    return hashlib.sha256(repr(ranges).encode()).hexdigest()


def _divide_file(file: InputFile, rows: int) -> Iterator[tuple[int, int | None]]:
    if file.format == "parquet":
        with file.location.open_input() as source:
            total = pq.ParquetFile(source).metadata.num_rows
        for start in range(0, max(total, 1), rows):
            yield start, min(start + rows, total)
    elif file.format == "jsonl" and not file.is_compressed:
        with file.location.open_input() as source:
            start, step = 0, rows * BYTES_PER_ROW
            while file.size - start > step:
                end = _find_line_end(source, start + step)
                if end >= file.size:
                    break
                yield start, end
                start = end
        yield start, file.size
    else:
        yield 0, None


def _find_line_end(source: pa.NativeFile, position: int) -> int:
    """Return where the line that holds a position ends, its line break included."""
    source.seek(position)
    while block := source.read(BLOCK_BYTES):
        found = block.find(b"\n")
        if found >= 0:
            return position + int(found) + 1
        position += len(block)
    return position


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows of a part.

    Attributes:
        texts: of the usable rows.
        rows: the usable rows.
        lines: of the usable rows. In Parquet, a line is a row, from 1; in a range of JSONL, lines
            count from the start of the range.
        bad: the other rows.
    """

    texts: list[str]
    rows: Rows
    lines: list[int]
    bad: list[BadRow]

    def as_objects(self) -> RowBatch:
        """Return the batch with its rows as objects; those that cannot be objects are bad."""
        if isinstance(self.rows, list):
            return self
        texts, rows, lines = list[str](), list[dict[str, Any]](), list[int]()
        bad = list(self.bad)
        for text, row, line in zip(self.texts, read_objects(self.rows), self.lines):
            if isinstance(row, str):
                bad.append(BadRow(line, row))
                continue
            texts.append(text)
            rows.append(row)
            lines.append(line)
        return RowBatch(texts, rows, lines, bad)


def read_part(
    part: Part, names: ColumnNames, encoding: str | None, clean: Callable[[str], str]
) -> Iterator[RowBatch]:
    """Yield the rows of a part in batches, in their order.

    Args:
        encoding: of text files; None detects it.
        clean: what changes each text before it is classified.

    Raises:
        DataError: the file cannot be read, or has changed since it was listed.
    """
    for batch in _read_batches(part, names, encoding):
        yield replace(batch, texts=list(map(clean, batch.texts)))
    part.file.check_unchanged()


def _read_batches(part: Part, names: ColumnNames, encoding: str | None) -> Iterator[RowBatch]:
    if part.file.format == "parquet":
        yield from _read_parquet(part, names)
        return
    with open_part(part, names, encoding, labelled=False) as records:
        rows = iter(records)
        while batch := list(islice(rows, BATCH_ROWS)):
            yield _make_batch(batch, records)


def _read_parquet(part: Part, names: ColumnNames) -> Iterator[RowBatch]:
    columns = None
    for table, first in read_tables(part):
        if columns is None:
            head = dict.fromkeys(table.column_names)
            columns = find_keys(head, names, part.file.location.name, labelled=False)
        chosen = table.select([str(name) for name in columns.text])
        texts, usable, bad = _read_texts(read_records(chosen, first), columns)
        lines = [record.line for record in usable]
        kept = table.take([line - first - 1 for line in lines]) if bad else table
        yield RowBatch(texts, kept, lines, bad)


def read_tables(part: Part) -> Iterator[tuple[pa.Table, int]]:
    """Yield the rows of a part of Parquet as tables, and the index of the first row of each."""
    with part.file.location.open_input() as source:
        file = pq.ParquetFile(source)
        row, start, end = 0, part.start, part.end or 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if row + size <= start or row >= end:
                row += size
                continue
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
                skipped = max(0, start - row)
                kept = batch.slice(skipped, max(0, min(end - row, len(batch)) - skipped))
                if len(kept):
                    yield pa.Table.from_batches([kept]), row + skipped
                row += len(batch)


def read_records(table: pa.Table, first: int) -> Iterator[Record | BadRow]:
    """Yield the rows of a table, given the index of its first row in the file."""
    for row, fields in enumerate(read_objects(table), first + 1):
        yield BadRow(row, fields) if isinstance(fields, str) else Record(fields, row)


def _read_texts(
    records: Iterable[Record | BadRow], columns: Columns
) -> tuple[list[str], list[Record], list[BadRow]]:
    """Return the texts of the usable records, these records, and the other ones."""
    texts, usable, bad = list[str](), list[Record](), list[BadRow]()
    for record in records:
        if isinstance(record, BadRow):
            bad.append(record)
            continue
        text = read_text(record, columns, may_be_empty=True)
        problem = text if isinstance(text, BadRow) else _find_undecoded(record)
        if problem is not None:
            bad.append(problem)
        else:
            texts.append(str(text))
            usable.append(record)
    return texts, usable, bad


def _find_undecoded(record: Record) -> BadRow | None:
    """Return a bad row if a string of a record was not decoded."""
    fields = record.fields
    for name, value in fields.items() if isinstance(fields, dict) else enumerate(fields, start=1):
        try:
            if isinstance(value, str) and value:
                check_value(value, "field")
        except ValueError as error:
            return BadRow(record.line, f"{name!r}: {error}")
    return None


@contextmanager
def open_part(
    part: Part, names: ColumnNames, encoding: str | None, labelled: bool
) -> Iterator[Records]:
    """Yield the records of a part of a text file; errors name the file, not a copy of it.

    Args:
        labelled: whether there must be a label column.

    Raises:
        DataError: the file cannot be read, or its columns cannot be determined.
    """
    location = part.file.location
    with location.name_errors(), _local_copy(part) as path:
        try:
            yield open_records(str(path), names, part.file.format, labelled, encoding)
        except DataError as error:
            raise DataError(str(error).replace(str(path), location.name)) from None


def open_head(file: InputFile, names: ColumnNames, encoding: str | None, labelled: bool) -> Records:
    """Find the columns of a file in its first rows.

    Returns:
        The file without its records.
    """
    name = file.location.name
    if file.format == "parquet":
        with file.location.open_input() as opened:
            keys = pq.ParquetFile(opened).schema_arrow.names
        columns = find_keys(dict.fromkeys(keys), names, name, labelled)
        return Records(name, file.format, columns, None, iter(()))
    end = None
    if file.size > _HEAD_BYTES and not file.is_compressed:
        with file.location.open_input() as opened:
            end = _find_line_end(opened, _HEAD_BYTES)
    with open_part(Part(file, 0, end, ""), names, encoding, labelled) as records:
        return replace(records, name=name, records=iter(()))


def _make_batch(batch: list[Record | BadRow], records: Records) -> RowBatch:
    texts, usable, bad = _read_texts(batch, records.columns)
    objects = [record.fields for record in usable if isinstance(record.fields, dict)]
    rows = [record.fields for record in usable if isinstance(record.fields, list)]
    lines = [record.line for record in usable]
    return RowBatch(texts, _make_text_table(rows, records) if rows else objects, lines, bad)


def _make_text_table(rows: list[list[str]], records: Records) -> pa.Table:
    """Return the rows of a table of text as columns of strings."""
    names = records.header or tuple(f"column_{number}" for number in range(1, len(rows[0]) + 1))
    if len(set(names)) < len(names):
        raise DataError(f"{records.name} has two columns of one name: rename one")
    return pa.table(list(map(make_column, zip(*rows))), names=list(names))


@contextmanager
def _local_copy(part: Part) -> Iterator[Path]:
    """Yield a file of this machine that holds the part."""
    location = part.file.location
    whole = part.end is None or (part.start, part.end) == (0, part.file.size)
    if whole and isinstance(location.system, fs.LocalFileSystem):
        yield Path(location.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(location.path).name)
        with location.open_input() as source, path.open("wb") as file:
            if part.end is None:
                shutil.copyfileobj(source, file)
            else:
                source.seek(part.start)
                file.write(source.read(part.end - part.start))
        yield path
