"""Divides input files into parts, each of which one worker reads, scores and writes.

A part becomes one output file, so a job that was killed continues with the parts without one.
Parquet is divided by rows, JSONL at line ends. A CSV or TSV file is one part: where its rows end
depends on all quotes before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.runtime.errors import DataError

from .files import InputFile

BLOCK_BYTES = 1 << 16
BYTES_PER_ROW = 200  # assumed of JSONL, whose rows are not counted before


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
