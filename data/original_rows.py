"""Reads the rows of some texts again: their numbers, and their columns besides text and labels."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.binary_files import STANDARD_INPUT
from glovelite.runtime.files.records import Record, Records, open_records, read_text
from glovelite.runtime.text.html_text import strip_html

from .labelled_text import NAMED_CORPORA, FileList, TextSource

TAKEN_PREFIX = "original_"  # of the name of a column that a report has itself
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OriginalRow:
    """The row of a text in its file.

    Attributes:
        number: from 1, without the header; None if the text is in no row.
        others: the columns that are neither text nor labels, by name.
    """

    number: int | None = None
    others: Mapping[str, str] = field(default_factory=dict)


def find_rows(
    source: TextSource | None, files: FileList | None, texts: Mapping[int, str]
) -> dict[int, OriginalRow]:
    """Read the rows of some texts of a source again.

    Args:
        source: None for text from memory.
        files: those of the source; None if it is one file.
        texts: number of a row (`Row.line`) -> its text.

    Returns:
        The rows by these numbers; without those of texts that are in no row, cannot be read twice,
        as from standard input, or have changed.
    """
    if source is None or source.path == STANDARD_INPUT or source.path in NAMED_CORPORA or not texts:
        return {}
    if files is not None and not files.tables:
        return {}
    found: dict[int, OriginalRow] = {}
    for path, wanted in _group_by_file(source, files, texts).items():
        try:
            found.update(_read_again(replace(source, path=path), wanted))
        except (DataError, OSError) as error:
            logger.warning(f"the columns of rows cannot be listed: {error}")
    return found


def add_originals(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    originals: Sequence[OriginalRow],
) -> tuple[list[str], Iterator[list[object]]]:
    """Add the number and the other columns of the original rows to a table.

    The number comes after `line`. Columns of a name that the table has get a prefix.

    Returns:
        Header and rows.
    """
    names = list(dict.fromkeys(name for original in originals for name in original.others))
    after = columns.index("line") + 1
    header = [*columns[:after], "row", *columns[after:]]
    shown = [f"{TAKEN_PREFIX}{name}" if name in header else name for name in names]
    extended = (
        [
            *row[:after],
            original.number,
            *row[after:],
            *(original.others.get(name) for name in names),
        ]
        for row, original in zip(rows, originals)
    )
    return [*header, *shown], extended


_Wanted = dict[int, tuple[int, str]]  # line -> number of the row, and its text


def _group_by_file(
    source: TextSource, files: FileList | None, texts: Mapping[int, str]
) -> dict[str, _Wanted]:
    grouped: defaultdict[str, _Wanted] = defaultdict(dict)
    for number, text in texts.items():
        path, line = (source.path, number) if files is None else files.find(number)
        if line is not None:
            grouped[path][line] = number, text
    return grouped


def _read_again(source: TextSource, wanted: _Wanted) -> Iterator[tuple[int, OriginalRow]]:
    file = open_records(source.path, source.columns, source.format, encoding=source.encoding)
    for count, record in enumerate(file, start=1):
        number, expected = wanted.get(record.line, (None, ""))
        if number is None or not isinstance(record, Record):
            continue
        text = read_text(record, file.columns)
        if isinstance(text, str) and (strip_html(text) if source.strip_html else text) == expected:
            yield number, OriginalRow(count, dict(_read_others(record, file)))


def _read_others(record: Record, file: Records) -> Iterator[tuple[str, str]]:
    """Yield name and value of each column that is neither text nor labels."""
    columns = file.columns
    read = {*columns.text, *columns.label_columns, columns.label}
    fields = record.fields
    if isinstance(fields, dict):
        yield from ((name, _show(fields[name])) for name in fields if name not in read)
        return
    for index, value in enumerate(fields):
        if index not in read:
            yield file.header[index] if file.header else f"column_{index + 1}", value


def _show(value: object) -> str:
    """Return a value as a field of a table."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
