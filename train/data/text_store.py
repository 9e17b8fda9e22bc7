"""Keeps texts on disk, so that a million of them take memory only for their offsets."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Sequence
from typing import overload

import numpy as np

from glovelite.runtime.aliases import Longs
from glovelite.runtime.files.output import full_temporary_folder


class Texts(Sequence[str]):
    """An immutable sequence of strings in an unnamed temporary file, mapped into memory.

    A million rows take memory only for their offsets.
    """

    def __init__(self, data: mmap.mmap | bytes, starts: Longs, rows: Longs) -> None:
        """Wrap stored texts; `TextStore.finish` creates them.

        Args:
            data: all texts in UTF-8 (lone surrogates allowed), concatenated.
            starts: int64 [stored texts + 1], offset of each.
            rows: int64 [texts], which of the stored texts these are.
        """
        self._data, self._starts, self._rows = data, starts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        """Return one text, or the texts of a slice."""
        if isinstance(index, slice):
            return Texts(self._data, self._starts, self._rows[index])
        row = self._rows[index]
        content = self._data[int(self._starts[row]) : int(self._starts[row + 1])]
        return content.decode("utf-8", "surrogatepass")

    def select(self, indices: Longs) -> Texts:
        """Return the texts at these indices, in this order, without copying them."""
        return Texts(self._data, self._starts, self._rows[indices])


class TextStore:
    """Collects texts in a temporary file."""

    def __init__(self) -> None:
        """Open the file; it has no name and is deleted with its last reader."""
        self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115
        self._starts = array("q", [0])

    def add(self, text: str) -> bytes:
        """Store a text; return its encoded bytes.

        Raises:
            OutputError: the folder of temporary files is full.
        """
        content = text.encode("utf-8", "surrogatepass")
        try:
            self._file.write(content)
        except OSError as error:
            raise full_temporary_folder(error) from None
        self._starts.append(self._starts[-1] + len(content))
        return content

    def finish(self) -> Texts:
        """Close the store and return its texts in the order of `add`.

        Raises:
            OutputError: the folder of temporary files is full.
        """
        starts = np.array(self._starts, np.int64)
        try:
            self._file.flush()
        except OSError as error:
            raise full_temporary_folder(error) from None
        data: mmap.mmap | bytes = b""
        if starts[-1]:
            data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        return Texts(data, starts, np.arange(len(starts) - 1))
