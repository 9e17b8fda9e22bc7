"""Reads the labelled texts of a part of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from glovelite.data.labelled_text import Rows, TextSource, strip_rows
from glovelite.data.rows import Row, RowReader
from glovelite.runtime.files.columns import Columns, find_keys
from glovelite.runtime.files.records import BadRow

from ..files import InputFile
from ..parts import Part, open_part, read_records, read_tables

#: Format -> columns of its records. CSV and TSV have them in the header of each file.
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
        """
        rows = self._read_parquet(part) if part.file.format == "parquet" else self._read(part)
        for row in strip_rows(rows) if self.source.strip_html else rows:
            yield row if isinstance(row, BadRow) else _check_characters(row)

    def _read_parquet(self, part: Part) -> Rows:
        read_row = RowReader(self.columns["parquet"], part.file.location.name)
        for table, first in read_tables(part):
            for record in read_records(table, first):
                yield record if isinstance(record, BadRow) else read_row(record)

    def _read(self, part: Part) -> Rows:
        with open_part(part, self.source.columns, self.source.encoding, labelled=True) as records:
            columns = self.columns.get(part.file.format, records.columns)
            read_row = RowReader(columns, part.file.location.name)
            for record in records:
                yield record if isinstance(record, BadRow) else read_row(record)


def find_part_columns(source: TextSource, files: Sequence[InputFile]) -> KnownColumns:
    """Find the columns of files of objects, each format's in its first file."""
    found: dict[str, Columns] = {}
    for file in files:
        if file.format in _OBJECTS and file.format not in found:
            columns = _find_columns(source, file)
            if columns.text:  # it is not empty
                found[file.format] = columns
    return {format_: found.get(format_, Columns()) for format_ in _OBJECTS}


def _find_columns(source: TextSource, file: InputFile) -> Columns:
    if file.format == "parquet":
        with file.location.open_input() as opened:
            names = pq.ParquetFile(opened).schema_arrow.names
        return find_keys(dict.fromkeys(names), source.columns, file.location.name)
    head = Part(file, 0, None if file.is_gzipped else min(file.size, _HEAD_BYTES), "")
    with open_part(head, source.columns, source.encoding, labelled=True) as records:
        return records.columns


def _check_characters(row: Row) -> Row | BadRow:
    """Return the row, or why Parquet cannot hold it."""
    try:
        "".join((row.text, *row.labels)).encode()
    except UnicodeEncodeError as error:
        return BadRow(row.line, f"character {error.object[error.start]!a} is half of a pair")
    return row
