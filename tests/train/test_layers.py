"""The layers of training equal the plain Keras layers that replace them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from glovelite.train.model.layers import (
    ByteDropout,
    DistinctWords,
    PooledConvolution,
    TrainableTable,
    choose_trainable_rows,
)
from glovelite.train.options import TrainingOptions
from glovelite.train.vectors.embedding_table import EmbeddingTable


def features_and_gradients(layers, layer, vectors, upstream):
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        features = layers(vectors)
        loss = tf.reduce_sum(features * upstream)
    gradients = tape.gradient(loss, [vectors, *layer.weights])
    return [features, *map(tf.convert_to_tensor, gradients)]


@pytest.mark.parametrize("taps", [1, 2, 5])
def test_pooled_convolution_equals_conv1d_and_max_pooling(taps):
    random = np.random.default_rng(taps)
    table = random.normal(size=(30, 7)).astype(np.float32) * (np.arange(30) > 0)[:, None]
    vectors = tf.constant(table)
    ids = random.integers(0, 30, (6, 15)).astype(np.int32)
    ids[:, 9:] = 0
    ids[1, 2:] = 0
    ids[2] = 0
    ids[3, 4:8] = ids[3, :4]  # an n-gram that occurs twice: both windows are maximal
    pooled, plain = PooledConvolution(4, taps), keras.layers.Conv1D(4, taps, activation="relu")
    words, positions = DistinctWords()(tf.constant(ids))
    plain.build((None, None, 7))
    pooled.build((None, 7), (None, None))
    pooled.bias.assign(random.normal(size=4))
    plain.set_weights(pooled.get_weights())
    pool = keras.layers.GlobalMaxPooling1D()
    upstream = random.normal(size=(len(ids), 4)).astype(np.float32)
    ours = features_and_gradients(
        lambda table: pooled(tf.gather(table, words), positions, training=True),
        pooled,
        vectors,
        upstream,
    )
    assert np.allclose(pooled(tf.gather(vectors, words), positions), ours[0], atol=1e-6)
    expected = features_and_gradients(
        lambda table: pool(plain(tf.gather(table, ids))), plain, vectors, upstream
    )
    for one, other in zip(ours, expected):
        assert np.abs(one).max() > 0.1
        assert np.allclose(one, other, atol=1e-5)


@pytest.fixture(scope="module")
def table():
    vectors = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    vectors[[0, 1, 4]] = 0
    return EmbeddingTable(tuple("abcdefghi"), vectors, (1, 4), 9, None)


OPTIONS = {
    "plain": TrainingOptions(adapter=0),
    "adapted": TrainingOptions(adapter=7, tuned_words=3),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_merged_table_equals_what_training_looks_up(table, name):
    layer = TrainableTable(table, OPTIONS[name], 0.1)
    ids = np.array([3, 2, 0, 4, 1, 8])
    assert np.allclose(layer(ids), layer.merged()[ids], atol=1e-6)


def test_padding_stays_zero_and_glove_rows_stay_frozen(table):
    keras.utils.set_random_seed(1)
    plain = TrainableTable(table, OPTIONS["plain"], 0.1)
    adapted = TrainableTable(table, OPTIONS["adapted"], 0.1)
    for layer in (plain, adapted):
        layer(np.array([0]))
    assert not plain.merged()[0].any()
    assert not adapted.merged()[0].any()
    frozen = [2, 3, 5, 6, 7, 8]
    assert np.allclose(plain.merged()[frozen], table.vectors[frozen])
    assert not np.allclose(adapted.merged()[8], table.vectors[8])  # the adapter changes all words


def test_tuned_words_have_a_lower_learning_rate(table):
    ids, lr_scale = choose_trainable_rows(table, 3)
    assert ids == (1, 2, 3, 4)
    assert lr_scale[:, 0].tolist() == pytest.approx([1, 0.3, 0.3, 1])


def test_byte_dropout_drops_its_share_and_keeps_the_mean():
    drop = ByteDropout(0.25, seed=3)
    values = drop(tf.ones((1000, 101)), training=True).numpy()
    assert set(np.unique(values)) == {0, np.float32(4 / 3)}
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.01)


def test_byte_dropout_draws_again_at_every_call_and_the_same_after_a_restart():
    ones = tf.ones((50, 7))
    first, second = (ByteDropout(0.5, seed=3) for _ in range(2))
    draws = [first(ones, training=True).numpy() for _ in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    second.build(None)
    second.draw.assign(2)  # as a checkpoint does
    assert np.array_equal(second(ones, training=True), draws[2])
    assert not np.array_equal(ByteDropout(0.5, seed=4)(ones, training=True), draws[0])


def test_byte_dropout_changes_nothing_outside_training():
    ones = tf.ones((50, 7))
    assert np.array_equal(ByteDropout(0.5, seed=3)(ones), ones)
    assert np.array_equal(ByteDropout(0.0, seed=3)(ones, training=True), ones)
