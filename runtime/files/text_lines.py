"""Reads text files line by line in bounded memory, finding their encoding if it is not UTF-8.

charset-normalizer judges each encoding by the lines that are not UTF-8: their characters, and the
language that they resemble. Short texts fit several encodings equally well, so the most common one
of those is taken.
"""

from __future__ import annotations

import codecs
import gzip
import io
import logging
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import AnyStr, BinaryIO, cast

from ..errors import DataError

logger = logging.getLogger(__name__)

UTF8 = "utf-8"
#: Encodings that are detected, the more common ones first.
DETECTED_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp932", "gb18030", "big5", "cp949", "euc_jp", "koi8_r", "mac_roman", "cp850"),
)

_BYTE_ORDER_MARKS = (  # the first four bytes of UTF-32 begin like UTF-16
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 1 << 15
_CHECKED_FOR_NUL = 1000  # bytes
_WESTERN_SHARE = 0.25  # of bytes beyond ASCII: two thirds and more in other scripts
_CLOSE = 0.05  # difference of two judgements that means nothing
_EAST_ASIAN = "\u3000"  # first character of the blocks of East Asian punctuation and letters
_TYPOGRAPHIC = "‘’“”„‚«»‹›–—…"  # characters that follow letters in any language
STANDARD_INPUT = "-"
MAX_LINE = 1 << 24  # bytes or characters: far more than any text to classify; bounds memory
_GZIP_MARK = b"\x1f\x8b"


@dataclass
class _Survey:
    """The lines of a text that hold more than ASCII.

    Attributes:
        utf8: how many of them are UTF-8.
        others: how many are not.
        where: the first byte that is not UTF-8 and its line, for a message.
        sample: the first lines that are not UTF-8.
    """

    utf8: int = 0
    others: int = 0
    where: str = ""
    sample: bytes = b""

    def add(self, line: bytes, number: int) -> None:
        """Add a line."""
        try:
            line.decode(UTF8)
            self.utf8 += 1
        except UnicodeDecodeError as error:
            self.others += 1
            self.where = self.where or f"byte {line[error.start]:#04x} in line {number}"
            if len(self.sample) < _SAMPLE_BYTES:
                self.sample += _cut(line, error.start) + b"\n"


def check_encoding(name: str) -> str:
    """Return the name of an encoding; raise DataError if Python does not have it."""
    try:
        "x".encode(name)
    except (LookupError, ValueError):
        raise DataError(
            f"--encoding: expected an encoding such as cp1252 or utf-16, found {name!r:.40}"
        ) from None
    return name


def encoding_of_mark(content: bytes) -> str | None:
    """Return the encoding that a byte order mark names; None without one."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)


def find_encoding(lines: Iterable[bytes], name: str) -> str:
    """Find the encoding of a text, reading all of it in bounded memory.

    A text of which some lines are UTF-8 and fewer are not is damaged UTF-8, not another encoding.

    Raises:
        DataError: it is neither UTF-8 nor in an encoding that can be detected.
    """
    survey = _Survey()
    for number, line in enumerate(lines, start=1):
        if number == 1:
            if encoding := encoding_of_mark(line):
                return encoding
            if b"\0" in line[:_CHECKED_FOR_NUL]:
                raise DataError(
                    f"{name} is not text: it holds NUL bytes; if it is UTF-16 without a byte order "
                    "mark, give --encoding utf-16-le"
                )
        if not line.isascii():
            survey.add(line, number)
    if survey.others <= survey.utf8:
        return UTF8
    detected = _detect(survey.sample, name)
    if detected is None:
        raise DataError(
            f"{name} is not UTF-8 ({survey.where}), and no other encoding fits: name it with "
            "--encoding, or save the file as UTF-8"
        )
    logger.info(f"{name} is not UTF-8: read as {detected}; --encoding chooses another")
    return detected


def _cut(line: bytes, position: int) -> bytes:
    """Cut a long line to the text after a position, at spaces: they are no part of a character."""
    if len(line) <= _SAMPLE_BYTES:
        return line
    start = line.rfind(b" ", 0, position) + 1
    end = start + _SAMPLE_BYTES
    return line[start:] if end >= len(line) else line[start : line.rfind(b" ", start, end)]


def _detect(sample: bytes, name: str) -> str | None:
    """Return the most plausible encoding of lines that are not UTF-8; None if none is."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        raise DataError(
            f"{name} is not UTF-8: name its encoding with --encoding, such as cp1252; it is "
            "detected where charset-normalizer is installed"
        ) from None
    matches = from_bytes(
        sample,
        cp_isolation=list(DETECTED_ENCODINGS),
        preemptive_behaviour=False,  # does not look for declarations in the text
        enable_fallback=False,
    )
    best = matches.best()
    if (best is None or not best.coherence) and _is_mostly_ascii(sample):
        return DETECTED_ENCODINGS[0]
    if best is None:
        return None
    close = {
        encoding
        for match in matches
        if match.chaos <= best.chaos + _CLOSE and match.coherence >= best.coherence - _CLOSE
        for encoding in match.could_be_from_charset
    }
    candidates = [encoding for encoding in DETECTED_ENCODINGS if encoding in close]
    return min(candidates, key=lambda encoding: _count_symbols(sample, encoding), default=None)


def _is_mostly_ascii(sample: bytes) -> bool:
    """Return whether a text without a recognizable language can be Western European."""
    beyond_ascii = sum(byte >= 0x80 for byte in sample)
    try:
        sample.decode(DETECTED_ENCODINGS[0])
    except UnicodeDecodeError:
        return False
    return beyond_ascii <= _WESTERN_SHARE * len(sample)


def _count_symbols(sample: bytes, encoding: str) -> int:
    """Count what is neither letter nor punctuation right after a letter, as in `podoba³`."""
    text = sample.decode(encoding)
    symbols = (char for before, char in zip(text, text[1:]) if before.isalpha())
    return sum(
        "\x80" <= char < _EAST_ASIAN and not char.isalpha() and char not in _TYPOGRAPHIC
        for char in symbols
    )


def source_name(path: str) -> str:
    """Return a file's name in messages."""
    return "standard input" if path == STANDARD_INPUT else path


def read_lines(path: str, encoding: str | None) -> Iterator[str]:
    """Yield the lines of a file or of standard input, with their ends.

    The file is read twice: to find its encoding, then to decode it. Standard input is copied to a
    temporary file. Bytes that cannot be decoded become lone surrogates.

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
