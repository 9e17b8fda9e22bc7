"""A reduced model is fitted to the trained model's logits, without labels."""

from dataclasses import replace

import numpy as np
import pytest

from glovelite.convert.model.reduction import (
    dequantize_rows,
    quantize_columns,
    quantize_rows,
    reduce_dimensions,
    round_table,
)
from glovelite.convert.model.weights import Convolution, NumpyModel, Weights
from glovelite.convert.worker import run_in_child
from glovelite.runtime.text.vocabulary import UNKNOWN_ID

WORDS, LISTED, DIMENSIONS = 60, 55, 12
KEPT_IDS = np.where(np.arange(WORDS) < LISTED, np.arange(WORDS), UNKNOWN_ID)


def trained_weights(outputs):
    """Return a model whose table has four large directions, with wide weights."""
    draw = np.random.default_rng(0)

    def floats(*shape):
        return draw.normal(size=shape).astype(np.float32)

    convolutions = tuple(Convolution(floats(taps, DIMENSIONS, 8) / 4, floats(8)) for taps in (1, 3))
    wide = floats(WORDS, outputs)
    wide[0] = 0
    table = floats(WORDS, 4) @ floats(4, DIMENSIONS) + floats(WORDS, DIMENSIONS)
    return Weights(table, convolutions, floats(16, outputs) / 4, floats(outputs), wide=wide)


def reduce(trained):
    """Return the model with fewer words and dimensions."""
    listed = replace(trained, table=trained.table[:LISTED], wide=trained.wide[:LISTED])
    return reduce_dimensions(listed, DIMENSIONS // 2)


def fit(*arguments):
    """Fit in a child process: only there is TensorFlow imported."""
    module = "glovelite.convert.model.distillation"
    call = f"__import__({module!r}, fromlist=['*']).fit_convolutions(*arguments)"
    return run_in_child(eval, call, {"arguments": arguments})


@pytest.mark.parametrize("outputs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_fit_convolutions_brings_other_texts_nearer_to_the_trained_model(outputs):
    draw = np.random.default_rng(1)
    texts = [draw.integers(1, WORDS, draw.integers(0, 30)) for _ in range(1000)]
    trained = trained_weights(outputs)
    reduced = reduce(trained)
    fitted = fit(reduced, trained, KEPT_IDS, texts[:800])
    expected = NumpyModel(trained).scores(texts[800:])
    before, after = (
        np.abs(NumpyModel(model).scores([KEPT_IDS[ids] for ids in texts[800:]]) - expected).mean()
        for model in (reduced, fitted)
    )
    assert after < 0.92 * before
    assert np.array_equal(fitted.table, reduced.table)
    assert np.array_equal(fitted.kernel, reduced.kernel)


def test_fit_convolutions_without_texts_changes_nothing():
    trained = trained_weights(outputs=1)
    reduced = reduce(trained)
    fitted = fit(reduced, trained, KEPT_IDS, [np.zeros(0, np.int64)])
    for before, after in zip(reduced.convolutions, fitted.convolutions, strict=True):
        assert np.array_equal(before.kernel, after.kernel)
        assert np.array_equal(before.bias, after.bias)


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
    both = [NumpyModel(rounded).scores(texts) for rounded in (weights, round_table(weights, bits))]
    assert np.abs(both[0] - both[1]).max() < largest
