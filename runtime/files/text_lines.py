"""Reads text files line by line in bounded memory, finding their encoding if it is not UTF-8.

charset-normalizer judges each encoding by the lines that are not UTF-8: their characters, and the
language that they resemble. Short texts fit several encodings equally well, so the most common one
of those is taken.
"""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import AnyStr, BinaryIO

from ..errors import DataError
from .binary_files import name_damage

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
_ISO_2022 = re.compile(rb"\x1b\$(?:[@AB]|[()][CDOPQ])|\x1b\([IJ]")
_ISO_2022_ENCODINGS = (
    "iso2022_jp",
    "iso2022_kr",
    "iso2022_jp_2",
    "iso2022_jp_2004",
    "iso2022_jp_ext",
)
_SAMPLE_BYTES = 1 << 15
_EXAMPLE_CHARACTERS = 60
MAX_SHOWN_LETTERS = 8
_CHECKED_FOR_NUL = 1000  # bytes
_WESTERN_SHARE = 0.25  # of bytes beyond ASCII: two thirds and more in other scripts
_CLOSE = 0.05  # difference of two judgements that means nothing
_EAST_ASIAN = "\u3000"  # first character of the blocks of East Asian punctuation and letters
_TYPOGRAPHIC = "‘’“”„‚«»‹›–—…"  # characters that follow letters in any language
MAX_LINE = 1 << 24  # bytes or characters: far more than any text to classify; bounds memory
_HEAD_BYTES = 1 << 16  # in which ends of lines are looked for


@dataclass
class Survey:
    """The lines of a text that tell its encoding.

    Attributes:
        utf8: how many of those with more than ASCII are UTF-8.
        others: how many are not.
        where: the first byte that is not UTF-8 and its line, for a message.
        sample: the first lines that are not UTF-8.
        escaped: the first lines from the first escape sequence of ISO 2022 on.
    """

    utf8: int = 0
    others: int = 0
    where: str = ""
    sample: bytes = b""
    escaped: bytes = b""

    def add(self, line: bytes, number: int) -> None:
        """Add a line."""
        if line.isascii():
            starts = b"\x1b" in line and _ISO_2022.search(line)
            if (self.escaped or starts) and len(self.escaped) < _SAMPLE_BYTES:
                self.escaped += line
            return
        try:
            line.decode(UTF8)
            self.utf8 += 1
        except UnicodeDecodeError as error:
            self.others += 1
            self.where = self.where or f"byte {line[error.start]:#04x} in line {number}"
            if len(self.sample) < _SAMPLE_BYTES:
                self.sample += _cut(line, error.start) + b"\n"

    def merge(self, other: Survey) -> None:
        """Add the lines of another text that are not UTF-8."""
        self.others += other.others
        self.where = self.where or other.where
        if len(self.sample) < _SAMPLE_BYTES:
            self.sample += other.sample

    def settle(self) -> str | None:
        """Return the encoding if its bytes prove it, None if it has to be detected.

        A text of which some lines are UTF-8 and fewer are not is damaged UTF-8, not another
        encoding.
        """
        if self.escaped and not self.utf8 and not self.others:
            return next((name for name in _ISO_2022_ENCODINGS if self._is_escaped(name)), UTF8)
        return UTF8 if self.others <= self.utf8 else None

    def _is_escaped(self, encoding: str) -> bool:
        try:
            return not self.escaped.decode(encoding).isascii()
        except UnicodeDecodeError:
            return False


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

    Raises:
        DataError: it is neither UTF-8 nor in an encoding that can be detected.
    """
    survey = Survey()
    for number, line in enumerate(lines, start=1):
        if number == 1:
            if encoding := encoding_of_mark(line):
                return encoding
            if reason := find_nul(line):
                raise DataError(f"{name} {reason}")
        survey.add(line, number)
    encoding = survey.settle()
    if encoding is None:
        encoding = detect_encoding(survey, name)
    if encoding != UTF8:
        sample = survey.sample or survey.escaped
        logger.info(f"{name} is not UTF-8: {describe_encoding(encoding, sample)}")
    return encoding


def find_nul(start: bytes) -> str | None:
    """Say that bytes are no text, after the file's name, if there is NUL at the start of a file."""
    head = start[:_CHECKED_FOR_NUL]
    if b"\0" not in head:
        return None
    order = "le" if head[1::2].count(0) >= head[::2].count(0) else "be"
    return (
        "is not text: it holds NUL bytes; if it is UTF-16 without a byte order mark, give "
        f"--encoding utf-16-{order}"
    )


