"""Word vectors in a memory-mapped cache, so that a source is parsed once.

A cache entry is a folder of `words.txt` (a word per line, in the source's order), `vectors.npy`
(float32 [words, dimensions]) and `entry.json` (the vectors' name, the SHA-256 of what was read, and
the sizes that reveal damage). It is written atomically; a damaged entry is rebuilt.
"""

from __future__ import annotations

import json
import logging
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from glovelite.data.output_folder import atomic_folder
from glovelite.data.packages import cache_folder
from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import OutputError, VectorsError
from glovelite.runtime.text.tokenizer import WORDS

logger = logging.getLogger(__name__)

Block = tuple[list[str], Floats]  # words and float32 [words, dimensions]
WORDS_FILE, VECTORS_FILE, ENTRY_FILE = "words.txt", "vectors.npy", "entry.json"
NPY_HEADER_BYTES = 128  # a multiple of 64, as the format requires


@dataclass(frozen=True)
class WordVectors:
    """Word vectors.

    Attributes:
        source: what `--vectors` takes: the name of known vectors, or the name of their file.
        name: the source and where it came from.
        folder: the cache entry.
        vectors: float32 [words, dimensions], memory-mapped.
        sha256: of what was read, see `Contents`; None if an earlier version wrote the entry.
    """

    source: str
    name: str
    folder: Path
    vectors: Floats
    sha256: str | None = None

    @property
    def dimensions(self) -> int:
        """Values in a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def words(self) -> list[str]:
        """All words in the file's order, most frequent first in Stanford's; some may recur.

        They are normalized as the tokenizer normalizes text: lower case, composed.
        """
        words = (self.folder / WORDS_FILE).read_bytes().decode().split("\n")[:-1]
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


@dataclass(frozen=True)
class Contents:
    """Word vectors on their way into the cache.

    Attributes:
        name: see `WordVectors`.
        blocks: the vectors, read while they are taken.
        sha256: returns, after the last block, the SHA-256 of what was read: of a text without its
            compression, of a package file as it is.
    """

    name: str
    blocks: Iterable[Block]
    sha256: Callable[[], str]


def open_cached(key: str, source: str, load: Callable[[], Contents]) -> WordVectors:
    """Open a cache entry; `load` and write it if it is missing or damaged."""
    folder = cache_folder() / "glove" / key
    if vectors := _open(folder, source):
        return vectors
    if folder.exists():
        if vectors := _open(folder, source):  # another process may just have written it
            return vectors
        logger.info(f"{folder} is damaged: rebuilding it")
        shutil.rmtree(folder, ignore_errors=True)
    try:
        _write(folder, load())
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
        written = (folder / ENTRY_FILE).stat().st_mtime_ns
        return _map(source, entry["name"], folder, entry.get("sha256"), written)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(1)  # the words of the last vectors are read once in a process, which takes seconds
def _map(source: str, name: str, folder: Path, sha256: str | None, _written: int) -> WordVectors:
    vectors = np.load(folder / VECTORS_FILE, mmap_mode="r")
    vectors = vectors.view(np.ndarray)  # rows of a memmap take twenty times as long to get
    return WordVectors(source, name, folder, vectors, sha256)


def _write(folder: Path, contents: Contents) -> None:
    """Write an entry, holding one block in memory at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows, dimensions = 0, 0
    with atomic_folder(folder, overwrite=False) as staging:
        with (staging / WORDS_FILE).open("wb") as words, (staging / VECTORS_FILE).open("wb") as npy:
            _write_npy_header(npy, (0, 0))
            for block_words, block in contents.blocks:
                lines = [word.replace("\n", " ") for word in block_words]
                words.write(("\n".join(lines) + "\n").encode())
                npy.write(np.ascontiguousarray(block).data)
                rows, dimensions = rows + len(block), block.shape[1]
            if not rows:
                raise VectorsError(f"{contents.name} holds no word vectors")
            npy.seek(0)
            _write_npy_header(npy, (rows, dimensions))
        sizes = {file: (staging / file).stat().st_size for file in (WORDS_FILE, VECTORS_FILE)}
        entry = {"name": contents.name, "sha256": contents.sha256(), "bytes": sizes}
        (staging / ENTRY_FILE).write_text(json.dumps(entry), "utf-8")


def _write_npy_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """Write the header of a `.npy` file in `NPY_HEADER_BYTES`, for any shape (NEP 1)."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", NPY_HEADER_BYTES - 10)
    file.write(content + header.encode().ljust(NPY_HEADER_BYTES - 11) + b"\n")
