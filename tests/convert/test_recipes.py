"""Every recipe and architecture, on tflite-runtime 2.14 and on current ai-edge-litert."""

import json
import os
import sys

import numpy as np
import pytest
from helpers import DATA, GLOSSES, SLICE, convert, run, train

from convert.tflite.recipes import RECIPES
from convert.tflite.tflite_file import TFLITE_2_14, read_contents
from runtime.bundle import read_bundle

INTERPRETERS = ("tflite-runtime", "ai-edge-litert")
SCORE = """
import json, sys
from runtime import Classifier
from runtime.interpreter import interpreter_version
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
texts = [json.loads(line)["text"] for line in lines]
scores = Classifier.load(sys.argv[1]).predict_proba(texts).tolist()
print(json.dumps([interpreter_version(), scores]))
"""


@pytest.fixture(scope="module")
def runs(run_folder, binary_run_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("architectures")
    few = ["--glove", SLICE, "--epochs", 4]
    train(GLOSSES, *few, "--architecture", "conv-lstm", "--out", folder / "lstm")
    train(DATA / "topics.csv", *few, "--filters", 96, "--out", folder / "twenty")
    widths = ("--kernel-size", 2, "--kernel-size", 4, "--filters", 24)
    train(GLOSSES, "--glove", SLICE, "--wide", *widths, "--out", folder / "wide")
    return {
        "wide": folder / "wide",
        "four classes": run_folder,
        "two classes": binary_run_folder,
        "twenty classes": folder / "twenty",
        "conv-lstm": folder / "lstm",
    }


@pytest.fixture(scope="module")
def bundles(runs, tmp_path_factory):
    """A bundle by every recipe of every run, made when first asked for."""
    folder, made = tmp_path_factory.mktemp("recipes"), {}

    def get(kind, recipe):
        if (kind, recipe) not in made:
            target = folder / f"{kind}-{recipe}".replace(" ", "-")
            convert("export", runs[kind], "--out", target, "--quantize", recipe)
            made[kind, recipe] = target
        return made[kind, recipe]

    return get


def scores_on(interpreter, bundle, texts):
    environment = {**os.environ, "GLOVELITE_INTERPRETER": interpreter}
    done = run(sys.executable, "-c", SCORE, bundle, texts, env=environment)
    version, scores = json.loads(done.stdout.splitlines()[-1])
    assert version.startswith(interpreter)
    return np.array(scores)


KINDS = ("four classes", "two classes", "twenty classes", "conv-lstm", "wide")
# Models of four short epochs lose too much in 4 bits, and the gate says so.
PAIRS = [
    (kind, recipe)
    for kind in KINDS
    for recipe in RECIPES
    if recipe != "int4" or kind in ("four classes", "conv-lstm", "wide")
]


@pytest.mark.parametrize(("kind", "recipe"), PAIRS)
def test_both_interpreters_give_right_answers(bundles, runs, kind, recipe):
    bundle, test = bundles(kind, recipe), runs[kind] / "test.jsonl"
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    keras = manifest["accuracy"]["test"]["keras"]
    labels = list(read_bundle(bundle).vocabulary.labels)
    records = [json.loads(line) for line in test.open(encoding="utf-8")]
    targets = np.array([labels.index(record["label"]) for record in records])
    both = [scores_on(interpreter, bundle, test) for interpreter in INTERPRETERS]
    for scores in both:
        assert scores.shape == (len(targets), len(labels))
        assert abs(np.mean(scores.argmax(axis=1) == targets) - keras) < 0.03
    assert np.abs(both[0] - both[1]).max() < 0.05
    assert np.mean(both[0].argmax(axis=1) == both[1].argmax(axis=1)) > 0.97


@pytest.mark.parametrize(("kind", "recipe"), PAIRS)
def test_operators_are_builtin_and_known_to_2_14(bundles, kind, recipe):
    contents = read_contents(read_bundle(bundles(kind, recipe)).model)
    for operator in contents.operators:
        assert operator.builtin
        assert operator.version <= TFLITE_2_14[operator.name]
    assert tuple(map(int, contents.oldest_runtime.split("."))) <= (2, 14, 0)


def test_sizes_go_down_with_the_bits(bundles):
    sizes = {
        recipe: (bundles("four classes", recipe) / "model.tflite").stat().st_size
        for recipe in RECIPES
    }
    assert sizes["float16"] < 0.52 * sizes["float32"]
    assert sizes["dynamic"] < 0.27 * sizes["float32"]
    assert sizes["int8"] < 0.27 * sizes["float32"]


def floats(contents):
    """Tensors of float32, but for the number of words, counted in integers and cast."""
    tensors = [each for each in contents.tensors if each.dtype == "FLOAT32"]
    return [each for each in tensors if each.name != "Cast"]


def test_int8_computes_in_integers(bundles):
    contents = read_contents(read_bundle(bundles("four classes", "int8")).model)
    assert len(floats(contents)) == 1  # the output
    assert [each.name for each in contents.operators][-1] == "DEQUANTIZE"


def test_integer_output_on_request(runs, tmp_path):
    run_folder = runs["four classes"]
    convert(
        *("export", run_folder, "--out", tmp_path / "b", "--quantize", "int8", "--integer-output")
    )
    contents = read_contents(read_bundle(tmp_path / "b").model)
    assert not floats(contents)
    scores = scores_on("tflite-runtime", tmp_path / "b", run_folder / "test.jsonl")
    assert np.allclose(scores.sum(axis=1), 1, atol=0.02)
    done = convert(
        *("export", run_folder, "--out", tmp_path / "c", "--integer-output"), check=False
    )
    assert done.returncode == 1
    assert "integer output goes with int8" in done.stderr


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_wide_weights_and_several_widths_fold(runs, tmp_path, recipe):
    said = convert(
        *("export", runs["wide"], "--out", tmp_path / "b", "--quantize", recipe, "--json"),
        *("--layout", "folded"),
    )
    fidelity = json.loads(said.stdout.splitlines()[-1])["fidelity"]["test"]
    assert fidelity["agreement"] > (0.95 if recipe in ("int4", "int8") else 0.985)


def test_conv_lstm_has_one_length(bundles):
    bundle = read_bundle(bundles("conv-lstm", "dynamic"))
    vocabulary = bundle.vocabulary
    assert bundle.fixed_length == vocabulary.max_tokens + vocabulary.trailing_padding
