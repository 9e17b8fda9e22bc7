"""Both layouts compute the same; quantized rows are close to the table."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glovelite.convert.model.reduction import dequantize_rows, quantize_columns, quantize_rows
from glovelite.convert.model.weights import choose_layout, fold
from glovelite.convert.model_bin.graph_weights import read_weights
from glovelite.convert.worker import run_in_child
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.explain import split_logit
from glovelite.runtime.interpreter import TFLiteModel
from tests.helpers import convert

MODELS = 5
SHARED = 3  # of them, the one whose outputs share wide weights
MAKE = """
from dataclasses import replace
import numpy as np
from glovelite.convert.tflite.graph import GraphConfig, build_graph
from glovelite.convert.tflite.graph import quantize
from glovelite.convert.options import RECIPES
from glovelite.convert.model.weights import Convolution, Weights

for seed in range(models):
    draw = np.random.default_rng(seed)
    words, dimensions = draw.integers(5, 60), draw.integers(2, 30)
    floats = lambda *shape: draw.normal(size=shape).astype(np.float32)
    shapes = [(draw.integers(1, 7), draw.integers(1, 9)) for _ in range(draw.integers(1, 4))]
    convolutions = tuple(Convolution(floats(t, dimensions, f), floats(f)) for t, f in shapes)
    outputs = 5 if seed == shared else draw.choice([1, 3])
    features = sum(f for _, f in shapes)
    table, wide = floats(words, dimensions), floats(words, outputs)
    table[0] = wide[0] = 0
    weights = Weights(table, convolutions, floats(features, outputs) / 4, floats(outputs))
    weights = replace(weights, wide=wide) if seed % 2 else weights
    if seed == shared:
        kernel = floats(features, 3) / 4
        weights = replace(weights, wide=wide[:, :2], kernel=kernel, mixing=floats(5, outputs))
    (folder / f"{seed}.txt").write_text(f"{words} {max(t for t, _ in shapes)}")
    for layout, recipe in (("conv", "float32"), ("folded", "float32"), ("folded", "int4")):
        graph = build_graph(weights, GraphConfig(None, layout, RECIPES[recipe].row_bits))
        content = quantize(graph, RECIPES[recipe])
        (folder / f"{seed}-{layout}-{recipe}.tflite").write_bytes(content)
    for layout in ("conv", "folded"):
        own = build_graph(weights, GraphConfig(None, layout, None, max(t for t, _ in shapes), True))
        content = quantize(own, RECIPES["float32"])
        (folder / f"{seed}-{layout}-own.tflite").write_bytes(content)
