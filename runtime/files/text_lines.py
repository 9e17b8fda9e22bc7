"""Opens text files, gzipped or not, and standard input, and decodes their lines."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import AnyStr, BinaryIO, cast

from ..errors import DataError
from .encodings import check_encoding, find_encoding

STANDARD_INPUT = "-"
MAX_LINE = 1 << 24  # bytes or characters: far more than any text to classify; bounds memory
_GZIP_MARK = b"\x1f\x8b"


def source_name(path: str) -> str:
    """Return a file's name in messages."""
    return "standard input" if path == STANDARD_INPUT else path


def read_lines(path: str, encoding: str | None) -> Iterator[str]:
    """Yield the lines of a file or of standard input, with their ends.

    The file is read twice: to find its encoding, then to decode it. Standard input is copied to a
    temporary file. Bytes that cannot be decoded become lone surrogates.

    Args:
        path: a file, gzipped or not, or `-` for standard input.
        encoding: its encoding; None detects it.

    Raises:
        DataError: the file cannot be read, its encoding is unknown, or it is not text.
    """
    name = source_name(path)
    if encoding is not None:
        check_encoding(encoding)
    file = _open_binary(path)
    try:
        if encoding is None:
            encoding = find_encoding(_bounded_lines(file.readline, name), name)
            file.seek(0)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(name, error) from None
    return _decode(file, encoding, name)


def _open_binary(path: str) -> BinaryIO:
    """Open a file that can be read again, decompressed."""
    if path == STANDARD_INPUT and sys.stdin is None:  # as under cron
        raise DataError("standard input is closed: give a file, or redirect one to it")
    try:
        file: BinaryIO
        if path == STANDARD_INPUT:
            file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
        else:
            file = Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"{source_name(path)} cannot be read: {error.strerror}") from None
    gzipped = file.read(len(_GZIP_MARK)) == _GZIP_MARK
    file.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if gzipped else file


def _decode(file: BinaryIO, encoding: str, name: str) -> Iterator[str]:
    lines = io.TextIOWrapper(file, encoding, "surrogateescape", newline="\n")
    try:
        for number, line in enumerate(_bounded_lines(lines.readline, name)):
            yield line.removeprefix("\ufeff") if number == 0 else line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(name, error) from None
    except UnicodeError as error:  # what surrogates cannot stand for
        raise DataError(f"{name} is not {encoding}: {error}; --encoding names another") from None


def _bounded_lines(readline: Callable[[int], AnyStr], name: str) -> Iterator[AnyStr]:
    for number in count(1):
        line = readline(MAX_LINE + 1)
        if not line:
            return
        if len(line) > MAX_LINE:
            raise DataError(f"{name}, line {number}: expected at most {MAX_LINE:,} characters")
        yield line


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: the gzip file is damaged: {error}")
