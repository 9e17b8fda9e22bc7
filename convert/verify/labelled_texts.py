"""Labelled texts to measure a bundle on, read as training reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glovelite.data.file_list import Place
from glovelite.data.labelled_text import (
    LabelledRows,
    Rows,
    TextSource,
    find_place,
    good_rows,
    open_rows,
)
from glovelite.runtime.aliases import Bools, Classes
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.records import BadRow

MAX_SHOWN_LABELS = 8  # of those that a row may have


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their true classes.

    Attributes:
        texts: the texts.
        targets: int64 [texts], index of each text's class among the bundle's labels; bool
            [texts, labels] for a multi-label bundle.
        places: file and line of each text.
    """

    texts: tuple[str, ...]
    targets: Classes
    places: tuple[Place, ...] = ()


def read_labelled(
    source: TextSource,
    labels: Sequence[str],
    skip_bad_rows: bool = False,
    multi_label: bool = False,
) -> LabelledTexts:
    """Read labelled text, at least one row.

    Args:
        source: any source that training accepts.
        labels: the classes that may occur.
        skip_bad_rows: skip rows that cannot be used, with a warning.
        multi_label: whether the bundle is multi-label: texts may have several labels or none, and
            single-label text is read as well.

    Raises:
        DataError: the source is missing, empty or malformed, holds another label, or is multi-label
            although the bundle is not.
    """
    rows = open_rows(source)
    index = {label: number for number, label in enumerate(labels)}
    checked = replace(rows, rows=_check_labels(rows, labels, skip_bad_rows, multi_label))
    texts, numbers, places = [], [], []
    for row in good_rows(checked, skip_bad_rows, multi_label):
        if not multi_label and not row.labels:  # a bad row, reported at the end
            continue
        texts.append(row.text)
        numbers.append([index[label] for label in row.labels])
        places.append(find_place(rows.name, row.line, rows.files))
    if not texts:
        raise DataError(
            f"{rows.name} is empty, or no row of it can be used: expected labelled texts"
        )
    if multi_label:
        targets = _make_matrix(numbers, len(labels))
    else:
        targets = np.array([number for (number,) in numbers], np.int64)
    return LabelledTexts(tuple(texts), targets, tuple(places))


def _make_matrix(numbers: Sequence[Sequence[int]], labels: int) -> Bools:
    """Return which labels each text has, bool [texts, labels], from their numbers."""
    targets = np.zeros((len(numbers), labels), np.bool_)
    for row, indices in zip(targets, numbers):
        row[list(indices)] = True
    return targets


def _check_labels(
    rows: LabelledRows, labels: Sequence[str], skip_bad_rows: bool, multi_label: bool
) -> Rows:
    """Yield the rows; one with another label is an error, or a bad row if those are skipped."""
    known = frozenset(labels)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        if row.multi_label and not multi_label:
            raise DataError(
                f"{rows.where(row.line)}: found a set of labels, {list(row.labels)!r:.60}, the "
                "bundle gives each text one label: give single-label text, or name its column "
                "with --label-column"
            )
        unknown = next((label for label in row.labels if label not in known), None)
        if unknown is None:
            yield row
        elif skip_bad_rows:
            yield BadRow(row.line, f"unknown label {unknown!r:.60}")
        else:
            hidden = len(labels) - MAX_SHOWN_LABELS
            more = f" and {hidden} more" if hidden > 0 else ""
            raise DataError(
                f"{rows.where(row.line)}: label {unknown!r:.60} is not one of "
                f"{', '.join(labels[:MAX_SHOWN_LABELS])}{more}: correct it, or skip such rows "
                "with --skip-bad-rows"
            )
