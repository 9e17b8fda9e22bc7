"""The text that a user gave: training text, and dev and test text without copies of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from runtime.aliases import Log
from runtime.errors import DataError
from runtime.io.rows import Row

from .corpus import Corpus, Hashes, Origin, build_corpus


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
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None
    seen_test: Corpus | None = None
    without_dev: frozenset[str] = frozenset()
    without_test: frozenset[str] = frozenset()


def build_input(origin: Origin, rows: Iterable[Row], log: Log) -> Corpus:
    """Store rows like `build_corpus`; raise DataError if there are none."""
    corpus = build_corpus(origin, rows, log)
    if not len(corpus):
        raise DataError(f"{origin.name} holds no texts")
    return corpus


def separate(train: Corpus, dev: Corpus | None, test: Corpus | None, log: Log) -> InputTexts:
    """Number held-out classes like the training text's, and set copies of its texts apart.

    Args:
        train: training text.
        dev: dev text, or None; loses what training or test text holds.
        test: test text, or None; what training text holds is set apart.
        log: receives what is dropped or set apart.

    Raises:
        DataError: a held-out corpus has another label, or holds only copies.
    """
    seen_test = None
    if test is not None:
        test, seen_test = separate_copies(
            _with_training_classes(test, train), "test", train.hashes, "training"
        )
        if seen_test is not None:
            log(f"scored apart: {describe_copies('test', seen_test, 'training')}")
    if dev is not None:
        dev = _with_training_classes(dev, train)
        for other, other_name in ((train, "training"), (test, "test")):
            if other is not None:
                dev, copies = separate_copies(dev, "dev", other.hashes, other_name)
                if copies is not None:
                    log(f"dropped: {describe_copies('dev', copies, other_name)}")
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
    """Number a held-out corpus's classes like the training text's."""
    for label in part.classes:
        if label not in train.classes:
            row = int(np.flatnonzero(part.targets == part.classes.index(label))[0])
            raise DataError(
                f"{part.where(row)}: label {label!r} does not occur in the training text"
            )
    return part.with_classes(train.classes)
