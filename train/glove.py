"""GloVe vectors: a text file parsed once into a memory-mapped cache.

A cache entry is a folder of `words.txt` (a word a line, in the file's order) and `vectors.npy`
(float32 [words, dimensions]). It is keyed by the source file's path, size and modification time,
written beside its place and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np
import numpy.typing as npt
import polars

from runtime.folder import written_whole

from .errors import GloveError
from .packages import Say, cache_folder

Floats = npt.NDArray[np.float32]
Block = tuple[list[str], Floats]
LineReader = Union[BinaryIO, BufferedIOBase]
BLOCK_BYTES = 1 << 24  # text parsed at a time: bounds memory, long enough to be fast


@dataclass(frozen=True)
class Glove:
    """Word vectors.

    Attributes:
        name: what to call them, with their source.
        folder: the cache entry.
        vectors: float32 [words, dimensions], memory-mapped.
    """

    name: str
    folder: Path
    vectors: Floats

    @property
    def dimensions(self) -> int:
        """Values in a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def words(self) -> list[str]:
        """Every word, in the file's order: commonest first in Stanford's files."""
        return (self.folder / "words.txt").read_text("utf-8").split("\n")[:-1]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> Floats:
        """Give the vector of a word, float32 [dimensions]."""
        row: Floats = self.vectors[self._rows[word]]
        return row


def open_text(path: Path, say: Say) -> Glove:
    """Open a GloVe text file, through the cache.

    Args:
        path: a text file of `word value value …` lines, or the same gzipped (`.gz`).
        say: called with a line before anything slow.

    Returns:
        The vectors.

    Raises:
        GloveError: the file is missing, or a line is not what the others are.
    """
    if not path.is_file():
        raise GloveError(f"{path} is not a file, nor vectors known by name such as glove.6B.100d")
    status = path.stat()
    identity = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    folder = cache_folder() / "glove" / f"{path.name}-{key}"
    if not is_cached(folder):
        say(f"parsing {path} (once; kept in {folder})")
        with path.open("rb") as raw, gzip.open(raw) as unzipped:
            blocks = parse_text(unzipped if path.suffix == ".gz" else raw, str(path))
            write_cache(folder, blocks)
    return open_cache(folder, path.name)


def is_cached(folder: Path) -> bool:
    """Tell whether a cache entry is there."""
    return (folder / "vectors.npy").exists() and (folder / "words.txt").exists()


def open_cache(folder: Path, name: str) -> Glove:
    """Open a cache entry.

    Args:
        folder: the entry.
        name: what to call the vectors.

    Returns:
        The vectors, memory-mapped: nothing is read until it is needed.
    """
    return Glove(name, folder, np.load(folder / "vectors.npy", mmap_mode="r"))


def write_cache(folder: Path, blocks: Iterable[Block]) -> None:
    """Write a cache entry, holding one block in memory at a time.

    Args:
        folder: the entry to write.
        blocks: words and their vectors, in order.

    Raises:
        GloveError: there is not one word.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows, dimensions = 0, 0
    with written_whole(folder) as staging:
        with (staging / "words.txt").open("wb") as words, (staging / "values").open("wb") as values:
            for block_words, block in blocks:
                words.write(("\n".join(block_words) + "\n").encode())
                values.write(block.tobytes())
                rows, dimensions = rows + len(block), block.shape[1]
        if not rows:
            raise GloveError("no word vectors found")
        _add_npy_header(staging / "values", staging / "vectors.npy", (rows, dimensions))


def parse_text(file: LineReader, source: str) -> Iterator[Block]:
    """Parse GloVe text a block at a time.

    Args:
        file: lines of a word and its values, parted by spaces, UTF-8.
        source: what to call the file in an error.

    Yields:
        Words and float32 [words, dimensions].

    Raises:
        GloveError: a line has another number of values, or something that is no number.
    """
    dimensions = 0
    line_number = 1
    while lines := file.readlines(BLOCK_BYTES):
        dimensions = dimensions or len(lines[0].split()) - 1
        if dimensions < 2:
            raise GloveError(
                f"{source}, line 1: expected a word and its values, found {lines[0]!r:.60}"
            )
        yield _parse_lines(lines, dimensions, source, line_number)
        line_number += len(lines)


def parse_numbers(lines: list[bytes], separator: str, columns: int) -> Floats:
    """Parse lines of numbers fast.

    Args:
        lines: `columns` numbers each.
        separator: the one character that parts them.
        columns: how many numbers a line holds.

    Returns:
        float32 [lines, columns], C-contiguous.

    Raises:
        ValueError: a line is otherwise; which one is for the caller to find out.
    """
    try:
        frame = polars.read_csv(
            io.BytesIO(b"\n".join(lines)),
            separator=separator,
            has_header=False,
            quote_char=None,
            schema={str(column): polars.Float32 for column in range(columns)},
        )
    except polars.exceptions.PolarsError as error:
        raise ValueError(str(error)) from None
    values: Floats = frame.to_numpy(order="c")
    if values.shape != (len(lines), columns) or not np.isfinite(values).all():
        raise ValueError("a value is missing or not a finite number")
    return values


def _parse_lines(lines: list[bytes], dimensions: int, source: str, first: int) -> Block:
    fields = [line.rstrip().partition(b" ") for line in lines]
    try:
        words = [word.decode("utf-8") for word, _, _ in fields]
        return words, parse_numbers([numbers for _, _, numbers in fields], " ", dimensions)
    except ValueError:  # a malformed line, or a word that holds a space
        return _parse_lines_slowly(lines, dimensions, source, first)


def _parse_lines_slowly(lines: list[bytes], dimensions: int, source: str, first: int) -> Block:
    """Parse line by line: words that hold spaces pass, a bad line is named."""
    words, values = [], np.empty((len(lines), dimensions), np.float32)
    for row, line in enumerate(lines):
        where = f"{source}, line {first + row}"
        fields = line.rstrip().rsplit(b" ", dimensions)
        if len(fields) != dimensions + 1:
            raise GloveError(
                f"{where}: expected a word and {dimensions} values, found {len(fields) - 1} values"
            )
        try:
            words.append(fields[0].decode("utf-8"))
            values[row] = [float(value) for value in fields[1:]]
        except UnicodeDecodeError:
            raise GloveError(f"{where}: the word {fields[0]!r:.60} is not UTF-8") from None
        except ValueError as error:
            raise GloveError(f"{where}: {error}") from None
        if not np.isfinite(values[row]).all():
            raise GloveError(f"{where}: a value is not a finite number")
    return words, values


def _add_npy_header(values: Path, target: Path, shape: tuple[int, int]) -> None:
    """Turn raw float32 values into a `.npy` file, copying a piece at a time."""
    write_header: Any = np.lib.format.write_array_header_1_0
    with values.open("rb") as source, target.open("wb") as file:
        write_header(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        while piece := source.read(BLOCK_BYTES):
            file.write(piece)
    values.unlink()
