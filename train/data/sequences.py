"""Takes labelled text from memory: lists, or the columns of a DataFrame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from glovelite.data.rows import Row
from glovelite.data.times import TimeParser
from glovelite.runtime.errors import DataError

from .corpus import Corpus, Origin
from .inputs import InputTexts, build_input, drop_rare_labels, separate

TextsAndLabels = tuple[Sequence[str], Sequence[object]]


def read_sequences(
    texts: Sequence[str],
    labels: Sequence[object],
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
    min_texts: int = 0,
) -> InputTexts:
    """Take texts and labels from sequences, such as lists or the columns of a DataFrame.

    Args:
        texts: training texts.
        labels: their labels, converted to strings; or a list, tuple or set of labels for each text;
            or a DataFrame of 0 and 1 with a column for each label.
        dev: dev texts and labels, if given separately.
        test: test texts and labels, if given separately.
        groups: a group for each training text; converted to strings.
        times: a time for each training text: numbers, dates, or either as strings.
        min_texts: drop labels that have fewer distinct training texts.

    Raises:
        DataError: an item is not usable; the message names its index.
    """

    def build(name: str, given: tuple[Any, ...], multi_label: bool = False) -> Corpus:
        known, given_labels = _read_label_columns(name, given[1])
        rows = _check_sequences(name, given[0], given_labels, *given[2:])
        origin, drops_labels = Origin(name, name), min_texts > 1
        return build_input(origin, rows, drops_labels, known, multi_label)

    train = build("texts", (texts, labels, groups, times))
    corpora = drop_rare_labels(
        train,
        build("dev", dev, train.multi_label) if dev else None,
        build("test", test, train.multi_label) if test else None,
        min_texts,
    )
    return separate(*corpora)


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
    columns = tuple(_check_label(each, f"{name}, columns") for each in labels.columns)
    if len({*columns}) < max(2, len(columns)):
        raise DataError(
            f"{name}: expected two different columns of labels or more, found {columns}"
        )
    flags = np.asarray(labels)
    wrong = np.argwhere(~np.isin(flags, (0, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{name}, index {row}: column {columns[column]!r}: expected 0 or 1, found "
            f"{flags[row, column]!r:.40}"
        )
    return columns, [[columns[n] for n in np.flatnonzero(row == 1)] for row in flags]


def _check_sequences(
    name: str,
    texts: Sequence[str],
    labels: Sequence[object],
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
) -> Iterable[Row]:
    for kind, values in (("labels", labels), ("groups", groups), ("times", times)):
        if values is not None and len(texts) != len(values):
            raise DataError(
                f"{name}: expected as many {kind} as texts, found {len(values):,} {kind} "
                f"for {len(texts):,} texts"
            )
    parse_time = TimeParser()
    multi_label = len(labels) > 0 and _is_set(next(iter(labels)))
    columns = (repeat(None) if each is None else each for each in (groups, times))
    for index, (text, label, group, time) in enumerate(zip(texts, labels, *columns)):
        where = f"{name}, index {index}"
        if not isinstance(text, str):
            raise DataError(f"{where}: expected a string, found {type(text).__name__}")
        if not text.strip():
            raise DataError(f"{where}: the text is empty")
        if _is_set(label) != multi_label:
            expected = "a list of labels" if multi_label else "one label"
            raise DataError(f"{where}: expected {expected} as before, found {label!r:.40}")
        given = label if isinstance(label, Iterable) and multi_label else [label]
        checked = dict.fromkeys(_check_label(each, where) for each in given)
        row = Row(text.strip(), tuple(checked), index, multi_label=multi_label)
        if groups is not None:
            row = row._replace(group=_check_group(group, where))
        if times is not None:
            try:
                row = row._replace(time=parse_time(time))
            except ValueError as error:
                raise DataError(f"{where}: time: {error}") from None
        yield row


def _is_set(label: object) -> bool:
    """Return whether a text's labels are given as a set: even if it is one."""
    return isinstance(label, Collection) and not isinstance(label, (str, bytes, Mapping))


def _check_label(label: object, where: str) -> str:
    shown = "" if label is None else str(label).strip()
    if not shown or not shown.isprintable():
        raise DataError(f"{where}: expected a printable label, found {label!r:.40}")
    return shown


def _check_group(value: object, where: str) -> str:
    group = "" if value is None or value != value else str(value).strip()  # NaN is not itself
    if not group:
        raise DataError(f"{where}: expected a group, found {value!r:.40}")
    return group
