"""Reads labelled text from memory: lists, and columns of DataFrames and of `datasets`."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from glovelite.runtime.errors import DataError

from .labelled_text import LabelledRows, warn_of_tags
from .rows import Row, Rows, TimeParser, is_missing, read_group, read_label

logger = logging.getLogger(__name__)


def open_sequences(
    name: str,
    texts: Sequence[str],
    labels: Sequence[object],
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
) -> LabelledRows:
    """Open texts and labels in memory, such as lists or the columns of a DataFrame.

    Args:
        name: of the texts in messages.
        texts: strings.
        labels: a label for each text; for multi-label text a list, tuple or set of labels for each,
            or a DataFrame of 0 and 1 with a column for each label.
        groups: a group for each text.
        times: a number, date or string for each text.

    Raises:
        DataError: the sequences differ in length or cannot be used; of a text or its label, when
            its row is read.
    """
    _check_lengths(name, {"texts": texts, "labels": labels, "groups": groups, "times": times})
    known, given = _read_label_columns(name, labels)
    advice = "glovelite.runtime.text.html_text.strip_html removes them"
    rows = warn_of_tags(_check_rows(name, texts, given, groups, times), name, advice)
    return LabelledRows(name, rows, labels=known, unit="index")


def check_texts(name: str, texts: Sequence[str]) -> list[str]:
    """Return texts without labels as a list; `name` is theirs in messages.

    Raises:
        DataError: they are no sequence, several columns, or not all of them are strings.
    """
    _check_column(name, "texts", texts)
    checked = list(texts)
    for index, text in enumerate(checked):
        _check_string(text, f"{name}, index {index}")
    return checked


def _check_string(text: object, where: str) -> None:
    if not isinstance(text, str):
        raise DataError(f"{where}: expected a string, found {type(text).__name__}")


def _check_lengths(name: str, columns: Mapping[str, Any]) -> None:
    """Raise DataError unless all columns that are given have as many values as there are texts."""
    counts = {}
    for kind, values in columns.items():
        if values is not None:
            _check_column(name, kind, values)
            counts[kind] = len(values)
    for kind, count in counts.items():
        if count != counts["texts"]:
            raise DataError(
                f"{name}: expected as many {kind} as texts, found {count:,} {kind} "
                f"for {counts['texts']:,} texts"
            )


def _check_column(name: str, kind: str, values: Any) -> None:
    """Raise DataError unless values are a sequence; texts, also unless they are one column."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise DataError(
            f"{name}: expected a list or a column of {kind}, found {type(values).__name__}"
        )
    if kind == "texts" and len(shape := getattr(values, "shape", (0,))) != 1:
        raise DataError(
            f"{name}: expected one column of texts, found a table of {shape[-1]:,} columns: give "
            'one of them, such as frame["text"]'
        )


def _read_label_columns(name: str, labels: Any) -> tuple[tuple[str, ...], Any]:
    """Return the labels that the columns of a DataFrame of 0 and 1 name, and those of each text.

    Other labels are returned as they are.
    """
    shape = np.shape(labels) if hasattr(labels, "shape") else ()
    if len(shape) != 2:
        return (), labels
    if not hasattr(labels, "columns"):
        raise DataError(
            f"{name}: expected a list of labels for each text, or a DataFrame whose columns name "
            f"the labels, found an array of {shape[0]:,} by {shape[1]:,}"
        )
    columns = tuple(_check_label(label, f"{name}, columns") for label in labels.columns)
    if len({*columns}) < max(2, len(columns)):
        raise DataError(
            f"{name}: expected two different columns of labels or more, found {columns}"
        )
    flags = _fill_missing(np.asarray(labels), columns, name)
    wrong = np.argwhere(~np.isin(flags, (0, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{name}, index {row}: column {columns[column]!r}: expected 0 or 1, found "
            f"{flags[row, column]!r:.40}"
        )
    return columns, [[columns[n] for n in np.flatnonzero(row == 1)] for row in flags]


def _fill_missing(flags: Any, columns: Sequence[str], name: str) -> Any:
    """Return flags with 0 for missing ones, as in files; log the first of these."""
    is_object = flags.dtype == object
    missing = np.frompyfunc(is_missing, 1, 1)(flags).astype(bool) if is_object else flags != flags
    if not missing.any():
        return flags
    row, column = np.argwhere(missing)[0]
    logger.info(
        f"{name}, index {row}: the column {columns[column]!r} is empty: empty label columns count "
        "as 0"
    )
    return np.where(missing, 0, flags)


def _check_rows(
    name: str,
    texts: Sequence[str],
    labels: Sequence[object],
    groups: Sequence[object] | None,
    times: Sequence[object] | None,
) -> Rows:
    """Yield the row of each text, or raise DataError."""
    parse_time = TimeParser()
    multi_label = len(labels) > 0 and is_set(next(iter(labels)))
    columns = (repeat(None) if column is None else column for column in (groups, times))
    for index, (text, label, group, time) in enumerate(zip(texts, labels, *columns)):
        where = f"{name}, index {index}"
        _check_string(text, where)
        if not text.strip():
            raise DataError(f"{where}: the text is empty")
        if is_set(label) != multi_label:
            expected = "a list of labels" if multi_label else "one label"
            raise DataError(f"{where}: expected {expected} as before, found {label!r:.40}")
        given = label if isinstance(label, Iterable) and multi_label else [label]
        checked = dict.fromkeys(_check_label(item, where) for item in given)
        row = Row(text.strip(), tuple(checked), index, multi_label=multi_label)
        if groups is not None:
            row = row._replace(group=_check_group(group, where))
        if times is not None:
            try:
                row = row._replace(time=parse_time(time))
            except ValueError as error:
                raise DataError(f"{where}: time: {error}") from None
        yield row


def is_set(label: object) -> bool:
    """Return whether a text's labels are given as a set: even if it is one."""
    return isinstance(label, Collection) and not isinstance(label, (str, bytes, Mapping))


def _check_label(label: object, where: str) -> str:
    try:
        return read_label(label)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


def _check_group(value: object, where: str) -> str:
    try:
        return read_group(value, "group")
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
