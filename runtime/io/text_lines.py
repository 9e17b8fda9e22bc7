"""Opens text files, gzipped or not, and standard input, and decodes their lines."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError

STANDARD_INPUT = "-"


def source_name(path: str) -> str:
    """Return a file's name in messages."""
    return "standard input" if path == STANDARD_INPUT else path


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a file or of standard input, with their ends.

    Invalid UTF-8 becomes lone surrogates.

    Args:
        path: a file, gzipped or not, or `-` for standard input.

    Raises:
        DataError: the file cannot be read, or is not lines of text.
    """
    return _decode(_open_lines(path), source_name(path))


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
