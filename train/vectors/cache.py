"""GloVe vectors: a text file parsed once into a memory-mapped cache.

A cache entry is a folder of `words.txt` (a word a line, in the file's order), `vectors.npy`
(float32 [words, dimensions]) and `entry.json` (its source, and the sizes that show damage). It is
written beside its place and renamed, so a reader never sees half of one; a damaged entry is made
anew.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from runtime.io.output_folder import atomic_folder
from runtime.io.packages import Say, cache_folder

from ..errors import GloveError

Floats = npt.NDArray[np.float32]
Block = tuple[list[str], Floats]
WORDS, VECTORS, ENTRY = "words.txt", "vectors.npy", "entry.json"
HEADER_BYTES = 128  # of the .npy file; a multiple of 64, as the format asks


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
        return (self.folder / WORDS).read_text("utf-8").split("\n")[:-1]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> Floats:
        """Give the vector of a word, float32 [dimensions]."""
        row: Floats = self.vectors[self._rows[word]]
        return row


def open_cached(
    key: str, say: Say, make: Callable[[], tuple[str, Iterable[Block]]] | None = None
) -> Glove | None:
    """Open a cache entry, making it if it is not there or damaged.

    Args:
        key: the entry's name.
        say: told where an entry was damaged.
        make: gives the name of the vectors and their blocks; None only looks.

    Returns:
        The vectors, or None where there is no entry and it was only looked for.

    Raises:
        GloveError: the blocks hold no vector.
    """
    folder = cache_folder() / "glove" / key
    glove = _open(folder)
    if glove is None and folder.exists():
        say(f"{folder} is damaged and is made anew")
        shutil.rmtree(folder, ignore_errors=True)
    if glove is None and make is not None:
        name, blocks = make()
        _write(folder, name, blocks)
        glove = _open(folder)
        if glove is None:
            raise GloveError(f"{folder} cannot be read back: is the disk full?")
    return glove


def _open(folder: Path) -> Glove | None:
    """Open an entry whose files have the sizes they were written with."""
    try:
        entry = json.loads((folder / ENTRY).read_text("utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in (WORDS, VECTORS)}
        if entry["bytes"] != sizes:
            return None
        return Glove(entry["name"], folder, np.load(folder / VECTORS, mmap_mode="r"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, name: str, blocks: Iterable[Block]) -> None:
    """Write an entry, holding one block in memory at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows, dimensions = 0, 0
    with atomic_folder(folder, overwrite=True) as staging:
        with (staging / WORDS).open("wb") as words, (staging / VECTORS).open("wb") as vectors:
            _write_npy_header(vectors, (0, 0))
            for block_words, block in blocks:
                words.write(("\n".join(block_words) + "\n").encode())
                vectors.write(np.ascontiguousarray(block).data)
                rows, dimensions = rows + len(block), block.shape[1]
            if not rows:
                raise GloveError(f"{name} holds no word vectors")
            vectors.seek(0)
            _write_npy_header(vectors, (rows, dimensions))
        sizes = {file: (staging / file).stat().st_size for file in (WORDS, VECTORS)}
        (staging / ENTRY).write_text(json.dumps({"name": name, "bytes": sizes}), "utf-8")


def _write_npy_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """Write the header of a `.npy` file in `HEADER_BYTES`, whatever the shape (NEP 1)."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER_BYTES - 10)
    file.write(content + header.encode().ljust(HEADER_BYTES - 11) + b"\n")
