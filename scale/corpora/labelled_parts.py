"""Reads the labelled texts of a part of a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glovelite.data.labelled_text import TextSource, strip_rows
from glovelite.data.rows import Row, RowReader, Rows
from glovelite.runtime.files.columns import Columns
from glovelite.runtime.files.records import BadRow
from glovelite.runtime.logs import log_lines
from glovelite.runtime.trained_text import TrainedText

from ..files import InputFile
from ..parts import Part, open_head, open_part, read_records, read_tables

#: Format -> columns of its records. CSV and TSV have them in the header of each file.
KnownColumns = Mapping[str, Columns]
_OBJECTS = ("parquet", "jsonl")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledParts:
    """How the parts of a corpus are read.

    Attributes:
        source: columns, encoding and the like; its path does not matter.
        columns: the columns of files of objects, whose parts may lack some.
        text: how the text is read.
    """

    source: TextSource
    columns: KnownColumns
    text: TrainedText

    def read(self, part: Part) -> Rows:
        """Yield the rows of a part, in their order.

        A line counts from the start of the part; the first row of Parquet is 1.

        Raises:
            DataError: the file cannot be read, or has changed since it was listed.
        """
        rows = self._read_parquet(part) if part.file.format == "parquet" else self._read(part)
        for row in strip_rows(rows) if self.source.strip_html else rows:
            yield row if isinstance(row, BadRow) else _check_characters(row)
        part.file.check_unchanged()

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


def open_labelled(source: TextSource, files: Sequence[InputFile]) -> LabelledParts:
    """Find and log the columns of each format, in its first file that is not empty."""
    found: dict[str, Columns] = {}
    names = set[tuple[str, ...]]()
    for file in files:
        if file.format not in found:
            head = open_head(file, source.columns, source.encoding, labelled=True)
            if head.columns.text:
                found[file.format] = head.columns
                names.add(head.text_names)
                log_lines(logger, head.describe_columns())
    columns = {format_: found.get(format_, Columns()) for format_ in _OBJECTS}
    text = TrainedText(names.pop() if len(names) == 1 else (), bool(source.strip_html))
    return LabelledParts(source, columns, text)


def _check_characters(row: Row) -> Row | BadRow:
    """Return the row, or why Parquet cannot hold it."""
    try:
        "".join((row.text, *row.labels)).encode()
    except UnicodeEncodeError as error:
        return BadRow(row.line, f"character {error.object[error.start]!a} is half of a pair")
    return row
