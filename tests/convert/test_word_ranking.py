"""Words are kept by what text loses without them, dimensions by what the convolutions use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.model.folding import fold
from convert.model.low_rank import centre_table, reduce_dimensions
from convert.model.numpy_model import FoldedModel
from convert.model.weights import Convolution, Weights
from convert.model.word_ranking import prune, rank_words, smooth_by_rank
from runtime.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

SEEDS = st.integers(0, 10_000)


def random_weights(seed, words=None, dimensions=None):
    """A model of one to three widths, with wide weights or without, two classes or more."""
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


def plainly(weights, ids):
    """What the model answers, computed window by window."""
    padding = max(len(each.kernel) for each in weights.convolutions)
    vectors = weights.table[np.concatenate([ids, np.zeros(padding, int)])].astype(np.float64)
    features = []
    for each in weights.convolutions:
        taps = len(each.kernel)
        windows = [
            np.einsum("td,tdf->f", vectors[start : start + taps], each.kernel)
            for start in range(len(vectors) - taps + 1)
        ]
        features.append(np.maximum(np.max(windows, axis=0) + each.bias, 0))
    logits = np.concatenate(features) @ weights.kernel + weights.bias
    if weights.wide is not None:
        logits = logits + weights.wide[ids].sum(axis=0) / np.sqrt(max(1, len(ids)))
    if len(logits) == 1:
        logits = np.array([0, logits[0]])
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@given(SEEDS, st.integers(0, 30))
def test_the_model_in_numpy_is_the_model(seed, length):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed + 1).integers(1, len(weights.table), length)
    assert np.allclose(FoldedModel(weights).scores([ids])[0], plainly(weights, ids), atol=1e-4)


@given(SEEDS, st.integers(1, 20), st.data())
def test_another_word_in_a_place_is_what_the_other_text_gives(seed, length, data):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed + 1).integers(1, len(weights.table), length)
    place = data.draw(st.integers(0, length - 1))
    word = data.draw(st.integers(1, len(weights.table) - 1))
    model = FoldedModel(weights)
    what_if = model.probabilities(model.places(ids)[place], np.array([word]))[0]
    other = ids.copy()
    other[place] = word
    assert np.allclose(what_if, plainly(weights, other), atol=1e-4)


def one_word_decides(words=50, decisive=40):
    """A model that looks at one rare word."""
    table = np.zeros((words, 2), np.float32)
    table[decisive] = [5, 0]
    kernel = np.zeros((1, 2, 1), np.float32)
    kernel[0, 0, 0] = 1
    convolution = Convolution(kernel, np.zeros(1, np.float32))
    return Weights(table, (convolution,), np.ones((1, 1), np.float32), np.zeros(1, np.float32))


def test_the_word_that_decides_ranks_before_the_frequent_ones():
    texts = [np.array([2, 3, 4, 5, 6, 7, 2, 3, 4]) for _ in range(30)] + [np.array([2, 40, 3])]
    ranked = rank_words(one_word_decides(), texts)
    assert ranked[0] == 40
    assert sorted(ranked) == list(range(2, 50))


def test_a_word_dev_text_never_held_ranks_by_what_it_would_do():
    assert rank_words(one_word_decides(), [np.array([2, 3, 4])] * 30)[0] == 40


def test_without_a_difference_the_frequent_words_stay():
    weights = one_word_decides(decisive=49)
    texts = [np.array([2, 2, 2, 3, 3, 4])] * 10
    ranked = rank_words(weights, texts).tolist()
    assert ranked[0] == 49
    assert ranked[1:4] == [2, 3, 4]


def test_an_empty_text_and_no_text_at_all_do_not_matter():
    assert len(rank_words(one_word_decides(), [np.zeros(0, np.int64), np.array([2])])) == 48


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200))
def test_smoothing_keeps_scale_and_never_gives_nothing(counts):
    smoothed = smooth_by_rank(np.array(counts, float))
    assert len(smoothed) == len(counts)
    assert np.all(smoothed > 0)
    assert smoothed.max() <= max(counts) + 0.01


@given(SEEDS, st.integers(3, 60))
def test_pruning_keeps_the_dearest_in_their_old_order(seed, count):
    weights = random_weights(seed, words=40)
    words = tuple(f"w{place}" for place in range(38))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *words), ("no", "yes"), 10, 6)
    ranked = np.random.default_rng(seed).permutation(np.arange(2, 40))
    fewer, kept = prune(weights, vocabulary, ranked, count)
    assert len(kept.tokens) == len(fewer.table) == min(count, 40)
    ids = [vocabulary.tokens.index(token) for token in kept.tokens]
    assert ids == sorted(ids)
    assert set(ids[2:]) == set(ranked[: count - 2])
    assert np.array_equal(fewer.table, weights.table[ids])
    if weights.wide is not None:
        assert np.array_equal(fewer.wide, weights.wide[ids])
    gone = [vocabulary.tokens[id_] for id_ in ranked[count - 2 :]]
    assert kept.encode(" ".join(gone)).ids == [UNKNOWN_ID] * min(10, len(gone))


@given(SEEDS, st.integers(0, 30))
def test_a_centred_table_answers_the_same(seed, length):
    weights = random_weights(seed)
    ids = np.random.default_rng(seed).integers(1, len(weights.table), length)
    centred = centre_table(weights)
    frequency = 1 / (np.arange(len(weights.table)) + 10)
    assert np.allclose(frequency @ centred.table, 0, atol=1e-5)
    both = [FoldedModel(each).scores([ids]) for each in (weights, centred)]
    assert np.allclose(*both, atol=1e-4)


@given(SEEDS)
def test_dimensions_that_are_not_used_cost_nothing(seed):
    draw = np.random.default_rng(seed)
    narrow = random_weights(seed, words=30, dimensions=4)
    lift = draw.normal(size=(4, 12)).astype(np.float32)
    back = np.linalg.pinv(lift).astype(np.float32)
    wider = tuple(
        Convolution(np.einsum("dc,tcf->tdf", back, each.kernel), each.bias)
        for each in narrow.convolutions
    )
    weights = Weights(narrow.table @ lift, wider, narrow.kernel, narrow.bias, wide=narrow.wide)
    reduced = reduce_dimensions(weights, 4)
    assert reduced.table.shape[1] <= 4
    kernels = [[each.kernel for each in model.convolutions] for model in (weights, reduced)]
    products = fold(weights.table, kernels[0]), fold(reduced.table, kernels[1])
    assert np.allclose(*products, atol=1e-3 * np.abs(products[0]).max())


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 12))
def test_fewer_dimensions_err_less_than_leaving_columns_out(seed, count):
    weights = random_weights(seed, words=30, dimensions=12)
    reduced = reduce_dimensions(weights, count)
    kernels = [each.kernel for each in weights.convolutions]
    true = fold(weights.table, kernels)
    ours = fold(reduced.table, [each.kernel for each in reduced.convolutions])
    cut = fold(weights.table[:, :count], [kernel[:, :count] for kernel in kernels])
    frequent = 1 / np.sqrt(np.arange(30) + 10.0)[:, None]
    assert (
        np.linalg.norm((ours - true) * frequent) <= np.linalg.norm((cut - true) * frequent) + 1e-3
    )


@pytest.mark.parametrize("count", [12, 100])
def test_all_dimensions_are_left_as_they_are(count):
    weights = random_weights(1, dimensions=12)
    assert reduce_dimensions(weights, count) is weights
