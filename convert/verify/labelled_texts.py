"""Labelled texts to measure a bundle on, read as training reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.aliases import Log, Longs
from runtime.errors import DataError
from runtime.io.labelled_text import (
    LabelledRows,
    Place,
    Rows,
    TextSource,
    find_place,
    good_rows,
    open_rows,
)
from runtime.io.records import BadRow

MAX_SHOWN_LABELS = 8  # of those that a row may have


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their true classes.

    Attributes:
        texts: the texts.
        targets: int64 [texts], index of each text's class among the bundle's labels.
        places: file and line of each text.
    """

    texts: tuple[str, ...]
    targets: Longs
    places: tuple[Place, ...] = ()


def read_labelled(
    source: TextSource, labels: Sequence[str], log: Log, skip_bad_rows: bool = False
) -> LabelledTexts:
    """Read labelled text, at least one row.

    Args:
        source: any source that training accepts.
        labels: the classes that may occur.
        log: receives a line about everything that is ignored.
        skip_bad_rows: skip rows that cannot be used, with a warning.

    Raises:
        DataError: the source is missing, empty or malformed, or holds another label.
    """
    rows = open_rows(source, log)
    index = {label: number for number, label in enumerate(labels)}
    checked = replace(rows, rows=_check_labels(rows, labels, skip_bad_rows))
    texts, targets, places = [], [], []
    for row in good_rows(checked, log, skip_bad_rows):
        texts.append(row.text)
        targets.append(index[row.labels[0]])
        places.append(find_place(rows.name, row.line, rows.files))
    if not texts:
        raise DataError(
            f"{rows.name} is empty, or no row of it can be used: expected labelled texts"
        )
    return LabelledTexts(tuple(texts), np.array(targets, np.int64), tuple(places))


def _check_labels(rows: LabelledRows, labels: Sequence[str], skip_bad_rows: bool) -> Rows:
    """Yield the rows; one with another label is an error, or a bad row if those are skipped."""
    known = frozenset(labels)
    for row in rows:
        if isinstance(row, BadRow) or row.labels[0] in known:
            yield row
        elif skip_bad_rows:
            yield BadRow(row.line, f"unknown label {row.labels[0]!r:.60}")
        else:
            hidden = len(labels) - MAX_SHOWN_LABELS
            more = f" and {hidden} more" if hidden > 0 else ""
            raise DataError(
                f"{rows.where(row.line)}: label {row.labels[0]!r:.60} is not one of "
                f"{', '.join(labels[:MAX_SHOWN_LABELS])}{more}: correct it, or skip such rows "
                "with --skip-bad-rows"
            )
