"""Reads texts and JSON objects from standard input, line by line, in bounded memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import chain
from typing import Any, NamedTuple, TextIO

from ..errors import InputError
from ..strict_json import check_levels, finite_float, reject_constant
from ..trained_text import TrainedText

MAX_LINE_CHARACTERS = 4_000_000  # many times what any model reads
_NO_TEXT, _TEXT = "is not an object with", 'a string "text"'
_SEPARATORS = (",", ";", "\t")
_UNDECODED = re.compile("[\udc80-\udcff]")  # how surrogateescape decodes invalid bytes
_MARK_STARTS = frozenset((b"\xff", b"\xfe", b"\0"))  # of the byte order marks beyond UTF-8's
_WIDE_ENCODINGS = ("utf-16", "utf-32")
_COLUMN_NAME = re.compile(r"\w+(?:[ .-]\w+){0,2}")


class InputText(NamedTuple):
    """A text to classify.

    Attributes:
        fields: the object that it came with, or only `{"text": …}`.
        text: what is classified.
        cut: whether the line was longer than `MAX_LINE_CHARACTERS` and only its start was kept.
    """

    fields: dict[str, Any]
    text: str
    cut: bool = False


class _Line(NamedTuple):
    text: str
    number: int
    cut: bool


def make_input(text: str, trained: TrainedText, cut: bool = False) -> InputText:
    """Return a text that came without other fields, to be classified as training read it."""
    return InputText({"text": text}, trained.clean(text), cut)


def decode_stdin(stream: TextIOWrapper, encoding: str | None) -> TextIOWrapper:
    """Choose the encoding of standard input: the given one, a byte order mark's, or UTF-8.

    Bytes that cannot be decoded become lone surrogates, of which `_read_lines` warns.

    Raises:
        DataError: the encoding is unknown.
    """
    if encoding is not None:
        from ..files.text_lines import check_encoding  # imported late for a fast cold start

        encoding = check_encoding(encoding)
    else:
        first = stream.buffer.peek(4)[:4]  # type: ignore[attr-defined]
        if first[:1] in _MARK_STARTS:
            from ..files.text_lines import encoding_of_mark

            encoding = encoding_of_mark(first)
    encoding = encoding or "utf-8"
    is_wide = encoding.lower().replace("_", "-").startswith(_WIDE_ENCODINGS)
    stream.reconfigure(encoding=encoding, errors="replace" if is_wide else "surrogateescape")
    return stream


def read_texts(
    stream: TextIO, trained: TrainedText, warn: Callable[[str], None]
) -> Iterator[InputText]:
    """Yield each line as a text; of a very long one only its start."""
    lines = _read_lines(stream, warn)
    first = next(lines, None)
    if first is None:
        return
    if hint := find_other_format(first.text):
        warn(f"stdin looks like {hint}")
    for line in chain([first], lines):
        if line.cut:
            warn(
                f"line {line.number} of stdin has more than {MAX_LINE_CHARACTERS:,} characters: "
                "the rest of it is ignored"
            )
        yield make_input(line.text.rstrip("\r\n"), trained, line.cut)


def read_objects(
    stream: TextIO,
    trained: TrainedText,
    added: Sequence[str],
    skip_invalid: bool,
    warn: Callable[[str], None],
) -> Iterator[InputText]:
    """Yield the JSON objects of a stream, one per line.

    Args:
        trained: how training read the texts. Its columns are read where an object has all of them,
            elsewhere the field `text`.
        added: the fields that the answer adds, which an object must not have.
        skip_invalid: warn of each invalid line and skip it instead of stopping at the first.

    Raises:
        InputError: a line is invalid, or has a field of an added name; the message has its number.
            Or all lines were skipped.
    """
    read = skipped = 0
    for line in _read_lines(stream, warn):
        if not line.text.strip():
            continue
        place = f"line {line.number} of stdin"
        try:
            fields = _parse_object(line)
            text = _find_text(fields, trained)
        except InputError as error:
            if not skip_invalid:
                raise InputError(f"{place} {error} (--skip-bad-lines skips such lines)") from None
            warn(f"{place} {error}: skipped")
            skipped += 1
            continue
        if taken := [name for name in added if name in fields]:  # in all lines: nothing to skip
            from ..scoring.row_format import describe_collision  # late for a fast cold start

            raise InputError(f"{place} {describe_collision(taken[0], 'a field')}")
        read += 1
        yield InputText(fields, text)
    if skipped and not read:
        raise InputError(f"none of the {skipped:,} lines of stdin can be classified: fix them")


def find_other_format(line: str) -> str | None:
    """Return what a first line of text looks like, and how to read that; None for plain text.

    Example:
        >>> find_other_format("id,text,label")
        'CSV with a header, and each line is classified as it is: --input FILE --output FILE …'
    """
    if line.lstrip().startswith("{"):
        try:
            is_object = isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            return None
        as_it_is = "JSON objects, and each line is classified as it is: --jsonl reads their text"
        return as_it_is if is_object else None
    for separator in _SEPARATORS:
        if separator in line and _is_header(line.strip().split(separator)):
            kind = "TSV" if separator == "\t" else "CSV"
            return (
                f"{kind} with a header, and each line is classified as it is: "
                "--input FILE --output FILE reads the text column"
            )
    return None


def _is_header(fields: Sequence[str]) -> bool:
    # Imported late for a fast cold start.
    from ..files.column_names import LABEL_NAMES, TEXT_NAMES, find_known

    names = [field.strip().strip('"') for field in fields]
    known = find_known(names, TEXT_NAMES) or find_known(names, LABEL_NAMES)
    return bool(known) and all(map(_COLUMN_NAME.fullmatch, names))


def _read_lines(stream: TextIO, warn: Callable[[str], None]) -> Iterator[_Line]:
    """Yield lines of up to `MAX_LINE_CHARACTERS`, discarding the rest of longer ones.

    Warns of the first line that does not look decoded.
    """
    number, warned = 0, False
    while text := stream.readline(MAX_LINE_CHARACTERS + 1):
        number += 1
        cut = len(text) > MAX_LINE_CHARACTERS and not text.endswith("\n")
        if cut:
            text = text[:MAX_LINE_CHARACTERS]
            while (rest := stream.readline(1 << 16)) and not rest.endswith("\n"):
                pass
        if number == 1:
            text = text.removeprefix("\ufeff")
        if problem := _find_undecoded(text, stream.encoding):
            if not warned:
                warn(f"line {number} of stdin {problem}")
            warned = True
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield _Line(text, number, cut)


def _find_undecoded(line: str, encoding: str) -> str | None:
    """Return what in a line does not look decoded, and the way out; None if it does."""
    if "\0" in line:
        return "holds NUL: if it is UTF-16, as PowerShell writes, give --encoding utf-16-le"
    if not line.isascii() and (match := _UNDECODED.search(line)):
        byte = ord(match[0]) - 0xDC00
        return f"is not {encoding} (byte {byte:#04x}): name another with --encoding, such as cp1252"
    return None


def _parse_object(line: _Line) -> dict[str, Any]:
    if line.cut:
        raise InputError(f"has more than {MAX_LINE_CHARACTERS:,} characters")
    try:
        fields = json.loads(line.text, parse_float=finite_float, parse_constant=reject_constant)
        check_levels(line.text, fields)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {getattr(error, 'msg', error)}") from None
    if not isinstance(fields, dict):
        raise InputError(f"{_NO_TEXT} {_TEXT}")
    return fields


def _find_text(fields: dict[str, Any], trained: TrainedText) -> str:
    """Return what is classified of an object."""
    if trained.holds(fields):
        return trained.read(fields)
    text = fields.get("text")
    if isinstance(text, str):
        return trained.clean(text)
    columns = " and ".join(f'"{name}"' for name in trained.columns)
    strings = "strings" if len(trained.columns) > 1 else "a string"
    both = f"{strings} {columns}, or with " if trained.columns not in ((), ("text",)) else ""
    raise InputError(f"{_NO_TEXT} {both}{_TEXT}")
