"""Words are ranked by what text loses without them, dimensions by what convolutions use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.convert.model.reduction import center_table, reduce_dimensions
from glovelite.convert.model.weights import Convolution, NumpyModel, Weights, fold
from glovelite.convert.model.words import keep_words, rank_words, smooth_by_rank
from glovelite.runtime.text.vocabulary import (
    SPECIAL_TOKENS,
    UNKNOWN_ID,
    Vocabulary,
    WordFamiliarity,
)

SEEDS = st.integers(0, 10_000)


def random_weights(seed, words=None, dimensions=None):
    """Return a model of one to three kernel sizes, with or without wide weights."""
    draw = np.random.default_rng(seed)
    words = words or int(draw.integers(5, 40))
    dimensions = dimensions or int(draw.integers(2, 20))

    def floats(*shape):
        return draw.normal(size=shape).astype(np.float32)

    shapes = [(draw.integers(1, 7), draw.integers(1, 9)) for _ in range(draw.integers(1, 4))]
    convolutions = tuple(Convolution(floats(t, dimensions, f), floats(f)) for t, f in shapes)
    outputs, features = draw.choice([1, 3]), sum(f for _, f in shapes)
    wide = floats(words, outputs) if draw.random() < 0.5 else None
    if wide is not None:
        wide[0] = 0
    table = floats(words, dimensions)
    return Weights(table, convolutions, floats(features, outputs), floats(outputs), wide=wide)


def predict_window_by_window(weights, ids):
    """Return the model's probabilities, computed window by window."""
    padding = max(len(convolution.kernel) for convolution in weights.convolutions)
    vectors = weights.table[np.concatenate([ids, np.zeros(padding, int)])].astype(np.float64)
    features = []
    for convolution in weights.convolutions:
        taps = len(convolution.kernel)
        windows = [
            np.einsum("td,tdf->f", vectors[start : start + taps], convolution.kernel)
            for start in range(len(vectors) - taps + 1)
        ]
        features.append(np.maximum(np.max(windows, axis=0) + convolution.bias, 0))
    logits = np.concatenate(features) @ weights.kernel + weights.bias
    if weights.wide is not None:
        logits = logits + weights.wide[ids].sum(axis=0) / np.sqrt(max(1, len(ids)))
    if len(logits) == 1:
        logits = np.array([0, logits[0]])
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@given(SEEDS, st.integers(0, 30))
def test_numpy_model_equals_the_definition(seed, length):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed + 1).integers(1, len(weights.table), length)
    assert np.allclose(
        NumpyModel(weights).scores([ids])[0], predict_window_by_window(weights, ids), atol=1e-4
    )


@given(SEEDS, st.integers(1, 20), st.data())
def test_replacing_a_word_equals_predicting_the_other_text(seed, length, data):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed + 1).integers(1, len(weights.table), length)
    index = data.draw(st.integers(0, length - 1))
    word = data.draw(st.integers(1, len(weights.table) - 1))
    model = NumpyModel(weights)
    what_if = model.probabilities(model.positions(ids)[index], np.array([word]))[0]
    other = ids.copy()
    other[index] = word
    assert np.allclose(what_if, predict_window_by_window(weights, other), atol=1e-4)


def one_word_decides(words=50, decisive=40):
    """Return a model that depends on one rare word."""
    table = np.zeros((words, 2), np.float32)
    table[decisive] = [5, 0]
    kernel = np.zeros((1, 2, 1), np.float32)
    kernel[0, 0, 0] = 1
    convolution = Convolution(kernel, np.zeros(1, np.float32))
    return Weights(table, (convolution,), np.ones((1, 1), np.float32), np.zeros(1, np.float32))


def test_rank_words_puts_a_decisive_word_before_frequent_ones():
    texts = [np.array([2, 3, 4, 5, 6, 7, 2, 3, 4]) for _ in range(30)] + [np.array([2, 40, 3])]
    ranked = rank_words(one_word_decides(), texts)
    assert ranked[0] == 40
    assert sorted(ranked) == list(range(2, 50))


def test_rank_words_ranks_unseen_words_by_their_effect():
    assert rank_words(one_word_decides(), [np.array([2, 3, 4])] * 30)[0] == 40


def test_rank_words_falls_back_to_frequency():
    weights = one_word_decides(decisive=49)
    texts = [np.array([2, 2, 2, 3, 3, 4])] * 10
    ranked = rank_words(weights, texts).tolist()
    assert ranked[0] == 49
    assert ranked[1:4] == [2, 3, 4]


def test_rank_words_ignores_empty_texts():
    assert len(rank_words(one_word_decides(), [np.zeros(0, np.int64), np.array([2])])) == 48


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200))
def test_smooth_by_rank_stays_positive_and_bounded(counts):
    smoothed = smooth_by_rank(np.array(counts, float))
    assert len(smoothed) == len(counts)
    assert np.all(smoothed > 0)
    assert smoothed.max() <= max(counts) + 0.01


