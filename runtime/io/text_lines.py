"""Opens a file of text, gzipped or not, or standard input, and decodes it line by line."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError


def open_lines(path: str, name: str) -> Iterator[str]:
    """Open a file and decode its lines.

    Args:
        path: the file, gzipped or not, or `-` for standard input.
        name: what to call it in an error.

    Yields:
        Lines with their ends; bytes that are not UTF-8 as lone surrogates, which no text holds.

    Raises:
        DataError: the file cannot be read, or is UTF-16, a JSON array or a damaged gzip file.
    """
    return _decode(_open(path), name)


def chain_line(first: str, lines: Iterator[str]) -> Iterator[str]:
    """Put a line that was looked at back before the others."""
    if first:
        yield first
    yield from lines


def _open(path: str) -> Iterable[bytes]:
    if path == "-":
        return sys.stdin.buffer
    try:
        with Path(path).open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return gzip.open(path) if zipped else Path(path).open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _decode(lines: Iterable[bytes], name: str) -> Iterator[str]:
    try:
        for number, line in enumerate(lines):
            if number == 0 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise DataError(f"{name} is UTF-16: save it as UTF-8")
            if number == 0 and line.startswith(b"["):
                raise DataError(f"{name} is a JSON array: give an object a line (JSONL)")
            text = line.decode("utf-8", "surrogateescape")
            yield text.removeprefix("\ufeff") if number == 0 else text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged: {error}") from None
