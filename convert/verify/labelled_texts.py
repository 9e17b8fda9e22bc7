"""Labelled texts to measure a bundle on, read as training reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runtime.aliases import Log, Longs
from runtime.errors import DataError
from runtime.io.labelled_text import TextSource, good_rows, open_rows


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their true classes.

    Attributes:
        texts: the texts.
        targets: int64 [texts], index of each text's class among the bundle's labels.
    """

    texts: tuple[str, ...]
    targets: Longs


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
    texts, targets = [], []
    for row in good_rows(rows, log, skip_bad_rows):
        if row.label not in index:
            raise DataError(
                f"{rows.where(row.line)}: label {row.label!r} is not one of {list(labels)}"
            )
        texts.append(row.text)
        targets.append(index[row.label])
    if not texts:
        raise DataError(f"{rows.name} is empty: expected labelled texts")
    return LabelledTexts(tuple(texts), np.array(targets, np.int64))
