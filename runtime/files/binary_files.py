"""Opens files and standard input as bytes that can be read again, decompressed by their content."""

from __future__ import annotations

import gzip
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import DataError

STANDARD_INPUT = "-"
#: How compressed files begin -> what they are compressed with.
COMPRESSIONS = {
    re.compile(rb"\x1f\x8b"): "gzip",
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL): "bzip2",
    re.compile(rb"\xfd7zXZ\0"): "xz",
}
#: The ends of their names.
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz")
_MARK_BYTES = 16
_CLASSES = {"GzipFile": "gzip", "BZ2File": "bzip2", "LZMAFile": "xz"}


def source_name(path: str) -> str:
    """Return a file's name in messages."""
    return "standard input" if path == STANDARD_INPUT else path


def is_compressed(path: str) -> bool:
    """Return whether a file's name ends like one that is compressed."""
    return path.lower().endswith(COMPRESSED_ENDINGS)


def remove_compression(path: str) -> str:
    """Return a file's name without the end for its compression: `a.csv.gz` -> `a.csv`."""
    ending = Path(path).suffix
    return path.removesuffix(ending) if ending.lower() in COMPRESSED_ENDINGS else path


def open_binary(path: str) -> BinaryIO:
    """Open a file, or a copy of standard input; what it is compressed with is unpacked.

    Raises:
        DataError: it cannot be read.
    """
    if path == STANDARD_INPUT and sys.stdin is None:  # as under cron
        raise DataError("standard input is closed: give a file, or redirect one to it")
    given = Path(path)
    if path != STANDARD_INPUT and given.exists() and not (given.is_file() or given.is_dir()):
        raise DataError(f"{path} is not a regular file: files are read twice, so give the file")
    try:
        file: BinaryIO
        if path == STANDARD_INPUT:
            file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
        else:
            file = given.open("rb")
    except OSError as error:
        raise DataError(f"{source_name(path)} cannot be read: {error.strerror}") from None
    return _unpack(file, source_name(path))


def _unpack(file: BinaryIO, name: str) -> BinaryIO:
    """Return a file that decompresses another one, or the same if it is not compressed."""
    head = file.read(_MARK_BYTES)
    file.seek(0)
    kind = next((kind for mark, kind in COMPRESSIONS.items() if mark.match(head)), None)
    try:
        if kind == "gzip":
            return cast(BinaryIO, gzip.GzipFile(fileobj=file))
        if kind == "bzip2":
            from bz2 import BZ2File  # some builds of Python lack it

            return cast(BinaryIO, BZ2File(file))
        if kind == "xz":
            from lzma import LZMAFile

            return cast(BinaryIO, LZMAFile(file))
    except ImportError:
        raise DataError(f"{name}: this Python cannot read {kind}: unpack the file") from None
    return file


@contextmanager
def name_damage(file: BinaryIO, name: str) -> Iterator[None]:
    """Raise DataError that names the file if the block cannot read or decompress it."""
    try:
        yield
    except Exception as error:
        is_damage = isinstance(error, (EOFError, OSError, zlib.error))
        if not is_damage and type(error).__name__ != "LZMAError":  # lzma may be missing
            raise
        kind = _CLASSES.get(type(file).__name__)
        reason = getattr(error, "strerror", None) or error
        what = f": the {kind} file is damaged" if kind else " cannot be read"
        raise DataError(f"{name}{what}: {reason}") from None
