"""Divides input files into parts, each of which one worker reads, scores and writes.

A part becomes one output file, so a job that was killed continues with the parts without one.
Parquet is divided by rows, JSONL at line ends. A CSV or TSV file is one part: where its rows end
depends on all quotes before.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Union

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import BadRow, ColumnNames, Columns, Record, find_keys
from glovelite.runtime.files.records import Records, open_records, read_text

from .files import InputFile

BLOCK_BYTES = 1 << 16
BYTES_PER_ROW = 200  # assumed of JSONL, whose rows are not counted before
BATCH_ROWS = 1_024
#: Rows with all columns of the input: a table, or the objects of JSONL.
Rows = Union[pa.Table, list[dict[str, Any]]]


@dataclass(frozen=True)
class Part:
    """A range of one file.

    Attributes:
        file: the input.
        start: its first row in Parquet, its first byte in JSONL, else 0.
        end: the row or byte after it; None for the end of the file.
        name: of its output, without extension.
    """

    file: InputFile
    start: int
    end: int | None
    name: str


def divide(files: Sequence[InputFile], rows: int) -> list[Part]:
    """Divide files into parts of about a number of rows.

    Raises:
        DataError: a file cannot be read.
    """
    parts, stems = list[Part](), set[str]()
    for file in files:
        try:
            ranges = list(_divide_file(file, rows))
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{file.location.name} cannot be read: {error}") from None
        stem = file.key.replace("/", "-")
        while stem in stems:  # two folders may have files of one name
            stem += "_"
        stems.add(stem)
        parts += [
            Part(file, start, end, f"{stem}-{number:05}")
            for number, (start, end) in enumerate(ranges)
        ]
    return parts


def identify_parts(parts: Sequence[Part]) -> str:
    """Return a hash of which parts of which files these are, not of their content."""
    ranges = [(each.file.location.path, each.file.size, each.start, each.end) for each in parts]
    return hashlib.sha256(repr(ranges).encode()).hexdigest()


def _divide_file(file: InputFile, rows: int) -> Iterator[tuple[int, int | None]]:
    system, path = file.location.system, file.location.path
    if file.format == "parquet":
        with system.open_input_file(path) as source:
            total = pq.ParquetFile(source).metadata.num_rows
        for start in range(0, max(total, 1), rows):
            yield start, min(start + rows, total)
    elif file.format == "jsonl" and not file.is_gzipped:
        with system.open_input_file(path) as source:
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
        texts: the texts of the rows that can be used.
        rows: those rows.
        bad: the other rows. The line of one in Parquet is its row, from 1; that of one in a range
            of JSONL counts from the start of the range.
    """

    texts: list[str]
    rows: Rows
    bad: list[BadRow]


def read_part(
    part: Part, text_columns: tuple[str, ...], encoding: str | None
) -> Iterator[RowBatch]:
    """Yield the rows of a part in batches, in their order.

    Args:
        part: the part.
        text_columns: names of the text columns; empty looks for one.
        encoding: of text files; None detects it.

    Raises:
        DataError: the file cannot be read, or has no text column.
    """
    names = ColumnNames(text=text_columns)
    try:
        if part.file.format == "parquet":
            yield from _read_parquet(part, names)
        else:
            yield from _read_text_file(part, names, encoding)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{part.file.location.name} cannot be read: {error}") from None


def _read_parquet(part: Part, names: ColumnNames) -> Iterator[RowBatch]:
    location, columns = part.file.location, None
    with location.system.open_input_file(location.path) as source:
        for table, row in read_tables(pq.ParquetFile(source), part.start, part.end or 0):
            if columns is None:
                first = table.slice(0, 1).to_pylist()[0]
                columns = find_keys(first, names, location.name, labelled=False)
            yield _split_table(table, columns, row)


def read_tables(file: pq.ParquetFile, start: int, end: int) -> Iterator[tuple[pa.Table, int]]:
    """Yield the rows of a range as tables, each with the number of its first row, from 0."""
    row = 0
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


def _split_table(table: pa.Table, columns: Columns, first_row: int) -> RowBatch:
    texts, good, bad = list[str](), list[bool](), list[BadRow]()
    chosen = table.select([str(each) for each in columns.text]).to_pylist()
    for row, fields in enumerate(chosen, start=first_row + 1):
        text = read_text(Record(fields, row), columns, may_be_empty=True)
        good.append(not isinstance(text, BadRow))
        if isinstance(text, BadRow):
            bad.append(text)
        else:
            texts.append(text)
    return RowBatch(texts, table.filter(pa.array(good)) if bad else table, bad)


def _read_text_file(part: Part, names: ColumnNames, encoding: str | None) -> Iterator[RowBatch]:
    with open_part(part, names, encoding, labelled=False) as records:
        rows = iter(records)
        while batch := list(islice(rows, BATCH_ROWS)):
            yield _split_records(batch, records)


@contextmanager
def open_part(
    part: Part, names: ColumnNames, encoding: str | None, labelled: bool
) -> Iterator[Records]:
    """Yield the records of a part of a text file; errors name the file, not a copy of it.

    Args:
        part: the part.
        names: the columns that the user names.
        encoding: of the file; None detects it.
        labelled: whether there must be a label column.

    Raises:
        DataError: the file cannot be read, or its columns cannot be determined.
    """
    with _local_copy(part) as path:
        try:
            yield open_records(str(path), names, part.file.format, labelled, encoding)
        except DataError as error:
            raise DataError(str(error).replace(str(path), part.file.location.name)) from None


def _split_records(batch: list[Record | BadRow], records: Records) -> RowBatch:
    texts, bad = list[str](), list[BadRow]()
    objects, rows = list[dict[str, Any]](), list[list[str]]()
    for record in batch:
        if isinstance(record, BadRow):
            bad.append(record)
            continue
        text = read_text(record, records.columns, may_be_empty=True)
        if isinstance(text, BadRow):
            bad.append(text)
            continue
        texts.append(text)
        if isinstance(record.fields, dict):
            objects.append(record.fields)
        else:
            rows.append(record.fields)
    return RowBatch(texts, _make_table(rows, records) if rows else objects, bad)


def _make_table(rows: list[list[str]], records: Records) -> pa.Table:
    """Return the rows of a table of text as columns of strings."""
    names = records.header or tuple(f"column_{number}" for number in range(1, len(rows[0]) + 1))
    if len(set(names)) < len(names):
        raise DataError(f"{records.name} has two columns of one name: rename one")
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows)], names=list(names))


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
        with location.system.open_input_file(location.path) as source, path.open("wb") as file:
            if part.end is None:
                shutil.copyfileobj(source, file)
            else:
                source.seek(part.start)
                file.write(source.read(part.end - part.start))
        yield path
