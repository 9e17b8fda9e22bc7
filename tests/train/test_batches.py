"""Batches: padding, order, and words that are replaced by the unknown word."""

import numpy as np
import pytest

from glovelite.runtime.text.vocabulary import PADDING_ID, UNKNOWN_ID
from glovelite.train.data.batches import (
    EncodedCorpus,
    UnknownWords,
    choose_unknown_words,
    make_batches,
)
from glovelite.train.options import TrainingOptions

FREQUENT, RARE, UNSEEN = 2, 3, 4


@pytest.fixture(scope="module")
def corpus():
    """A thousand texts of one frequent word, one of a rare word."""
    ids = np.array([FREQUENT] * 2000 + [RARE], np.int32)
    starts = np.append(np.arange(0, 2001, 2), 2001)
    return EncodedCorpus(ids, starts, np.zeros(1001, np.int32), trailing_padding=3)


def test_rare_words_are_replaced_more_often(corpus):
    unknown = choose_unknown_words(corpus, 5, TrainingOptions(word_dropout=0.25))
    rates = unknown.rates[[FREQUENT, RARE, UNSEEN]]
    assert rates == pytest.approx([0.25 / 2000.25, 0.2, 0.2])


def test_make_batches_replaces_words_at_their_rates(corpus):
    unknown = UnknownWords(np.array([0, 0, 0.25, 1, 0], np.float32), texts=0)
    batches = list(make_batches(corpus, 100, np.random.default_rng(0), unknown))
    ids = np.concatenate([batch.ravel() for batch, _ in batches])
    words = ids[ids != PADDING_ID]
    assert len(words) == 2001
    assert np.mean(words == UNKNOWN_ID) == pytest.approx(0.25, abs=0.03)
    assert RARE not in words


def test_make_batches_replaces_all_words_of_some_texts(corpus):
    unknown = UnknownWords(np.zeros(5, np.float32), texts=0.2)
    batches = list(make_batches(corpus, 100, np.random.default_rng(0), unknown))
    first_two = np.concatenate([batch[:, :2] for batch, _ in batches])
    replaced = first_two[first_two[:, 1] != PADDING_ID] == UNKNOWN_ID
    assert np.mean(replaced.any(axis=1)) == pytest.approx(0.2, abs=0.05)
    assert np.array_equal(replaced[:, 0], replaced[:, 1])


def test_make_batches_replaces_nothing_without_shuffling(corpus):
    unknown = UnknownWords(np.ones(5, np.float32), texts=1)
    batches = [ids for ids, _ in make_batches(corpus, 100, None, unknown)]
    assert not any((ids == UNKNOWN_ID).any() for ids in batches)
