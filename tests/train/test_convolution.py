"""The convolution of training is Keras's own: the same features, the same gradients."""

import json
import sys

import pytest
from helpers import run

COMPARE = """
import json, sys
import keras
import numpy as np
import tensorflow as tf
from train.model.convolution import PooledConvolution
from train.model.lookup import DistinctWords

random = np.random.default_rng(0)
vectors = tf.constant(random.normal(size=(30, 7)).astype(np.float32) * (np.arange(30) > 0)[:, None])
ids = random.integers(0, 30, (6, 15)).astype(np.int32)
ids[:, 9:] = 0
ids[1, 2:] = 0
ids[2] = 0
ids[3, 4:8] = ids[3, :4]  # an n-gram that stands twice: both windows are the largest


def run(layers, upstream):
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        features = layers(vectors)
        loss = tf.reduce_sum(features * upstream)
    return features, tape, loss


found = {}
for taps in (1, 2, 5):
    ours, plain = PooledConvolution(4, taps), keras.layers.Conv1D(4, taps, activation="relu")
    words, places = DistinctWords()(tf.constant(ids))
    plain.build((None, None, 7))
    upstream = random.normal(size=(len(ids), 4)).astype(np.float32)
    ours.build((None, 7), (None, None))
    ours.bias.assign(random.normal(size=4))
    plain.set_weights(ours.get_weights())
    pool = keras.layers.GlobalMaxPooling1D()
    one = run(lambda table: ours(tf.gather(table, words), places), upstream)
    other = run(lambda table: pool(plain(tf.gather(table, ids))), upstream)
    weights = []
    for (features, tape, loss), layer in ((one, ours), (other, plain)):
        gradients = tape.gradient(loss, [vectors, *layer.weights])
        weights.append([features, *map(tf.convert_to_tensor, gradients)])
    names = ("features", "vectors", "kernel", "bias")
    found[taps] = {n: float(np.abs(a - b).max()) for n, a, b in zip(names, *weights)}
    found[taps]["size"] = min(float(np.abs(each).max()) for each in weights[1])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def differences():
    return json.loads(run(sys.executable, "-c", COMPARE).stdout.splitlines()[-1])


@pytest.mark.parametrize("taps", ["1", "2", "5"])
@pytest.mark.parametrize("what", ["features", "vectors", "kernel", "bias"])
def test_features_and_gradients_are_those_of_conv1d_and_max_pooling(differences, taps, what):
    assert differences[taps]["size"] > 0.1
    assert differences[taps][what] < 1e-5
