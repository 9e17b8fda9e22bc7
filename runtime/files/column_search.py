"""Finds the columns of text, label, group and time: as requested, by their names or values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import DataError
from ..text.label_characters import check_label
from .column_names import LABEL_NAMES, TEXT_NAMES, find_known, find_named, fold_name, is_known
from .columns import LABEL_SEPARATOR, MAX_SHOWN_COLUMNS, ColumnNames, Columns
from .header import first_cells, is_header

MULTI_LABEL_NAME = "labels"  # a column of that name holds several labels
_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
_FLAGS = frozenset(("0", "1", "0.0", "1.0", "true", "false"))
_NO_HEADER = "no header found, so the first row is data; --header reads it as names"


class _Indices(NamedTuple):
    """The index of each column, as far as names tell, and of others that could be meant."""

    text: tuple[int, ...]
    label: int | None
    group: int | None
    time: int | None
    label_columns: tuple[int, ...]
    other_text: tuple[int, ...] = ()
    other_labels: tuple[int, ...] = ()

    @property
    def others(self) -> tuple[int, ...]:
        """The indices of what is neither text nor the label column."""
        named = (index for index in (self.group, self.time) if index is not None)
        return (*named, *self.label_columns)


def find_columns(
    rows: Sequence[Sequence[str]], requested: ColumnNames, source: str, labelled: bool = True
) -> Columns:
    """Find the columns of a table: as requested, by their name, or by their values.

    A table without a header is understood if, besides group and time, it has two columns and the
    values of one repeat. Columns of groups, times and 0 and 1 are never taken for text or label.

    Args:
        labelled: whether there must be a label column; without one, a single column is the text.

    Raises:
        DataError: the columns cannot be determined; the message lists the first row.
    """
    first = tuple(value.strip() for value in rows[0])
    if requested.header is not False:
        search = _Search(requested, first, _usable_names(rows, first, requested), source)
        found = _complete(search.find(), rows, labelled)
        known = search.known(found)
        if requested.header or known.asked_for or _looks_like_header(rows, found, known):
            columns = search.make_columns(found, labelled)
            if requested.header is None and not (known.asked_for or known.whole):
                columns = replace(columns, notes=(*columns.notes, _note_header(first)))
            return replace(columns, header=True)
    search = _Search(requested, first, ("",) * len(first), source)
    columns = search.make_columns(_complete(search.find(), rows, labelled), labelled)
    return columns if requested.header is False else replace(columns, notes=(_NO_HEADER,))


def find_keys(
    record: Mapping[str, object], requested: ColumnNames, source: str, labelled: bool = True
) -> Columns:
    """Find the keys of a JSON object: as requested, text and label also by their name.

    Raises:
        DataError: the keys cannot be determined.
    """
    names = tuple(record)
    search = _Search(requested, names, names, source)
    found = search.find()
    columns = search.make_columns(found, labelled)
    label, group, time = (
        None if index is None else names[int(index)]
        for index in (columns.label, columns.group, columns.time)
    )
    text = tuple(names[index] for index in found.text)
    keys = columns.label_names  # of columns of 0 and 1
    return replace(columns, text=text, label=label, group=group, time=time, label_columns=keys)


class _Known(NamedTuple):
    """The columns that names tell, by their indices.

    Attributes:
        whole: those with a known name.
        partly: those whose last word is a known name.
        asked_for: whether a column is asked for by its name.
    """

    whole: tuple[int, ...]
    partly: tuple[int, ...]
    asked_for: bool


@dataclass(frozen=True)
class _Search:
    """What is looked for in the names of the columns.

    Attributes:
        first: the first row, or the keys of an object.
        names: the same, empty where it is no name.
    """

    requested: ColumnNames
    first: Sequence[str]
    names: Sequence[str]
    source: str

    def find(self) -> _Indices:
        """Find text, labels, group and time as far as names tell."""
        requested = self.requested
        group, time = self._find_given(requested.group), self._find_given(requested.time)
        flags = tuple(self._find_label_columns())
        taken = {group, time, *flags}
        text = [self._find_named(given) for given in requested.text] or self._find_trained(taken)
        texts = [] if text else self._find_known(TEXT_NAMES, taken)
        label = None if requested.label is None else self._find_named(requested.label)
        labels = self._find_known(LABEL_NAMES, taken) if label is None and not flags else []
        text = text or texts[:1]
        label = next(iter(labels), None) if label is None else label
        chosen = {*text, label}
        other_text = tuple(index for index in texts if index not in chosen)
        other_labels = tuple(index for index in labels if index not in chosen)
        found = _Indices(tuple(text), label, group, time, flags, other_text, other_labels)
        self._check_different(found)
        return found

    def known(self, found: _Indices) -> _Known:
        """Return what names tell about the columns that were found."""
        whole, partly = list[int](), list[int]()
        columns = [(index, TEXT_NAMES) for index in found.text]
        columns += [] if found.label is None else [(found.label, LABEL_NAMES)]
        for index, known in columns:
            name = self.names[index]
            if is_known(name, known):
                whole.append(index)
            elif find_known([name], known):
                partly.append(index)
        given = [name for name in self.requested.given if not name.isdecimal()]
        given += self.requested.trained
        asked_for = bool(found.label_columns) or any(
            find_named(name, self._written) for name in given
        )
        return _Known(tuple(whole), tuple(partly), asked_for)

    def make_columns(self, found: _Indices, labelled: bool) -> Columns:
        """Return the columns; raise DataError if text or labels are missing."""
        self._check_found(found, labelled)
        separator = self.requested.separator
        if separator is None and self.requested.label is None and found.label is not None:
            name = fold_name(self.names[found.label])
            separator = LABEL_SEPARATOR if name == MULTI_LABEL_NAME else None
        return Columns(
            found.text,
            found.label if labelled else None,
            found.group,
            found.time,
            found.label_columns,
            label_names=self._label_names(found),
            separator=separator,
            multi_label=bool(separator or found.label_columns),
            notes=(*self._note_untrained(found), *self._note_others(found, labelled)),
        )

    @property
    def _written(self) -> Sequence[str]:
        """The first row, if it can hold names: later rows may repeat a group or 0 and 1."""
        return self.first if any(self.names) else self.names

    def _find_known(self, known: Sequence[str], taken: set[int | None]) -> list[int]:
        names = ["" if index in taken else name for index, name in enumerate(self.names)]
        found = find_known(names, known)
        if found:
            self._check_unique(found[0], known is TEXT_NAMES)
        return found

    def _check_unique(self, index: int, text: bool) -> None:
        """Raise DataError if another column has the same name as one that is found by its name."""
        same = [number for number, name in enumerate(self.names) if name == self.names[index]]
        if len(same) > 1:
            option = "text" if text else "label"
            raise self._ambiguous(self.names[index], same, f"--{option}-column")

    def _ambiguous(self, name: str, indices: Sequence[int], option: str) -> DataError:
        numbers = " and ".join(str(index + 1) for index in indices)
        return DataError(
            f"{self.source} has two columns of one name, {name!r:.40} ({numbers}): rename one, or "
            f"name the one to read by its number with {option}"
        )

    def _find_trained(self, taken: set[int | None]) -> list[int]:
        """Find the text columns of the training that are there."""
        found = (find_named(name, self.names) for name in self.requested.trained)
        return [first for first, *others in filter(None, found) if first not in taken]

    def _note_untrained(self, found: _Indices) -> Iterator[str]:
        """Yield a note if other columns are read than in training; several are a warning."""
        trained, given = self.requested.trained, self.requested.text
        missing = [name for name in trained if not find_named(name, self.names)]
        if given or not missing:
            return
        read = " + ".join(f"{self.first[index]!r:.40}" for index in found.text if any(self.names))
        prefix = "warning: " if len(trained) > 1 else ""
        yield (
            f"{prefix}the model was trained on {_show_names(trained)}, and there is no "
            f"{_show_names(missing, ' or ')}{f': it reads {read}' if read else ''}; --text-column "
            "names other columns"
        )

    def _find_named(self, given: str) -> int:
        return self._find_one(given, self.names)

    def _find_given(self, given: str | None) -> int | None:
        return None if given is None else self._find_one(given, self._written)

    def _find_one(self, given: str, names: Sequence[str]) -> int:
        """Find one column that is asked for, by its name or number."""
        found = find_named(given, names)
        if len(found) > 1:
            raise self._ambiguous(given, found, "its option")
        if found:
            return found[0]
        if given.isdecimal() and 1 <= int(given) <= len(names):
            return int(given) - 1
        if not any(names) and self.requested.header is False:
            raise DataError(
                f"{self.source}: without a header, a column is named by its number from 1, found "
                f"{given!r:.40}"
            )
        raise DataError(
            f"{self.source}: there is no column {given!r} among "
            f"{list(self.first)[:MAX_SHOWN_COLUMNS]}"
        )

    def _find_label_columns(self) -> Iterator[int]:
        """Yield the index of each column of 0 and 1: by name, number, or a range of numbers."""
        names = self._written
        for given in self.requested.label_columns:
            span = None if find_named(given, names) else _RANGE.fullmatch(given)
            if span is None:
                yield self._find_one(given, names)
                continue
            start, end = int(span[1]), int(span[2])
            if not 1 <= start <= end <= len(names):
                raise DataError(
                    f"{self.source}: --label-columns {given}: expected a range within "
                    f"1-{len(names)}"
                )
            yield from range(start - 1, end)

    def _label_names(self, found: _Indices) -> tuple[str, ...]:
        """Return the labels that columns of 0 and 1 are named by."""
        names = tuple(self.first[index] for index in found.label_columns)
        if names and (all(name.casefold() in _FLAGS for name in names) or not any(self.names)):
            raise DataError(
                f"{self.source}: expected a header that names the labels of --label-columns, found "
                f"{names[0]!r}: add a header"
            )
        for index, name in zip(found.label_columns, names):
            try:
                check_label(name)
            except ValueError as error:
                where = f"{self.source}: the name of column {index + 1}"
                raise DataError(f"{where}: {error}") from None
            if names.count(name) > 1:
                raise DataError(
                    f"{self.source}: expected a different name of each label column, found "
                    f"{name!r:.40} as the name of column {index + 1}: rename it"
                )
        if len(names) == 1:
            raise DataError(
                f"{self.source}: --label-columns names only the column {names[0]!r:.40}: name two "
                "or more, or train on one column of labels with --label-column"
            )
        return names

    def _check_different(self, found: _Indices) -> None:
        taken = [*found.text, *found.others]
        for index in taken:
            if taken.count(index) > 1 or (index == found.label and index in found.others):
                raise DataError(
                    f"{self.source}: column {self.first[index]!r:.40} is asked for twice: text, "
                    "label, group and time are different columns"
                )

    def _check_found(self, found: _Indices, labelled: bool) -> None:
        """Raise DataError if the text is missing, or the label where there must be one."""
        wanted, hint = "text", "name it with --text-column"
        labelled = labelled and not found.label_columns
        if labelled:
            wanted = "text and label"
            hint = (
                "name them with --text-column and --label-column (or --label-columns for columns "
                "of 0 and 1)"
            )
        if not found.text or (labelled and (found.label is None or found.label in found.text)):
            shown = ", ".join(repr(name[:30]) for name in self.first[:MAX_SHOWN_COLUMNS])
            raise DataError(
                f"{self.source}: cannot find {wanted} among the columns {shown}: {hint}"
            )

    def _note_others(self, found: _Indices, labelled: bool) -> Iterator[str]:
        """Yield warnings of other columns whose names are those of text or labels."""
        for kind, others, option in (
            ("the text", found.other_text, "--text-column names another column, or several"),
            ("the label", found.other_labels * labelled, "--label-column names another column"),
        ):
            if others:
                shown = ", ".join(f"{self.first[i]!r:.40}" for i in others[:MAX_SHOWN_COLUMNS])
                yield f"warning: {shown} may be {kind} too: {option}"


def _show_names(names: Sequence[str], joiner: str = " + ") -> str:
    return joiner.join(f"{name!r:.40}" for name in names)


def _complete(found: _Indices, rows: Sequence[Sequence[str]], labelled: bool) -> _Indices:
    """Find text and label by the values of the columns and by what is left over."""
    text, label, count = found.text, found.label, len(rows[0])
    labelled_by_columns = bool(found.label_columns)
    free = [index for index in range(count) if index not in found.others]
    if not text and label is None and len(free) == 2 and not labelled_by_columns:
        label = _repeating_column(rows, count, free)
    rest = [index for index in free if index != label and index not in text]
    if len(rest) == 1 and not text:
        text = (rest[0],) if label is not None or labelled_by_columns or not labelled else ()
    elif len(rest) == 1 and label is None and labelled and not labelled_by_columns:
        label = rest[0]
    label = None if label in text and not labelled else label
    return found._replace(text=text, label=label)


def _usable_names(
    rows: Sequence[Sequence[str]], first: Sequence[str], requested: ColumnNames
) -> tuple[str, ...]:
    """Return the first row, empty where later rows repeat the value: that is no name."""
    if requested.header:
        return tuple(first)
    cells = first_cells(rows)
    return tuple("" if cell.occurs_again else name for name, cell in zip(first, cells))


def _looks_like_header(rows: Sequence[Sequence[str]], found: _Indices, known: _Known) -> bool:
    return is_header(first_cells(rows), found.text, known.whole, known.partly)


def _note_header(first: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.40}" for name in first[:MAX_SHOWN_COLUMNS])
    return f"the first row is read as the header: {shown}; --no-header reads it as data"


def _repeating_column(
    rows: Sequence[Sequence[str]], count: int, candidates: Sequence[int]
) -> int | None:
    """Return which of two columns holds the labels: the one with few distinct values."""
    table = [row for row in rows if len(row) == count]
    distinct = {index: len({row[index] for row in table}) for index in candidates}
    label = min(reversed(candidates), key=distinct.__getitem__)
    return label if distinct[label] <= max(1, len(table) // 2) else None
