"""Wide weights: where they start, and the factors of many classes."""

import numpy as np
import pytest

from glovelite.train.data.batches import EncodedCorpus
from glovelite.train.model.wide import (
    WIDE_COLUMNS,
    WideWeights,
    factorize_wide,
    initial_wide_weights,
)

MANY_OUTPUTS = 2 * WIDE_COLUMNS


@pytest.fixture(scope="module")
def wide_weights():
    """Initial weights for two and for three classes.

    Word 2 occurs in all texts but one, word 4 only in the rare class, word 5 in none.
    """
    texts = [[2, 3], [2, 3, 3], [2], [3], [2, 4]]
    ids = np.concatenate(texts).astype(np.int32)
    starts = np.cumsum([0, *map(len, texts)])
    return [
        initial_wide_weights(
            EncodedCorpus(ids, starts, np.array(targets, np.int32), 1), 6, 1 + max(targets)
        ).rows
        for targets in ([0, 0, 0, 0, 1], [0, 0, 1, 0, 2])
    ]


def test_initial_wide_weights_have_one_column_for_two_classes(wide_weights):
    assert [weights.shape for weights in wide_weights] == [(6, 1), (6, 3)]


def test_initial_wide_weights_of_padding_and_unseen_words_are_zero(wide_weights):
    for weights in wide_weights:
        assert not weights[0].any()
        assert np.allclose(weights[5], 0, atol=1e-6)


def test_initial_wide_weights_favor_the_class_of_a_word(wide_weights):
    two, three = wide_weights
    assert two[4, 0] > 0 > two[3, 0]
    assert three[4].argmax() == 2


@pytest.fixture(scope="module")
def many_classes():
    """A corpus of `MANY_OUTPUTS` classes, each with a word of its own and ten shared ones."""
    random = np.random.default_rng(0)
    targets = np.repeat(np.arange(MANY_OUTPUTS, dtype=np.int32), 5)
    own = 12 + targets
    ids = np.column_stack([own, random.integers(2, 12, (len(targets), 3))]).astype(np.int32)
    starts = np.arange(0, ids.size + 1, ids.shape[1])
    return EncodedCorpus(ids.reshape(-1), starts, targets, 1)


def test_many_classes_share_the_columns_of_a_word(many_classes):
    weights = initial_wide_weights(many_classes, 12 + MANY_OUTPUTS, MANY_OUTPUTS)
    assert weights.rows.shape == (12 + MANY_OUTPUTS, WIDE_COLUMNS)
    assert weights.mixing.shape == (WIDE_COLUMNS, MANY_OUTPUTS)
    assert not weights.rows[0].any()


def test_factors_are_the_best_ones_of_their_rank(many_classes, monkeypatch):
    words = 12 + MANY_OUTPUTS
    factors = initial_wide_weights(many_classes, words, MANY_OUTPUTS)
    monkeypatch.setattr("glovelite.train.model.wide.WIDE_COLUMNS", MANY_OUTPUTS)
    full = initial_wide_weights(many_classes, words, MANY_OUTPUTS).rows
    texts = np.bincount(many_classes.ids, minlength=words)[:, None]
    lost = np.sum(texts * (factors.full() - full) ** 2) / np.sum(texts * full**2)
    strengths = np.linalg.svd(np.sqrt(texts) * full, compute_uv=False) ** 2
    assert lost == pytest.approx(strengths[WIDE_COLUMNS:].sum() / strengths.sum(), rel=0.02)


def test_weights_of_a_factorized_model_survive_being_matched_to_another():
    random = np.random.default_rng(0)
    factors = WideWeights(
        random.normal(size=(50, 8)).astype(np.float32),
        random.normal(size=(8, 70)).astype(np.float32),
    )
    again = factorize_wide(factors.full(), factors)
    assert again.rows.shape == factors.rows.shape
    assert np.allclose(again.full(), factors.full(), atol=1e-4)
