"""Guesses whether the first row of a table names its columns, or is data like the other rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?%?", re.ASCII | re.IGNORECASE)
_MOST = 0.9
_WORD_LIST = 0.5  # share of texts of one word in a table of words


@dataclass(frozen=True)
class FirstCell:
    """The first cell of a column, and the cells below it.

    Attributes:
        value: the first cell, stripped.
        others: the cells below that are not empty, stripped.
    """

    value: str
    others: tuple[str, ...]

    @property
    def occurs_again(self) -> bool:
        """Whether another row has the same value."""
        return bool(self.value) and self.value in self.others

    @cached_property
    def is_number_among_numbers(self) -> bool:
        """Whether all cells are numbers."""
        return self._above_numbers and bool(_NUMBER.fullmatch(self.value))

    @cached_property
    def is_name_above_numbers(self) -> bool:
        """Whether all cells but the first are numbers."""
        return self._above_numbers and bool(self.value) and not _NUMBER.fullmatch(self.value)

    @cached_property
    def is_above_labels(self) -> bool:
        """Whether the other values repeat, but not the first one."""
        return not self.occurs_again and len({*self.others}) < len(self.others)

    @cached_property
    def is_written_differently(self) -> bool:
        """Whether it has a capital, digit or `_`, and no other cell has."""
        return any(
            has(self.value) and not any(map(has, self.others))
            for has in (_has_capital, _has_digit, _has_underscore)
        )

    @cached_property
    def is_shorter_than_texts(self) -> bool:
        """Whether it has fewer words than the other cells, or one where most have several."""
        counts = [len(text.split()) for text in self.others]
        words = len(self.value.split())
        if not counts or not words:
            return False
        several = sum(count > 1 for count in counts) / len(counts)
        return words < min(counts) or (words == 1 and several >= _MOST)

    @cached_property
    def is_above_words(self) -> bool:
        """Whether most cells below hold one word."""
        single = sum(len(text.split()) == 1 for text in self.others)
        return single > _WORD_LIST * len(self.others)

    @property
    def _above_numbers(self) -> bool:
        return bool(self.others) and all(map(_NUMBER.fullmatch, self.others))


def first_cells(rows: Sequence[Sequence[str]]) -> list[FirstCell]:
    """Return the first cell of each column of the first row."""
    return [
        FirstCell(
            value.strip(),
            tuple(row[index].strip() for row in rows[1:] if index < len(row) and row[index]),
        )
        for index, value in enumerate(rows[0])
    ]


def is_header(
    cells: Sequence[FirstCell], text: Sequence[int], known: Sequence[int], partly: Sequence[int]
) -> bool:
    """Return whether the first row names the columns.

    Args:
        text: the indices of the text columns.
        known: the indices of columns whose first cell is a known name.
        partly: the indices of columns whose first cell ends in a known name.
    """
    texts = [cells[index] for index in text]
    others = [cell for index, cell in enumerate(cells) if index not in text]
    is_data = any(cell.occurs_again or cell.is_number_among_numbers for cell in others)
    if known:
        of_words = all(cells[index].is_above_words for index in text)
        return not (is_data and of_words)
    if is_data:
        return False
    if any(cell.is_name_above_numbers for cell in cells):
        return True
    labels = [cell for cell in others if cell.is_above_labels]
    differs = any(cell.is_shorter_than_texts for cell in texts)
    if partly and (differs or any(len(cells[index].value.split()) == 1 for index in partly)):
        return True
    return bool(labels) and (differs or any(cell.is_written_differently for cell in labels))


def _has_capital(cell: str) -> bool:
    return cell[:1].isupper()


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))


def _has_underscore(cell: str) -> bool:
    return "_" in cell