"""

tables = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 9)),
    elements=st.floats(-100, 100, width=32),
)


@pytest.fixture(scope="module")
def random_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    run_in_child(exec, MAKE, {"folder": folder, "models": MODELS, "shared": SHARED})
    return folder


def texts_of(folder, seed):
    """Yield ids of random texts, empty to long, and the padding that the model needs."""
    words, taps = map(int, (folder / f"{seed}.txt").read_text().split())
    draw = np.random.default_rng(seed)
    for length in (0, 1, taps - 1, taps, taps + 1, 11, 12, 31, 32, 33, 200):
        yield draw.integers(1, words, length).tolist(), taps


@pytest.mark.parametrize("seed", range(MODELS))
def test_folded_equals_conv_at_every_length(random_models, seed):
    conv, folded = (
        TFLiteModel((random_models / f"{seed}-{layout}-float32.tflite").read_bytes(), None)
        for layout in ("conv", "folded")
    )
    for ids, taps in texts_of(random_models, seed):
        assert np.allclose(conv.run(ids, taps), folded.run(ids, taps), atol=2e-5)


@pytest.mark.parametrize("seed", range(MODELS))
def test_padding_does_not_change_folded_scores(random_models, seed):
    for recipe in ("float32", "int4"):
        model = TFLiteModel((random_models / f"{seed}-folded-{recipe}.tflite").read_bytes(), None)
        for ids, taps in texts_of(random_models, seed):
            assert np.array_equal(model.run(ids, taps), model.run(ids, taps + 70))


@pytest.mark.parametrize("seed", range(MODELS))
@pytest.mark.parametrize("layout", ["conv", "folded"])
def test_appended_padding_and_two_columns_give_the_same_scores(random_models, seed, layout):
    plain, own = (
        TFLiteModel((random_models / f"{seed}-{layout}-{kind}.tflite").read_bytes(), None)
        for kind in ("float32", "own")
    )
    for ids, taps in texts_of(random_models, seed):
        ours, theirs = plain.run(ids, taps), own.run(ids, 0)
        expected = [1 - ours[0], ours[0]] if len(ours) == 1 else ours
        assert np.allclose(theirs, expected, atol=2e-5)


@pytest.mark.parametrize("layout", ["conv", "folded"])
def test_shared_columns_are_read_back_and_explained(random_models, layout):
    content = (random_models / f"{SHARED}-{layout}-float32.tflite").read_bytes()
    assert read_weights(content).mixing.shape == (5, 5)
    for ids, taps in texts_of(random_models, SHARED):
        parts = split_logit(content, ids, len(ids) + taps, lambda logits: logits[0] - logits[1])
        assert parts is not None


@given(arrays.arrays(np.float32, (7, 3), elements=st.floats(-100, 100, width=32)))
def test_quantize_columns_has_a_scale_per_column(weights):
    codes, scales = quantize_columns(weights)
    assert codes.shape == weights.shape
    assert scales.shape == (1, 3)
    assert np.all(np.abs(codes * scales - weights) <= scales * 0.5001)


@given(tables, st.sampled_from([8, 4]))
@example(np.array([[5.89e-43]], np.float32), 8)  # a scale float32 holds three bits of
def test_quantize_rows_is_close_to_the_table(table, bits):
    rows = quantize_rows(table, bits)
    restored = dequantize_rows(rows)
    assert restored.shape == table.shape
    assert np.all(np.abs(restored - table) <= rows.scales * 0.5001)
    again = dequantize_rows(quantize_rows(restored, bits))
    assert np.mean((again - restored) ** 2) <= 1e-9 * max(1.0, np.abs(table).max()) ** 2
    columns = -(-table.shape[1] // 2) if bits == 4 else table.shape[1]
    assert rows.codes.shape == (len(table), columns)


@given(st.data())
def test_fold_is_the_product_by_word_and_tap(data):
    table = data.draw(tables)
    shape = st.tuples(st.integers(1, 4), st.just(table.shape[1]), st.integers(1, 3))
    elements = st.floats(-10, 10, width=32)
    kernels = data.draw(st.lists(arrays.arrays(np.float32, shape, elements=elements), min_size=1))
    expected = [table @ kernel[tap] for kernel in kernels for tap in range(len(kernel))]
    assert np.allclose(fold(table, kernels), np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-2)


def test_choose_layout_takes_the_smaller_table():
    assert choose_layout(100, [(5, 100, 64)]) == "conv"
    assert choose_layout(100, [(3, 100, 24)]) == "folded"
    assert choose_layout(100, [(3, 100, 24), (2, 100, 24)]) == "conv"


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int4", "int8"])
def test_a_real_model_folds_with_every_recipe(exported, recipe):
    # Corrected words, which Keras does not know, change labels too.
    options = ("--quantize", recipe, "--layout", "folded", "--no-spelling")
    bundle = exported("glosses", *options)
    manifest = read_bundle(bundle).manifest
    assert manifest["layout"] == "folded"
    agreement = manifest["accuracy"]["test"]["agreement"]
    assert agreement > (0.97 if recipe in ("int4", "int8") else 0.985)


@pytest.mark.slow
def test_conv_lstm_cannot_be_folded(lstm_run, tmp_path):
    options = ("--out", tmp_path / "b", "--layout", "folded")
    done = convert("export", lstm_run, *options, check=False)
    assert done.returncode == 1
    assert "conv-lstm has no folded layout" in done.stderr
