"""Parses word vectors: lines of a word and its values, and word2vec's binary format."""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars

from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import VectorsError

from .cache import Block

BLOCK_BYTES = 6 << 20  # parsed at a time: bounds memory, large enough to be fast
THREADS = 3  # each parses a block; the parser releases the GIL
MAX_DIMENSIONS = 1 << 14
FLOAT = np.dtype("<f4")


class Readable(Protocol):
    """What is parsed: a file that is read once, forwards."""

    def read(self, size: int, /) -> bytes:
        """Return as many bytes, or the rest if there are fewer."""

    def readline(self) -> bytes:
        """Return the rest of the line, with its end."""


class HashedFile:
    """A file that passes what is read of it to `update` of a hash."""

    def __init__(self, file: Readable, update: Callable[[bytes], None]) -> None:
        self._file, self._update = file, update

    def read(self, size: int, /) -> bytes:
        """Return as many bytes, or the rest if there are fewer."""
        content = self._file.read(size)
        self._update(content)
        return content

    def readline(self) -> bytes:
        """Return the rest of the line, with its end."""
        line = self._file.readline()
        self._update(line)
        return line


class LeadingRows:
    """The first rows of a text of vectors with word2vec's header, in pieces of whole lines.

    All rows if there are fewer. Reading raises VectorsError if the text has no header, or another
    number of rows than its header says.
    """

    def __init__(self, file: io.BufferedIOBase, rows: int, source: str) -> None:
        self._file, self._source = file, source
        self._header = file.readline()
        if not _is_header(self._header):
            raise VectorsError(
                f"{source}: expected the numbers of words and values in the first line, found "
                f"{self._header!r:.60}"
            )
        self._announced = int(self._header.split()[0])
        self._wanted = self._left = min(rows, self._announced)

    def read(self, size: int, /) -> bytes:
        """Return lines of about that many bytes, the header first; none at the end."""
        if self._header:
            header, self._header = self._header, b""
            return header + self.read(size)
        if not self._left:
            if self._wanted == self._announced and self._file.read(1):  # also checks its CRC
                raise VectorsError(f"{self._source} has more than {self._announced:,} rows")
            return b""
        lines: list[bytes] = []
        length = 0
        while length < size and len(lines) < self._left and (line := self._file.readline()):
            lines.append(line)
            length += len(line)
        self._left -= len(lines)
        if not lines:
            raise VectorsError(
                f"{self._source} ends after {self._wanted - self._left:,} rows, expected "
                f"{self._wanted:,}"
            )
        return b"".join(lines)

    def readline(self) -> bytes:
        """Return nothing, as `read` ends with a line."""
        return b""


def parse_text(file: Readable, source: str) -> Iterator[Block]:
    """Parse lines of a word and its values, UTF-8, a block at a time.

    They are separated by spaces, or by tabs if the first line has some. A first line of two numbers
    (word2vec's header) says how many values a row has.
    """
    pending: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for block in _split_blocks(file, source):
            pending.append(pool.submit(_parse_block, block, source))
            if len(pending) > THREADS + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


class _Lines(NamedTuple):
    """Complete lines of the file: their text, count, dimensions and first line number."""

    text: bytes
    lines: int
    dimensions: int
    first: int


def _split_blocks(file: Readable, source: str) -> Iterator[_Lines]:
    """Split text into blocks of complete lines, separated by single spaces."""
    block = (file.read(BLOCK_BYTES) + file.readline()).removeprefix(codecs.BOM_UTF8)
    line_number, announced = 1, 0
    if _is_header(block):
        header, _, block = block.partition(b"\n")
        line_number, announced = 2, int(header.split()[1])
    first = block.partition(b"\n")[0]
    has_tabs = b"\t" in first
    has_ends = first.endswith((b" ", b"\t"))  # as what fastText writes
    dimensions = _count_dimensions(first, announced, source, line_number) if block else 0
    while block:
        block = block.replace(b"\t", b" ") if has_tabs else block
        block = block.replace(b" \n", b"\n") if has_ends else block
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        yield _Lines(block, count, dimensions, line_number)
        line_number += count
        block = file.read(BLOCK_BYTES) + file.readline()


def parse_numbers(text: bytes, separator: str, columns: int, words: bool) -> polars.DataFrame:
    """Parse lines of `columns` float32 numbers, with a word before them if `words`.

    Returns:
        A frame of the columns, the word first; null where a field is missing.
    """
    schema: dict[str, Any] = {"word": polars.String} if words else {}
    schema.update({str(column): polars.Float32 for column in range(columns)})
    return polars.read_csv(
        text, separator=separator, has_header=False, quote_char=None, schema=schema
    )


