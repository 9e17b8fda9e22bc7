"""Reads the labelled texts of a part of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.data.labelled_text import Rows, TextSource, strip_rows
from glovelite.data.rows import Row, RowReader
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import Columns, find_keys
from glovelite.runtime.files.records import BadRow, Record

from ..files import InputFile
from ..parts import Part, open_part, read_tables

#: A format -> where everything is in its records. CSV and TSV find it in each file.
KnownColumns = Mapping[str, Columns]
_OBJECTS = ("parquet", "jsonl")
_HEAD_BYTES = 1 << 24  # of a file whose first row is looked for


@dataclass(frozen=True)
class LabelledParts:
    """How the parts of a corpus are read.

    Attributes:
        source: columns, encoding and the like; its path does not matter.
        columns: the columns of files of objects, whose parts may lack some.
    """

    source: TextSource
    columns: KnownColumns

    def read(self, part: Part) -> Rows:
        """Yield the rows of a part, in their order.

        A line counts from the start of the part; the first row of Parquet is 1.

        Raises:
            DataError: the file cannot be read.
        """
        name = part.file.location.name
        try:
            rows = self._read_parquet(part) if part.file.format == "parquet" else self._read(part)
            for row in strip_rows(rows) if self.source.strip_html else rows:
                yield row if isinstance(row, BadRow) else _check_characters(row)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{name} cannot be read: {error}") from None

    def _read_parquet(self, part: Part) -> Rows:
        location = part.file.location
        read_row = RowReader(self.columns["parquet"], location.name)
        with location.system.open_input_file(location.path) as source:
            for table, first in read_tables(pq.ParquetFile(source), part.start, part.end or 0):
                for number, fields in enumerate(table.to_pylist(), first + 1):
                    yield read_row(Record(fields, number))

    def _read(self, part: Part) -> Rows:
        format_, name = part.file.format, part.file.location.name
        with open_part(part, self.source.columns, self.source.encoding, labelled=True) as records:
            columns = self.columns.get(format_, records.columns)
            read_row = RowReader(columns, name)
            for record in records:
                yield record if isinstance(record, BadRow) else read_row(record)


def find_part_columns(source: TextSource, files: Sequence[InputFile]) -> KnownColumns:
    """Find the columns of files of objects, each format's in its first file.

    Raises:
        DataError: they cannot be found.
    """
    found: dict[str, Columns] = {}
    for file in files:
        if file.format in _OBJECTS and file.format not in found:
            columns = _find_columns(source, file)
            if columns.text:  # it is not empty
                found[file.format] = columns
    return {format_: found.get(format_, Columns()) for format_ in _OBJECTS}


def _find_columns(source: TextSource, file: InputFile) -> Columns:
    location = file.location
    try:
        if file.format == "parquet":
            with location.system.open_input_file(location.path) as opened:
                schema = pq.ParquetFile(opened).schema_arrow
            return find_keys(dict.fromkeys(schema.names), source.columns, location.name)
        end = None if file.is_gzipped else min(file.size, _HEAD_BYTES)
        head = Part(file, 0, end, "")
        with open_part(head, source.columns, source.encoding, labelled=True) as records:
            return records.columns
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{location.name} cannot be read: {error}") from None


def _check_characters(row: Row) -> Row | BadRow:
    """Return the row, or why Parquet cannot hold it."""
    try:
        "".join((row.text, *row.labels)).encode()
    except UnicodeEncodeError as error:
        return BadRow(row.line, f"character {error.object[error.start]!a} is half of a pair")
    return row
