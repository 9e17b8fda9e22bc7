"""Splits a corpus into training, dev and test text, with all copies of a text in one part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from runtime.aliases import Longs

from .corpus import Corpus, check_corpus
from .sources import InputTexts

DEV_SHARE = TEST_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """Three corpora that share no text.

    Attributes:
        train: fitted on.
        dev: for early stopping and every other choice.
        test: scored once, for the report; nothing is chosen on it.
        seen_test: further test texts, which training text holds too; None if there are none.
    """

    train: Corpus
    dev: Corpus
    test: Corpus
    seen_test: Corpus | None = None

    def __iter__(self) -> Iterator[tuple[str, Corpus]]:
        """Yield name and corpus of each part."""
        yield from (("train", self.train), ("dev", self.dev), ("test", self.test))


def split_inputs(inputs: InputTexts, seed: int) -> Split:
    """Keep the given dev and test corpora, and draw the missing ones from the training text.

    Args:
        inputs: training text, with dev or test text or without.
        seed: the same seed draws the same parts.

    Raises:
        DataError: too few classes, or too few texts in one.
    """
    dev_share = 0.0 if inputs.dev is not None else DEV_SHARE
    test_share = 0.0 if inputs.test is not None else TEST_SHARE
    check_corpus(inputs.train, min_texts=1 + bool(dev_share) + bool(test_share))
    train, dev, test = split_corpus(
        inputs.train, seed, dev_share, test_share, kept=inputs.seen_test
    )
    dev = dev if inputs.dev is None else inputs.dev
    test = test if inputs.test is None else inputs.test
    return Split(train, dev, test, inputs.seen_test)


def split_corpus(
    corpus: Corpus,
    seed: int,
    dev: float = DEV_SHARE,
    test: float = TEST_SHARE,
    kept: Corpus | None = None,
) -> tuple[Corpus, Corpus, Corpus]:
    """Split a corpus at random, stratified by class, with copies of a text in one part.

    Args:
        corpus: the corpus, with enough distinct texts in every class.
        seed: the same seed gives the same parts.
        dev: share of the distinct texts for dev, 0 to 1; above 0 every class gets one.
        test: the same for test.
        kept: texts that stay in training, or None.

    Returns:
        Training, dev and test text, each in the order of the corpus.
    """
    distinct, first, group = np.unique(corpus.hashes, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first)
    target_of_group = corpus.targets[first]  # a text with two labels counts for its first
    part_of_group = np.zeros(len(first), np.int8)
    random = np.random.default_rng(seed)
    for target in range(len(corpus.classes)):
        members = by_appearance[target_of_group[by_appearance] == target]
        members = members[random.permutation(len(members))]
        test_count = max(1, round(len(members) * test)) if test else 0
        dev_count = max(1, round(len(members) * dev)) if dev else 0
        part_of_group[members[:test_count]] = 2
        part_of_group[members[test_count : test_count + dev_count]] = 1
    if kept is not None:
        part_of_group[np.isin(distinct, kept.hashes)] = 0
    part = part_of_group[group]
    train_rows, dev_rows, test_rows = (np.flatnonzero(part == number) for number in range(3))
    return corpus.select(train_rows), corpus.select(dev_rows), corpus.select(test_rows)


def sample(corpus: Corpus, seed: int, count: int) -> Corpus:
    """Draw up to `count` texts at random, in the order of the corpus."""
    rows: Longs = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return corpus.select(np.sort(rows))
