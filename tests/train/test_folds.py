"""Folds: every text is in one of them, stratified, with copies and groups together."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.train import DataError
from glovelite.train.data.splitting.folds import draw_folds
from tests.train.corpora import corpus_of


def numbered(count, labels="ab", groups=None):
    return corpus_of([(f"{n}", labels[n % len(labels)]) for n in range(count)], groups=groups)


@given(st.integers(12, 60), st.integers(2, 6), st.integers(0, 9), st.data())
def test_every_text_is_in_one_fold_with_its_copies(count, folds, seed, data):
    rows = [(f"{n}", "ab"[n % 2]) for n in range(count)]
    rows += data.draw(st.lists(st.sampled_from(rows), max_size=20))
    corpus = corpus_of(rows)
    drawn = draw_folds(corpus, folds, seed)
    tests = [split.test for split in drawn.splits]
    assert Counter(text for test in tests for text in test.texts) == Counter(corpus.texts)
    for number, split in enumerate(drawn.splits):
        assert list(split.test.texts) == [
            corpus.texts[n] for n in np.where(drawn.numbers == number)[0]
        ]
        parts = [set(part.texts) for _, part in split]
        assert set.union(*parts) == set(corpus.texts)
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        assert set(split.train.labels) == set(split.dev.labels) == {"a", "b"}


def test_folds_have_the_same_shares_of_each_class():
    drawn = draw_folds(numbered(500, "abbbb"), 5, 0)
    for split in drawn.splits:
        assert Counter(split.test.labels) == {"a": 20, "b": 80}
        assert Counter(split.dev.labels) == {"a": 8, "b": 32}


def test_the_seed_draws_the_folds():
    corpus = numbered(100)
    first, same, other = (draw_folds(corpus, 5, seed) for seed in (0, 0, 1))
    assert first.numbers.tolist() == same.numbers.tolist() != other.numbers.tolist()
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_a_group_is_in_one_fold_and_on_one_side_of_dev():
    drawn = draw_folds(numbered(200, groups=[f"{n // 7}" for n in range(200)]), 5, 0)
    for split in drawn.splits:
        groups = [set(part.groups.tolist()) for _, part in split]
        assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
        assert 25 < len(split.test) < 55


@pytest.mark.parametrize(
    ("corpus", "folds", "message"),
    [
        (
            numbered(5),
            2,
            "expected at least 4 distinct texts of each label, found fewer .*'b' \\(2, ",
        ),
        (
            numbered(5),
            3,
            "expected at least 3 distinct texts of each label, found fewer .*'b' \\(2, ",
        ),
        (numbered(6), 7, "found 6 distinct texts for 7 folds: choose fewer folds"),
        (numbered(60, groups=[f"{n % 4}" for n in range(60)]), 5, "found 4 group.*at least 5"),
        (numbered(60, groups=[f"{n % 2}" for n in range(60)]), 2, "found 2 group.*at least 3"),
        (
            numbered(60, groups=["a" if n % 2 else f"{n % 7}" for n in range(60)]),
            5,
            "found in one group only: 'b': add groups",
        ),
    ],
)
def test_too_few_texts_or_groups_are_an_error(corpus, folds, message):
    with pytest.raises(DataError, match=message):
        draw_folds(corpus, folds, 0)
