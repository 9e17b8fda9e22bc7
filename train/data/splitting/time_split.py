"""Cuts a corpus by time: the oldest text is trained on, the newest is test text.

That is how a deployed classifier meets text: what it classifies was written after what it learned
from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from glovelite.data.corpus_folder import DEV_SHARE, TEST_SHARE
from glovelite.data.labels import show_labels
from glovelite.runtime.aliases import Bools
from glovelite.runtime.errors import DataError

from ..corpus import Corpus
from ..corpus_checks import lacking_labels


def cut_by_time(corpus: Corpus, dev_rows: Bools, test_rows: Bools) -> tuple[Corpus, Corpus, Corpus]:
    """Cut a corpus into its oldest texts, the next newer ones and the newest.

    Texts of the same time are ordered as in the corpus, so a cut may fall between them, always at
    the same place. Copies of a text may end up in several parts.

    Args:
        corpus: the corpus; without times, its order counts.
        dev_rows: bool [texts], which texts a tenth is taken from for dev, one at least.
        test_rows: the same for test.

    Returns:
        Training, dev and test text, each in the order of the corpus.

    Raises:
        DataError: training text lacks a class.
    """
    times = np.zeros(len(corpus)) if corpus.times is None else corpus.times
    order = np.argsort(times, kind="stable")
    part_of_row = np.zeros(len(corpus), np.int64)
    for part, rows, share in ((2, test_rows, TEST_SHARE), (1, dev_rows, DEV_SHARE)):
        candidates = order[rows[order]]
        count = max(1, round(len(candidates) * share))
        part_of_row[candidates[part_of_row[candidates] == 0][-count:]] = part
    train, dev, test = corpus.select_parts(part_of_row)
    if missing := lacking_labels(train, np.arange(len(train))):
        row = int(corpus.rows_of(corpus.classes.index(missing[0]))[0])
        others = f", nor do {show_labels(missing[1:])}" if missing[1:] else ""
        raise DataError(
            f"{corpus.name}: label {missing[0]!r} (first at {corpus.where(row)}) does not occur in "
            f"the oldest {len(train):,} texts, which are trained on{others}: add older texts, or "
            "remove the labels"
        )
    return train, dev, test


def describe_times(parts: Iterable[tuple[str, Corpus]]) -> Iterator[str]:
    """Describe from when to when the texts of each part are; nothing of parts without times."""
    for name, part in parts:
        if part.times is not None and len(part):
            yield f"{name} {_show(part.times.min())} to {_show(part.times.max())}"


def _show(time: np.datetime64 | np.float64) -> str:
    """Return a number without trailing zeros, or a date, with its time of day if it has one."""
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).removesuffix("T00:00:00")
    return f"{float(time):.15g}"
