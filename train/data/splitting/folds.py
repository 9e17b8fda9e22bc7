"""Divides a corpus into folds for cross-validation."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glovelite.data.labels import show_labels
from glovelite.runtime.aliases import Longs
from glovelite.runtime.errors import DataError

from ..build_corpus import check_corpus
from ..corpus import Corpus
from .grouping import assign_components, find_components
from .split import Split, check_groups, split_corpus

MIN_TRAINING_TEXTS = 2  # distinct, of each class, besides a fold: one to train on, one for dev


@dataclass(frozen=True)
class Folds:
    """A corpus, each text of which is in one fold.

    Attributes:
        corpus: all texts.
        numbers: int64 [texts], fold of each, from 0.
        splits: for each fold: the fold as test text, and the other folds as training text, a tenth
            of it as dev text.
    """

    corpus: Corpus
    numbers: Longs
    splits: tuple[Split, ...]

    def __len__(self) -> int:
        return len(self.splits)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all parts of all splits, in hexadecimal."""
        parts = [part.fingerprint for split in self.splits for _, part in split]
        return hashlib.sha256("".join(parts).encode()).hexdigest()


def draw_folds(corpus: Corpus, count: int, seed: int) -> Folds:
    """Divide a corpus into folds at random, stratified by class.

    Copies of a text are in one fold, and so are all texts of a group. The same seed gives the same
    folds.
    """
    least = MIN_TRAINING_TEXTS
    # Enough texts of a class must be left without its largest fold.
    needed = next(n for n in itertools.count(least) if n - math.ceil(n / count) >= least)
    check_corpus(corpus, min_texts=needed)
    components = find_components(corpus)
    if corpus.groups is not None:
        check_groups(corpus, len(components), max(count, MIN_TRAINING_TEXTS + 1))
        _check_labels(corpus, (components.counts > 0).sum(axis=0)[: len(corpus.classes)])
    elif len(components) < count:
        raise DataError(
            f"{corpus.name}: found {len(components):,} distinct texts for {count} folds: choose "
            "fewer folds"
        )
    numbers = assign_components(components, [1 / count] * count, seed)[components.of_row]
    return Folds(corpus, numbers, tuple(_splits(corpus, numbers, count, seed)))


def _splits(corpus: Corpus, numbers: Longs, count: int, seed: int) -> Iterator[Split]:
    for number in range(count):
        others = corpus.select(np.flatnonzero(numbers != number))
        train, dev, _ = split_corpus(others, seed, test_rows=np.zeros(len(others), np.bool_))
        yield Split(train, dev, corpus.select(np.flatnonzero(numbers == number)))


def _check_labels(corpus: Corpus, holders: Longs) -> None:
    if (holders < 2).any():
        alone = [label for label, count in zip(corpus.classes, holders) if count < 2]
        raise DataError(
            f"{corpus.name}: expected each label in two groups or more, so that training text has "
            f"it while a group is held out, found in one group only: {show_labels(alone)}: add "
            "groups, or remove the labels"
        )
