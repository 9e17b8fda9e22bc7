"""Divides the rows of large arrays into blocks that are computed one after the other."""

from collections.abc import Iterator

BLOCK_VALUES = 1 << 22  # computed at a time: bounds memory


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield the rows of each block: `row_blocks(3, 1 << 21)` -> `slice(0, 2), slice(2, 3)`."""
    step = max(1, BLOCK_VALUES // columns)
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
