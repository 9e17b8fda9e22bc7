"""The text that a user gave: training text, and dev and test text without copies of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glovelite.data.corpus_folder import Hashes
from glovelite.data.labels import ask_for_label_column, shorten_label, shorten_list, show_labels
from glovelite.data.rows import Row
from glovelite.runtime.errors import DataError

from .build_corpus import build_corpus
from .corpus import Corpus, Origin

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputTexts:
    """The corpora that a user gave.

    Attributes:
        train: the text to train on, or to split.
        dev: the dev text, if it was given separately, without what training or test text holds.
        test: the test text, if it was given separately, without what training text holds.
        seen_test: the test texts that training text holds, or None if there are none.
        without_dev: the sources that brought no dev text although others did: some of their
            training text is drawn for it.
        without_test: the same for test text.
        unlabelled: text with a teacher's labels, to train on besides; None if there is none.
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None
    seen_test: Corpus | None = None
    without_dev: frozenset[str] = frozenset()
    without_test: frozenset[str] = frozenset()
    unlabelled: Corpus | None = None

    def with_classes(self, classes: tuple[str, ...]) -> InputTexts:
        """Return all corpora with their classes numbered by `classes`, which holds them all."""

        def number(corpus: Corpus | None) -> Corpus | None:
            return None if corpus is None else corpus.with_classes(classes)

        return replace(
            self,
            train=self.train.with_classes(classes),
            dev=number(self.dev),
            test=number(self.test),
            seen_test=number(self.seen_test),
            unlabelled=number(self.unlabelled),
        )


def build_input(
    origin: Origin,
    rows: Iterable[Row],
    drops_labels: bool = False,
    labels: Sequence[str] = (),
    multi_label: bool = False,
) -> Corpus:
    """Store rows like `build_corpus`; raise DataError if there are none."""
    corpus = build_corpus(origin, rows, drops_labels, labels, multi_label)
    if not len(corpus):
        raise DataError(f"{origin.name} holds no texts")
    return corpus


def drop_rare_labels(
    train: Corpus, dev: Corpus | None, test: Corpus | None, min_texts: int
) -> tuple[Corpus, Corpus | None, Corpus | None]:
    """Drop the labels of training text that have fewer than so many distinct texts.

    Args:
        train: training text.
        dev: dev text, or None; loses these labels too.
        test: test text, or None; loses these labels too.
        min_texts: how many distinct texts a label needs.

    Raises:
        DataError: nothing is left of one of them.
    """
    counts = train.count_distinct_texts()
    dropped = {label: int(n) for label, n in zip(train.classes, counts) if n < min_texts}
    if not dropped:
        return train, dev, test
    parts: list[Corpus | None] = []
    numbers = []
    for name, part in (("training", train), ("dev", dev), ("test", test)):
        left = None if part is None else part.without_labels(dropped)
        if part is not None and left is not None:
            numbers.append(f"{len(part) - len(left):,} {name}")
            if not len(left) or (part is train and not left.classes):
                raise DataError(
                    f"{part.name}: every label of the {name} text has fewer than {min_texts} "
                    "distinct training texts: lower --min-texts; or "
                    f"{ask_for_label_column(part.origins[0].text_source)}"
                )
        parts.append(left)
    shown = [f"{shorten_label(label)!r} ({count:,})" for label, count in dropped.items()]
    texts = "their texts stay" if train.multi_label else f"with them {', '.join(numbers)} texts"
    logger.info(
        f"dropped: {len(dropped):,} labels of fewer than {min_texts} distinct texts, "
        f"{shorten_list(shown)}; {texts}"
    )
    kept, dev, test = parts
    return kept or train, dev, test


def separate(train: Corpus, dev: Corpus | None, test: Corpus | None) -> InputTexts:
    """Number held-out classes like the training text's, and set copies of its texts apart.

    Args:
        train: training text.
        dev: dev text, or None; loses what training or test text holds.
        test: test text, or None; what training text holds is set apart.

    Raises:
        DataError: a held-out corpus has another label, is multi-label although training text is
            not, or holds only copies.
    """
    seen_test = None
    if test is not None:
        test, seen_test = separate_copies(
            _with_training_classes(test, train), "test", train.hashes, "training"
        )
        if seen_test is not None:
            logger.info(f"scored apart: {describe_copies('test', seen_test, 'training')}")
    if dev is not None:
        dev = _with_training_classes(dev, train)
        for other, other_name in ((train, "training"), (test, "test")):
            if other is not None:
                dev, copies = separate_copies(dev, "dev", other.hashes, other_name)
                if copies is not None:
                    logger.info(f"dropped: {describe_copies('dev', copies, other_name)}")
    return InputTexts(train, dev, test, seen_test)


def separate_copies(
    corpus: Corpus, name: str, other: Hashes, other_name: str
) -> tuple[Corpus, Corpus | None]:
    """Separate the texts of a held-out corpus that another corpus holds too.

    Args:
        corpus: the held-out corpus.
        name: its name in messages.
        other: hashes of the other corpus.
        other_name: its name in messages.

    Returns:
        The other texts, and the copies, or None if there are none.

    Raises:
        DataError: the other corpus holds all of them.
    """
    copies = np.isin(corpus.hashes, other)
    if not copies.any():
        return corpus, None
    if copies.all():
        raise DataError(f"every {name} text is also in {other_name}: give separate texts")
    return corpus.select(np.flatnonzero(~copies)), corpus.select(np.flatnonzero(copies))


def describe_copies(name: str, copies: Corpus, other_name: str) -> str:
    """Describe how many texts of a held-out corpus another one holds, and where the first is."""
    return (
        f"{len(copies):,} {name} texts that are also in {other_name}, the first at "
        f"{copies.where(0)}"
    )


def _with_training_classes(part: Corpus, train: Corpus) -> Corpus:
    """Number a held-out corpus's classes like the training text's, and make it multi-label too."""
    if part.multi_label and not train.multi_label:
        raise DataError(
            f"{part.name} is multi-label, {train.name} is single-label: give both in the same way, "
            "such as lists of labels or a column named labels"
        )
    known = {*train.classes}
    if missing := [label for label in part.classes if label not in known]:
        rows = part.rows_of(part.classes.index(missing[0]))
        where = part.where(int(rows[0])) if len(rows) else part.name
        others = f", nor do {show_labels(missing[1:])}" if missing[1:] else ""
        raise DataError(
            f"{where}: label {missing[0]!r} does not occur in the training text{others}"
        )
    part = part.with_classes(train.classes)
    return part.as_multi_label() if train.multi_label else part
