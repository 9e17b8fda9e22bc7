"""Texts kept on disk: a million rows cost memory for their offsets only."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]


class Texts(Sequence[str]):
    """An immutable sequence of strings in an unnamed temporary file, mapped into memory."""

    def __init__(self, data: mmap.mmap | bytes, starts: Longs, rows: Longs) -> None:
        """Hold texts; a `TextStore` makes them.

        Args:
            data: every text in UTF-8 (lone surrogates passed through), end to end.
            starts: int64 [stored texts + 1], where each begins.
            rows: int64 [texts], which of the stored texts these are.
        """
        self._data, self._starts, self._rows = data, starts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Texts: ...
    def __getitem__(self, place: int | slice) -> str | Texts:
        """Give one text, or the texts of a slice."""
        if isinstance(place, slice):
            return Texts(self._data, self._starts, self._rows[place])
        row = self._rows[place]
        content = self._data[int(self._starts[row]) : int(self._starts[row + 1])]
        return content.decode("utf-8", "surrogatepass")

    def select(self, places: Longs) -> Texts:
        """Give the texts at these places, in this order, copying none."""
        return Texts(self._data, self._starts, self._rows[places])


class TextStore:
    """Takes texts one at a time and keeps none in memory."""

    def __init__(self) -> None:
        """Open the temporary file; it has no name and goes when its last reader does."""
        self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115
        self._starts = array("q", [0])

    def add(self, text: str) -> bytes:
        """Store a text; give it back as it is stored."""
        content = text.encode("utf-8", "surrogatepass")
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))
        return content

    def finish(self) -> Texts:
        """Close the store and give what it holds, in the order it came."""
        starts = np.array(self._starts, np.int64)
        self._file.flush()
        data: mmap.mmap | bytes = b""
        if starts[-1]:
            data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        return Texts(data, starts, np.arange(len(starts) - 1))
