"""Word vectors in a memory-mapped cache, so that a text file is parsed once.

A cache entry is a folder of `words.txt` (a word per line, in the file's order), `vectors.npy`
(float32 [words, dimensions]) and `entry.json` (the vectors' name, and the sizes that reveal
damage). It is written atomically; a damaged entry is rebuilt.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import logging
import shutil
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import polars

from glovelite.data.output_folder import atomic_folder
from glovelite.data.packages import cache_folder
from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import DataError, OutputError, VectorsError
from glovelite.runtime.files.binary_files import name_damage, open_binary
from glovelite.runtime.files.kinds import MAX_SHOWN_MEMBERS, find_kind, is_companion
from glovelite.runtime.text.tokenizer import WORDS

from ..options import KNOWN_VECTORS

logger = logging.getLogger(__name__)

Block = tuple[list[str], Floats]  # words and float32 [words, dimensions]
WORDS_FILE, VECTORS_FILE, ENTRY_FILE = "words.txt", "vectors.npy", "entry.json"
NPY_HEADER_BYTES = 128  # a multiple of 64, as the format requires
BLOCK_BYTES = 6 << 20  # parsed at a time: bounds memory, large enough to be fast
THREADS = 3  # each parses a block; the parser releases the GIL


@dataclass(frozen=True)
class WordVectors:
    """Word vectors.

    Attributes:
        source: what `--glove` takes: the name of known vectors, or the name of their file.
        name: the source and where it came from.
        folder: the cache entry.
        vectors: float32 [words, dimensions], memory-mapped.
    """

    source: str
    name: str
    folder: Path
    vectors: Floats

    @property
    def dimensions(self) -> int:
        """Values in a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def words(self) -> list[str]:
        """All words in the file's order, most frequent first in Stanford's; some may recur.

        They are normalized as the tokenizer normalizes text: lower case, composed.
        """
        words = (self.folder / WORDS_FILE).read_text("utf-8").split("\n")[:-1]
        return list(map(WORDS.normalize, words))

    @cached_property
    def _rows(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            rows.setdefault(word, row)  # two rows may be of one word: the first is more frequent
        return rows

    def rank(self, word: str) -> int:
        """Return the position of a word from 0, or the number of rows if it has no vector."""
        return self._rows.get(word, len(self.words))

    @property
    def repeated(self) -> list[str]:
        """The words of rows that do not count, because an earlier row is of the same word."""
        if len(self._rows) == len(self.words):
            return []
        return [word for row, word in enumerate(self.words) if self._rows[word] != row]

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> Floats:
        """Return the vector of a word, float32 [dimensions]."""
        row: Floats = self.vectors[self._rows[word]]
        return row


def open_cached(
    key: str, source: str, load: Callable[[], tuple[str, Iterable[Block]]]
) -> WordVectors:
    """Open a cache entry; `load` it, the vectors' name and blocks, if it is missing or damaged."""
    folder = cache_folder() / "glove" / key
    if vectors := _open(folder, source):
        return vectors
    if folder.exists():
        if vectors := _open(folder, source):  # another process may just have written it
            return vectors
        logger.info(f"{folder} is damaged: rebuilding it")
        shutil.rmtree(folder, ignore_errors=True)
    name, blocks = load()
    try:
        _write(folder, name, blocks)
    except OutputError:
        if vectors := _open(folder, source):  # another process was faster
            return vectors
        raise
    if vectors := _open(folder, source):
        return vectors
    raise VectorsError(f"{folder} cannot be read back: is the disk full?")


def _open(folder: Path, source: str) -> WordVectors | None:
    """Open an entry whose files have the recorded sizes."""
    try:
        entry = json.loads((folder / ENTRY_FILE).read_text("utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in (WORDS_FILE, VECTORS_FILE)}
        if entry["bytes"] != sizes:
            return None
        vectors = np.load(folder / VECTORS_FILE, mmap_mode="r")
        return WordVectors(source, entry["name"], folder, vectors)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, name: str, blocks: Iterable[Block]) -> None:
    """Write an entry, holding one block in memory at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows, dimensions = 0, 0
    with atomic_folder(folder, overwrite=False) as staging:
        with (staging / WORDS_FILE).open("wb") as words, (staging / VECTORS_FILE).open("wb") as npy:
            _write_npy_header(npy, (0, 0))
            for block_words, block in blocks:
                words.write(("\n".join(block_words) + "\n").encode())
                npy.write(np.ascontiguousarray(block).data)
                rows, dimensions = rows + len(block), block.shape[1]
            if not rows:
                raise VectorsError(f"{name} holds no word vectors")
            npy.seek(0)
            _write_npy_header(npy, (rows, dimensions))
        sizes = {file: (staging / file).stat().st_size for file in (WORDS_FILE, VECTORS_FILE)}
        (staging / ENTRY_FILE).write_text(json.dumps({"name": name, "bytes": sizes}), "utf-8")


def _write_npy_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """Write the header of a `.npy` file in `NPY_HEADER_BYTES`, for any shape (NEP 1)."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", NPY_HEADER_BYTES - 10)
    file.write(content + header.encode().ljust(NPY_HEADER_BYTES - 11) + b"\n")


def open_text(path: str) -> WordVectors:
    """Open a text file of word vectors, through the cache.

    Args:
        path: a text file of `word value value …` lines, the same compressed with gzip, bzip2 or
            xz, or a file in a zip file (`glove.6B.zip:glove.6B.100d.txt`; its name may be omitted
            if there is only one). A first line of two counts (word2vec's header) is skipped.
    """
    file, _, member = path.partition(".zip:")
    source = Path(file + ".zip" if member else path)
    if not source.is_file():
        raise VectorsError(
            f"{path} is neither a file nor the name of known vectors ({', '.join(KNOWN_VECTORS)}): "
            "give the file's path as --glove; a run records the file's name without its folder"
        )
    status = source.stat()
    identity = f"{source.resolve()}\0{member}\0{status.st_size}\0{status.st_mtime_ns}"
    key = f"{source.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    name = Path(member or source.name).name

    def load() -> tuple[str, Iterator[Block]]:
        logger.info(f"parsing {path} (once)")
        return name, read_text(source, member or None)

    return open_cached(key, name, load)


def read_text(path: Path, member: str | None = None) -> Iterator[Block]:
    """Read a text file of word vectors, plain, compressed or a member of a zip file."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, member)) as file:
                yield from _read_opened(file, f"{path}:{file.name}")
        else:
            with open_binary(str(path)) as file, name_damage(file, str(path)):
                yield from _read_opened(file, str(path))
    except DataError as error:
        raise VectorsError(str(error)) from None
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise VectorsError(f"{path} is damaged: {error}") from None


def _read_opened(file: IO[bytes], source: str) -> Iterator[Block]:
    """Parse a file, or raise VectorsError if it is of another kind than text."""
    if kind := find_kind(file):
        raise VectorsError(kind.refuse(source))
    yield from parse_text(file, source)


def parse_text(file: IO[bytes], source: str) -> Iterator[Block]:
    """Parse lines of a word and its values, UTF-8, a block at a time.

    They are separated by spaces, or by tabs if the first line has some.
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


def _split_blocks(file: IO[bytes], source: str) -> Iterator[_Lines]:
    """Split text into blocks of complete lines."""
    block = (file.read(BLOCK_BYTES) + file.readline()).removeprefix(codecs.BOM_UTF8)
    line_number = 1
    if _is_header(block):
        block, line_number = block[block.index(b"\n") + 1 :], 2
    has_tabs = b"\t" in block.partition(b"\n")[0]
    dimensions = _count_dimensions(block, source, line_number) if block else 0
    while block:
        block = block.replace(b"\t", b" ") if has_tabs else block
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


def _member(archive: zipfile.ZipFile, requested: str | None) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    names = [name for name in names if not is_companion(name)]
    if requested is not None and requested in names:
        return requested
    if requested is None and len(names) == 1:
        return names[0]
    members = ", ".join(names[:MAX_SHOWN_MEMBERS]) or "it has none"
    raise VectorsError(
        f"{archive.filename}: name one of its members, as in {archive.filename}:NAME ({members})"
    )


def _is_header(block: bytes) -> bool:
    """Return whether the first line is word2vec's header, such as `400000 100`."""
    fields = block.partition(b"\n")[0].split()
    return len(fields) == 2 and all(field.isdigit() for field in fields) and b"\n" in block


def _count_dimensions(block: bytes, source: str, line_number: int) -> int:
    first = block.partition(b"\n")[0]
    dimensions = len(first.split()) - 1
    if dimensions < 2:
        raise VectorsError(
            f"{source}, line {line_number}: expected a word and its values, found {first!r:.60}"
        )
    return dimensions


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
