"""A reduced model is fitted to the trained model's logits, without labels."""

import json
import sys

import numpy as np
import pytest

from glovelite.convert.model.reduction import (
    dequantize_rows,
    quantize_columns,
    quantize_rows,
    round_table,
)
from glovelite.convert.model.weights import Convolution, NumpyModel, Weights
from tests.helpers import run

FIT = """
import json, sys
import numpy as np
from dataclasses import replace
from glovelite.convert.model.distillation import fit_convolutions
from glovelite.convert.model.reduction import reduce_dimensions
from glovelite.convert.model.weights import NumpyModel
from glovelite.convert.model.weights import Convolution, Weights

draw = np.random.default_rng(0)
floats = lambda *shape: draw.normal(size=shape).astype(np.float32)
outputs, words, dimensions = int(sys.argv[1]), 60, 12
convolutions = tuple(Convolution(floats(taps, dimensions, 8) / 4, floats(8)) for taps in (1, 3))
wide = floats(words, outputs)
wide[0] = 0
table = floats(words, 4) @ floats(4, dimensions) + floats(words, dimensions)
weights = Weights(table, convolutions, floats(16, outputs) / 4, floats(outputs))
weights = replace(weights, wide=wide)
texts = [draw.integers(1, words, draw.integers(0, 30)) for _ in range(1000)]
kept = np.where(np.arange(words) < 55, np.arange(words), 1)
reduced = reduce_dimensions(replace(weights, table=weights.table[:55], wide=wide[:55]), 6)

def error(model, rows):
    scores = NumpyModel(model).scores([kept[ids] for ids in rows])
    return float(np.abs(scores - NumpyModel(weights).scores(rows)).mean())

first, again = (fit_convolutions(reduced, weights, kept, texts[:800]) for _ in range(2))
pairs = [(a.kernel, b.kernel) for a, b in zip(first.convolutions, again.convolutions)]
print(json.dumps({
    "before": error(reduced, texts[800:]),
    "after": error(first, texts[800:]),
    "repeated": all(np.array_equal(*pair) for pair in pairs),
    "same_rest": first.table is reduced.table and first.kernel is reduced.kernel,
    "no_texts": fit_convolutions(reduced, weights, kept, [np.zeros(0, np.int64)]) is reduced,
}))
"""


@pytest.mark.parametrize("outputs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_fit_convolutions_brings_other_texts_nearer_to_the_trained_model(outputs):
    answer = json.loads(run(sys.executable, "-c", FIT, outputs).stdout.splitlines()[-1])
    assert answer["after"] < 0.92 * answer["before"]
    assert answer["repeated"]
    assert answer["same_rest"]
    assert answer["no_texts"]


def random_weights():
    draw = np.random.default_rng(3)
    table, kernel = draw.normal(size=(40, 12)), draw.normal(size=(2, 12, 5))
    convolution = Convolution(kernel.astype(np.float32), np.zeros(5, np.float32))
    logits = np.ones((5, 1), np.float32), np.zeros(1, np.float32)
    return Weights(table.astype(np.float32), (convolution,), *logits)


def test_round_table_rounds_to_rows_of_4_bits():
    rounded = round_table(random_weights(), 4)
    restored = dequantize_rows(quantize_rows(rounded.table, 4))
    assert np.allclose(restored, rounded.table, rtol=1e-5)


def test_round_table_rounds_to_columns_of_8_bits():
    rounded = round_table(random_weights(), 8)
    codes, scales = quantize_columns(rounded.table)
    assert np.allclose(codes * scales, rounded.table, atol=1e-6)


@pytest.mark.parametrize(("bits", "largest"), [(8, 0.05), (4, 0.7)])
def test_round_table_keeps_predictions(bits, largest):
    """The table is centered, which moves what all words share to the biases."""
    weights = random_weights()
    texts = [np.arange(40)[start:] for start in range(30)]
    both = [NumpyModel(each).scores(texts) for each in (weights, round_table(weights, bits))]
    assert np.abs(both[0] - both[1]).max() < largest
