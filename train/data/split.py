"""Splits a corpus into training, dev and test text, with all copies of a text in one part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from runtime.aliases import Bools, Longs

from .corpus import Corpus, check_corpus, join_corpora
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
    """Keep the given dev and test corpora, and draw what is missing from the training text.

    Args:
        inputs: training text, with dev or test text or without.
        seed: the same seed draws the same parts.

    Raises:
        DataError: too few classes, or too few texts in one.
    """
    whole = inputs.train
    everything = np.ones(len(whole), np.bool_)
    dev_rows = everything if inputs.dev is None else whole.is_from(inputs.without_dev)
    test_rows = everything if inputs.test is None else whole.is_from(inputs.without_test)
    check_corpus(whole, min_texts=1 + bool(dev_rows.any()) + bool(test_rows.any()))
    train, dev, test = split_corpus(whole, seed, dev_rows, test_rows, kept=inputs.seen_test)
    return Split(train, _join(inputs.dev, dev), _join(inputs.test, test), inputs.seen_test)


def split_corpus(
    corpus: Corpus,
    seed: int,
    dev_rows: Bools | None = None,
    test_rows: Bools | None = None,
    kept: Corpus | None = None,
) -> tuple[Corpus, Corpus, Corpus]:
    """Split a corpus at random, stratified by class, with copies of a text in one part.

    Args:
        corpus: the corpus, with enough distinct texts in every class.
        seed: the same seed gives the same parts.
        dev_rows: bool [texts], which texts a tenth is drawn from for dev, at least one of each
            class; None for all.
        test_rows: the same for test.
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
        for part, rows, share in ((2, test_rows, TEST_SHARE), (1, dev_rows, DEV_SHARE)):
            drawable = members if rows is None else members[rows[first[members]]]
            count = max(1, round(len(drawable) * share))
            left = drawable[part_of_group[drawable] == 0]
            part_of_group[left[:count]] = part
    if kept is not None:
        part_of_group[np.isin(distinct, kept.hashes)] = 0
    parts = part_of_group[group]
    train, dev, test = (corpus.select(np.flatnonzero(parts == number)) for number in range(3))
    return train, dev, test


def _join(given: Corpus | None, drawn: Corpus) -> Corpus:
    """Return held-out text: what was given, then what was drawn besides it."""
    if given is None:
        return drawn
    return join_corpora([given, drawn]) if len(drawn) else given


def sample(corpus: Corpus, seed: int, count: int) -> Corpus:
    """Draw up to `count` texts at random, in the order of the corpus."""
    rows: Longs = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return corpus.select(np.sort(rows))