def to_floats(frame: polars.DataFrame, columns: int) -> Floats:
    """Return a frame's numbers, float32 [lines, columns]; raise ValueError if one is missing."""
    values: Floats = frame.select(map(str, range(columns))).to_numpy(order="c")
    if not np.isfinite(values.sum()):  # a value that is not finite makes the sum so
        raise ValueError("a value is missing or not a finite number")
    return values


def _is_header(block: bytes) -> bool:
    """Return whether the first line is word2vec's header, such as `400000 100`."""
    fields = block.partition(b"\n")[0].split()
    return len(fields) == 2 and all(field.isdigit() for field in fields) and b"\n" in block


def _count_dimensions(first: bytes, announced: int, source: str, line_number: int) -> int:
    """Return how many values the rows have, from the first one and the header, if there is one."""
    found = len(first.split()) - 1
    if found < max(2, announced):
        expected = f"{announced:,}" if announced else "its"
        raise VectorsError(
            f"{source}, line {line_number}: expected a word and {expected} values, found "
            f"{first!r:.60}"
        )
    return announced or found


def _parse_block(block: _Lines, source: str) -> Block:
    try:
        frame = parse_numbers(block.text, " ", block.dimensions, words=True)
        if len(frame) == block.lines and not frame["word"].null_count():
            return frame["word"].to_list(), to_floats(frame, block.dimensions)
    except (polars.exceptions.PolarsError, ValueError):
        pass
    return _parse_slowly(block, source)


def _parse_slowly(block: _Lines, source: str) -> Block:
    """Parse line by line: accepts words that hold spaces, and names a bad line."""
    lines, dimensions = block.text.removesuffix(b"\n").split(b"\n"), block.dimensions
    words, values = [], np.empty((len(lines), dimensions), np.float32)
    for row, line in enumerate(lines):
        where = f"{source}, line {block.first + row}"
        fields = line.rstrip().rsplit(b" ", dimensions)
        if len(fields) != dimensions + 1:
            raise VectorsError(
                f"{where}: expected a word and {dimensions} values, found {len(fields) - 1} values"
            )
        try:
            words.append(fields[0].decode("utf-8"))
            values[row] = [float(value) for value in fields[1:]]
        except UnicodeDecodeError:
            raise VectorsError(f"{where}: the word {fields[0]!r:.60} is not UTF-8") from None
        except ValueError as error:
            raise VectorsError(f"{where}: {error}") from None
        if not np.isfinite(values[row]).all():
            raise VectorsError(f"{where}: a value is not a finite number")
    return words, values


def parse_word2vec(file: Readable, source: str) -> Iterator[Block]:
    """Parse word2vec's binary format, a block at a time.

    After a line of the numbers of words and values come, for each word, the word, a space, and its
    values as little-endian float32; word2vec itself adds a line feed, gensim does not.
    """
    rows, dimensions = map(int, file.readline().split())
    if not 2 <= dimensions <= MAX_DIMENSIONS:
        raise VectorsError(f"{source}: expected 2 to {MAX_DIMENSIONS:,} values, found {dimensions}")
    rest, done = b"", 0
    while done < rows:
        content = rest + file.read(BLOCK_BYTES)
        words, values, end = _take_rows(content, rows - done, dimensions)
        rest, done = content[end:], done + len(words)
        if not words:
            raise VectorsError(f"{source} ends in row {done + 1:,}, expected {rows:,} rows")
        if not np.isfinite(values).all():
            raise VectorsError(f"{source}, rows up to {done:,}: a value is not a finite number")
        yield words, values


def _take_rows(content: bytes, rows: int, dimensions: int) -> tuple[list[str], Floats, int]:
    """Return the words and values of the complete rows that content starts with, and their end."""
    words: list[str] = []
    values: list[bytes] = []
    end = 0
    size = dimensions * FLOAT.itemsize
    while len(words) < rows:
        space = content.find(b" ", end)
        if space < 0 or space + 1 + size > len(content):
            break
        word = content[end:space].removeprefix(b"\n")
        words.append(word.decode("utf-8", "replace"))  # word2vec cuts long words in a character
        end = space + 1 + size
        values.append(content[space + 1 : end])
    return words, np.frombuffer(b"".join(values), FLOAT).reshape(-1, dimensions), end
