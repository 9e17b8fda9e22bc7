"""Reads tables of a flatbuffer, checking every offset.

Every access stays inside the file: a damaged or forged offset raises ValueError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ..aliases import Array

UINT8, INT8, UINT16, INT32, UINT32, FLOAT32 = "<B", "<b", "<H", "<i", "<I", "<f"


@dataclass(frozen=True)
class Table:
    """A table: fields by number, each present or not."""

    content: bytes
    position: int

    def number(self, field: int, form: str = INT32, default: int = 0) -> int:
        """Return an integer field."""
        position = self._find(field)
        return int(read(self.content, position, form)) if position else default

    def real(self, field: int, default: float = 0.0) -> float:
        """Return a float32 field."""
        position = self._find(field)
        return read(self.content, position, FLOAT32) if position else default

    def table(self, field: int) -> Table | None:
        """Return a table, or None if it is absent."""
        position = self._find(field)
        return _follow(self.content, position) if position else None

    def tables(self, field: int, limit: int) -> list[Table]:
        """Return a vector of tables; empty if it is absent.

        Raises:
            ValueError: it has more than `limit` items.
        """
        start, count = self._find_vector(field, 4)
        if count > limit:
            raise ValueError(f"the model has a list of {count} items, expected up to {limit}")
        return [_follow(self.content, start + 4 * index) for index in range(count)]

    def vector(self, field: int, dtype: str) -> Array | None:
        """Return a vector of numbers, a view of the file; None if it is absent."""
        start, count = self._find_vector(field, np.dtype(dtype).itemsize)
        if not start:
            return None
        return np.frombuffer(self.content, dtype, count, start)

    def _find(self, field: int) -> int:
        """Return the position of a field, 0 if it is absent."""
        vtable = self.position - int(read(self.content, self.position, INT32))
        if 4 + 2 * field >= read(self.content, vtable, UINT16):
            return 0
        offset = int(read(self.content, vtable + 4 + 2 * field, UINT16))
        return self.position + offset if offset else 0

    def _find_vector(self, field: int, item_size: int) -> tuple[int, int]:
        """Return start and count of a vector, (0, 0) if it is absent."""
        position = self._find(field)
        if not position:
            return 0, 0
        position += int(read(self.content, position, UINT32))
        count = int(read(self.content, position, UINT32))
        if position + 4 + count * item_size > len(self.content):
            raise ValueError("the model is damaged: a list ends outside the file")
        return position + 4, count


def root_table(content: bytes, identifier: bytes) -> Table:
    """Return the outermost table of a flatbuffer.

    Raises:
        ValueError: the file has another identifier.
    """
    if content[4:8] != identifier:
        raise ValueError(f"the model is not a flatbuffer with the identifier {identifier.decode()}")
    return _follow(content, 0)


def read(content: bytes, position: int, form: str) -> float:
    """Return the number at a position.

    Raises:
        ValueError: it is not inside the file.
    """
    if not 0 <= position <= len(content) - struct.calcsize(form):
        raise ValueError("the model is damaged: an offset points outside the file")
    (number,) = struct.unpack_from(form, content, position)
    return number  # type: ignore[no-any-return]


def _follow(content: bytes, position: int) -> Table:
    return Table(content, position + int(read(content, position, UINT32)))
