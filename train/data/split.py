"""Parts a corpus into training, dev and test text, every copy of a text on one side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .corpus import Corpus, Longs, check_corpus
from .sources import Corpora

DEV_SHARE = TEST_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """Three parts of a corpus that share no text.

    Attributes:
        train: fitted on.
        dev: early stopping, gates and every other choice.
        test: scored once, reported, chosen on never.
    """

    train: Corpus
    dev: Corpus
    test: Corpus


def split_corpora(corpora: Corpora, seed: int) -> Split:
    """Part what the user gave: held-out parts stay as given, missing ones are drawn.

    Args:
        corpora: training text, perhaps with dev or test text.
        seed: the same seed gives the same parts.

    Returns:
        The parts; the drawn ones hold every class.

    Raises:
        DataError: there are too few classes, or too few texts in one.
    """
    dev_share = 0.0 if corpora.dev is not None else DEV_SHARE
    test_share = 0.0 if corpora.test is not None else TEST_SHARE
    check_corpus(corpora.train, least=1 + bool(dev_share) + bool(test_share))
    train, dev, test = split_corpus(corpora.train, seed, dev_share, test_share)
    dev = dev if corpora.dev is None else corpora.dev
    test = test if corpora.test is None else corpora.test
    return Split(train, dev, test)


def split_corpus(
    corpus: Corpus, seed: int, dev: float = DEV_SHARE, test: float = TEST_SHARE
) -> tuple[Corpus, Corpus, Corpus]:
    """Part a corpus at random, each class in the same proportion, copies kept together.

    Args:
        corpus: the corpus, enough different texts in every class.
        seed: the same seed gives the same parts.
        dev: share of the different texts for dev, 0 to 1; above 0 every class gets one.
        test: the same for test.

    Returns:
        Training, dev and test text, each in the order of the corpus.
    """
    _, first, group = np.unique(corpus.hashes, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first)
    target_of_group = corpus.targets[first]  # a text with two labels goes with its first
    part_of_group = np.zeros(len(first), np.int8)
    random = np.random.default_rng(seed)
    for target in range(len(corpus.classes)):
        members = by_appearance[target_of_group[by_appearance] == target]
        members = members[random.permutation(len(members))]
        for_test = max(1, round(len(members) * test)) if test else 0
        for_dev = max(1, round(len(members) * dev)) if dev else 0
        part_of_group[members[:for_test]] = 2
        part_of_group[members[for_test : for_test + for_dev]] = 1
    part = part_of_group[group]
    train_rows, dev_rows, test_rows = (np.flatnonzero(part == number) for number in range(3))
    return corpus.select(train_rows), corpus.select(dev_rows), corpus.select(test_rows)


def sample(corpus: Corpus, seed: int, count: int) -> Corpus:
    """Draw texts at random, in the order of the corpus.

    Args:
        corpus: what to draw from.
        seed: the same seed draws the same texts.
        count: how many, or all where there are fewer.

    Returns:
        The drawn texts.
    """
    rows: Longs = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return corpus.select(np.sort(rows))