def detect_encoding(survey: Survey, name: str) -> str:
    """Detect the encoding of lines that are not UTF-8.

    Raises:
        DataError: none fits.
    """
    detected = _detect(survey.sample, name)
    if detected is None:
        raise DataError(
            f"{name} is not UTF-8 ({survey.where}), and no other encoding fits: name it with "
            "--encoding, or save the file as UTF-8"
        )
    return detected


def describe_encoding(encoding: str, sample: bytes) -> str:
    """Say how text is read, with an example and its unusual letters."""
    text = sample.decode(encoding, "replace")
    unusual = dict.fromkeys(char for char in text if not char.isascii() and char.isprintable())
    letters = " ".join(islice(unusual, MAX_SHOWN_LETTERS))
    more = " …" if len(unusual) > MAX_SHOWN_LETTERS else ""
    return (
        f"read as {encoding}; --encoding chooses another if this looks wrong: "
        f"{_find_example(text)!r} ({letters}{more})"
    )


def _find_example(text: str) -> str:
    """Return the text around the first letter beyond ASCII, cut at spaces."""
    first = next((index for index, char in enumerate(text) if not char.isascii()), 0)
    line = text[text.rfind("\n", 0, first) + 1 :].partition("\n")[0]
    first -= text.rfind("\n", 0, first) + 1
    start = max(0, first - _EXAMPLE_CHARACTERS // 2)
    start = line.find(" ", start, first) + 1 or start if start else 0
    return line[start : start + _EXAMPLE_CHARACTERS].strip()


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
    if (best is None or not best.coherence) and is_mostly_ascii(sample):
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


def is_mostly_ascii(sample: bytes) -> bool:
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


def read_lines(file: BinaryIO, name: str, encoding: str | None) -> Iterator[str]:
    r"""Yield the lines of a file, with their ends: `\n`, or `\r` if its first ones end so.

    The file is read twice: to find its encoding, then to decode it. Bytes that cannot be decoded
    become lone surrogates.

    Args:
        name: of the file, in messages.

    Raises:
        DataError: the file cannot be read, its encoding is unknown, or it is not text.
    """
    if encoding is not None:
        check_encoding(encoding)
    with name_damage(file, name):
        end = _find_line_end(file)
        if encoding is None:
            encoding = find_encoding(_split_bytes(file, end, name), name)
            file.seek(0)
    return _decode(file, encoding, end, name)


def _find_line_end(file: BinaryIO) -> str:
    r"""Return what ends the lines: `\n`, unless there are `\r` at the start of the file only."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    return "\r" if b"\r" in head and b"\n" not in head else "\n"


def _split_bytes(file: BinaryIO, end: str, name: str) -> Iterator[bytes]:
    """Yield the lines of a file as bytes."""
    if end == "\n":
        yield from _bounded_lines(file.readline, name)
        return
    lines = io.TextIOWrapper(file, "latin-1", newline=end)  # a character is a byte
    try:
        for line in _bounded_lines(lines.readline, name):
            yield line.encode("latin-1")
    finally:
        lines.detach()


def _decode(file: BinaryIO, encoding: str, end: str, name: str) -> Iterator[str]:
    lines = io.TextIOWrapper(file, encoding, "surrogateescape", newline=end)
    try:
        with name_damage(file, name):
            for number, line in enumerate(_bounded_lines(lines.readline, name)):
                yield line.removeprefix("\ufeff") if number == 0 else line
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
