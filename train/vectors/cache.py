"""Word vectors in a memory-mapped cache, so that a text file is parsed once.

A cache entry is a folder of `words.txt` (a word per line, in the file's order), `vectors.npy`
(float32 [words, dimensions]) and `entry.json` (the vectors' name, and the sizes that reveal
damage). It is written atomically; a damaged entry is rebuilt.
"""

from __future__ import annotations

import json
import logging
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from glovelite.data.output_folder import atomic_folder
from glovelite.data.packages import cache_folder
from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import OutputError, VectorsError

logger = logging.getLogger(__name__)

Block = tuple[list[str], Floats]  # words and float32 [words, dimensions]
WORDS_FILE, VECTORS_FILE, ENTRY_FILE = "words.txt", "vectors.npy", "entry.json"
NPY_HEADER_BYTES = 128  # a multiple of 64, as the format requires


@dataclass(frozen=True)
class WordVectors:
    """Word vectors.

    Attributes:
        name: their name and where they came from.
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
        """All words in the file's order: most frequent first in Stanford's files."""
        return (self.folder / WORDS_FILE).read_text("utf-8").split("\n")[:-1]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def rank(self, word: str) -> int:
        """Return the position of a word from 0, or the number of words if it has no vector."""
        return self._rows.get(word, len(self._rows))

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> Floats:
        """Return the vector of a word, float32 [dimensions]."""
        row: Floats = self.vectors[self._rows[word]]
        return row


def open_cached(key: str, load: Callable[[], tuple[str, Iterable[Block]]]) -> WordVectors:
    """Open a cache entry, building it if it is missing or damaged.

    Args:
        key: the entry's name.
        load: returns the name of the vectors and their blocks.

    Raises:
        VectorsError: there is no vector in the blocks.
        OutputError: the cache cannot be written.
    """
    folder = cache_folder() / "glove" / key
    vectors = _open(folder)
    if vectors is None and folder.exists():
        vectors = _open(folder)  # another process may just have written it
        if vectors is None:
            logger.info(f"{folder} is damaged: rebuilding it")
            shutil.rmtree(folder, ignore_errors=True)
    if vectors is not None:
        return vectors
    name, blocks = load()
    try:
        _write(folder, name, blocks)
    except OutputError:
        vectors = _open(folder)  # another process was faster
        if vectors is None:
            raise
        return vectors
    vectors = _open(folder)
    if vectors is None:
        raise VectorsError(f"{folder} cannot be read back: is the disk full?")
    return vectors


def _open(folder: Path) -> WordVectors | None:
    """Open an entry whose files have the recorded sizes."""
    try:
        entry = json.loads((folder / ENTRY_FILE).read_text("utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in (WORDS_FILE, VECTORS_FILE)}
        if entry["bytes"] != sizes:
            return None
        return WordVectors(entry["name"], folder, np.load(folder / VECTORS_FILE, mmap_mode="r"))
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