@given(SEEDS, st.integers(3, 60))
def test_keep_words_keeps_the_best_in_their_old_order(seed, count):
    weights = random_weights(seed, words=40)
    words = tuple(f"w{index}" for index in range(38))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *words), ("no", "yes"), 10, 6)
    ranked = np.random.default_rng(seed).permutation(np.arange(2, 40))
    result = keep_words(weights, vocabulary, ranked, count)
    fewer, kept = result.weights, result.vocabulary
    assert result.hashed_tokens == ()
    assert len(kept.tokens) == len(fewer.table) == min(count, 40)
    ids = [vocabulary.tokens.index(token) for token in kept.tokens]
    assert ids == sorted(ids)
    assert set(ids[2:]) == set(ranked[: count - 2])
    assert np.array_equal(fewer.table, weights.table[ids])
    if weights.wide is not None:
        assert np.array_equal(fewer.wide, weights.wide[ids])
    gone = [vocabulary.tokens[id_] for id_ in ranked[count - 2 :]]
    assert kept.encode(" ".join(gone)).ids == [UNKNOWN_ID] * min(10, len(gone))


def test_keep_words_keeps_the_levels_of_listed_words_and_the_mean_of_hashed_ones():
    words, levels = ("a", "b", "c", "d"), (0, 0, 9, 15, 4, 7)
    vocabulary = Vocabulary(
        (*SPECIAL_TOKENS, *words), ("no", "yes"), 9, 6, familiarity=WordFamiliarity(levels)
    )
    weights = random_weights(0, words=6)
    kept = keep_words(weights, vocabulary, np.array([3, 2, 5, 4]), listed=4, hashed=2).vocabulary
    assert kept.tokens[2:] == ("a", "b")
    assert kept.familiarity == WordFamiliarity((0, 0, 9, 15), hashed=5.5)


@given(SEEDS, st.integers(3, 39), st.integers(0, 50))
def test_keep_words_hashes_the_next_best_to_their_nearest_listed_word(seed, count, hashed):
    weights = random_weights(seed, words=40)
    words = tuple(f"w{index}" for index in range(38))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *words), ("no", "yes"), 50, 6)
    ranked = np.random.default_rng(seed).permutation(np.arange(2, 40))
    result = keep_words(weights, vocabulary, ranked, count, hashed)
    others = ranked[count - 2 :][:hashed]
    assert result.hashed_tokens == tuple(vocabulary.tokens[id_] for id_ in others)
    assert result.vocabulary.hashed_count == len(others)
    importance = np.split(
        np.linalg.norm(weights.kernel, axis=1),
        np.cumsum([convolution.kernel.shape[2] for convolution in weights.convolutions])[:-1],
    )
    effects = fold(
        weights.table, [c.kernel * scale for c, scale in zip(weights.convolutions, importance)]
    )
    if weights.wide is not None:
        effects = np.hstack([effects, weights.wide])
    listed = np.sort(ranked[: count - 2])
    for other in others:
        distances = np.linalg.norm(effects[listed] - effects[other], axis=1)
        (id_,) = result.vocabulary.encode(vocabulary.tokens[other]).ids
        chosen = vocabulary.tokens.index(result.vocabulary.tokens[id_])
        assert distances[listed.tolist().index(chosen)] <= distances.min() * 1.01 + 1e-3


@given(SEEDS, st.integers(0, 30))
def test_center_table_keeps_predictions(seed, length):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed).integers(1, len(weights.table), length)
    centered = center_table(weights)
    frequency = 1 / (np.arange(len(weights.table)) + 10)
    assert np.allclose(frequency @ centered.table, 0, atol=1e-5)
    both = [NumpyModel(model).scores([ids]) for model in (weights, centered)]
    assert np.allclose(*both, atol=1e-4)


@given(SEEDS)
def test_reduce_dimensions_drops_unused_dimensions_exactly(seed):
    draw = np.random.default_rng(seed)
    narrow = random_weights(seed, words=30, dimensions=4)
    lift = draw.normal(size=(4, 12)).astype(np.float32)
    back = np.linalg.pinv(lift).astype(np.float32)
    wider = tuple(
        Convolution(np.einsum("dc,tcf->tdf", back, convolution.kernel), convolution.bias)
        for convolution in narrow.convolutions
    )
    weights = Weights(narrow.table @ lift, wider, narrow.kernel, narrow.bias, wide=narrow.wide)
    reduced = reduce_dimensions(weights, 4)
    assert reduced.table.shape[1] <= 4
    kernels = [
        [convolution.kernel for convolution in model.convolutions] for model in (weights, reduced)
    ]
    products = fold(weights.table, kernels[0]), fold(reduced.table, kernels[1])
    assert np.allclose(*products, atol=1e-3 * np.abs(products[0]).max())


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 12))
def test_reduce_dimensions_beats_dropping_columns(seed, count):
    weights = random_weights(seed, words=30, dimensions=12)
    reduced = reduce_dimensions(weights, count)
    kernels = [convolution.kernel for convolution in weights.convolutions]
    true = fold(weights.table, kernels)
    ours = fold(reduced.table, [convolution.kernel for convolution in reduced.convolutions])
    cut = fold(weights.table[:, :count], [kernel[:, :count] for kernel in kernels])
    frequent = 1 / np.sqrt(np.arange(30) + 10.0)[:, None]
    assert (
        np.linalg.norm((ours - true) * frequent) <= np.linalg.norm((cut - true) * frequent) + 1e-3
    )


@pytest.mark.parametrize("count", [12, 100])
def test_reduce_dimensions_keeps_a_small_table(count):
    weights = random_weights(1, dimensions=12)
    assert reduce_dimensions(weights, count) is weights
