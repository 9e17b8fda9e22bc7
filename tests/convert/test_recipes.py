"""Every recipe and architecture, on tflite-runtime 2.14, ai-edge-litert and the numpy engine."""

import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from glovelite.convert.options import RECIPES
from glovelite.convert.tflite.tflite_file import TFLITE_2_14, read_contents
from glovelite.runtime.bundle import read_bundle
from tests.helpers import ALL_DIMENSIONS, convert

INTERPRETERS = ("tflite-runtime", "ai-edge-litert", "numpy")
SCORE = """
import json, sys
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version
print(interpreter_version(), flush=True)
for line in sys.stdin:
    bundle, path = json.loads(line)
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(record)["text"] for record in file]
    print(json.dumps(Classifier.load(bundle).predict_proba(texts).tolist()), flush=True)
"""
RUNS = ("glosses", "two", "topics", "lstm", "wide")
# Models of few epochs lose too much in 4 bits, and export refuses them.
TRAINED_FOR_INT4 = ("glosses", "lstm", "wide")
FAST = {("glosses", "dynamic"), ("glosses", "int4"), ("two", "float32"), ("lstm", "dynamic")}
# One more of each run and recipe.
SLOW = {("glosses", "float16"), ("topics", "dynamic"), ("wide", "int4"), ("lstm", "int8")}


def _combinations():
    for run_name in RUNS:
        for recipe in RECIPES:
            if recipe != "int4" or run_name in TRAINED_FOR_INT4:
                marks = pytest.mark.slow if (run_name, recipe) in SLOW else pytest.mark.nightly
                marks = () if (run_name, recipe) in FAST else marks
                yield pytest.param(run_name, recipe, marks=marks)


COMBINATIONS = list(_combinations())


@pytest.fixture(scope="module")
def bundle_of(exported):
    """A function from a run's name and a recipe to a bundle."""

    def get(run_name, recipe):
        options = () if recipe == "dynamic" else ("--quantize", recipe)
        return exported(run_name, *options)

    return get


@pytest.fixture
def bundle_of_int8(exported):
    """A bundle in int8 of all dimensions."""
    return exported("glosses", "--quantize", "int8", *ALL_DIMENSIONS)


@pytest.fixture(scope="module")
def scores_on():
    """A function from an interpreter, a bundle and a file to the scores of the file's texts.

    Each interpreter has a process for all tests: its start takes longer than the scores.
    """
    with contextlib.ExitStack() as running:
        processes = {}

        def start(interpreter):
            process = subprocess.Popen(
                [sys.executable, "-c", SCORE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "GLOVELITE_INTERPRETER": interpreter},
            )
            assert running.enter_context(process).stdout.readline().startswith(interpreter)
            return process

        def get(interpreter, bundle, texts):
            if interpreter not in processes:
                processes[interpreter] = start(interpreter)
            process = processes[interpreter]
            print(json.dumps([str(bundle), str(texts)]), file=process.stdin, flush=True)
            return np.array(json.loads(process.stdout.readline()))

        yield get


@pytest.mark.parametrize(("run_name", "recipe"), COMBINATIONS)
def test_all_interpreters_predict_correctly(bundle_of, trained, scores_on, run_name, recipe):
    bundle, test = bundle_of(run_name, recipe), trained(run_name) / "test.jsonl"
    keras = read_bundle(bundle).manifest["accuracy"]["test"]["keras"]
    labels = list(read_bundle(bundle).vocabulary.labels)
    records = [json.loads(line) for line in test.open(encoding="utf-8")]
    targets = np.array([labels.index(record["label"]) for record in records])
    first, *others = (scores_on(interpreter, bundle, test) for interpreter in INTERPRETERS)
    for scores in (first, *others):
        assert scores.shape == (len(targets), len(labels))
        accuracy = np.mean(scores.argmax(axis=1) == targets)
        assert abs(accuracy - keras) < max(
            0.03, 5 / len(targets)
        )  # int8 changes a tenth of 118 texts
    for scores in others:
        assert np.abs(first - scores).max() < 0.05
        assert np.mean(first.argmax(axis=1) == scores.argmax(axis=1)) > 0.97
    if recipe != "int8":  # 2.14 rounds some int8 operators differently
        assert np.abs(first - others[1]).max() < 1e-4


@pytest.mark.parametrize(("run_name", "recipe"), COMBINATIONS)
def test_operators_are_builtin_and_supported_by_2_14(bundle_of, run_name, recipe):
    contents = read_contents(read_bundle(bundle_of(run_name, recipe)).model)
    for operator in contents.operators:
        assert operator.builtin
        assert operator.version <= TFLITE_2_14[operator.name]
    assert tuple(map(int, contents.oldest_runtime.split("."))) <= (2, 14, 0)


def test_sizes_decrease_with_the_bits(bundle_of, bundle_of_int8):
    bundles = {recipe: bundle_of("glosses", recipe) for recipe in ("float32", "float16", "dynamic")}
    bundles["int8"] = bundle_of_int8
    sizes = {name: (path / "model.tflite").stat().st_size for name, path in bundles.items()}
    assert sizes["float16"] < 0.52 * sizes["float32"]
    assert sizes["dynamic"] < 0.27 * sizes["float32"]
    assert sizes["int8"] < 0.27 * sizes["float32"]


def float_tensors(contents):
    """Return the float32 tensors, except for the token count, which is cast from integers."""
    tensors = [tensor for tensor in contents.tensors if tensor.dtype == "FLOAT32"]
    return [tensor for tensor in tensors if tensor.name != "Cast"]


def test_int8_computes_in_integers(bundle_of_int8):
    contents = read_contents(read_bundle(bundle_of_int8).model)
    assert len(float_tensors(contents)) == 1  # the output
    assert [operator.name for operator in contents.operators][-1] == "DEQUANTIZE"


def test_integer_output_on_request(integer_bundle, run_folder, scores_on, tmp_path):
    bundle, _ = integer_bundle
    assert not float_tensors(read_contents(read_bundle(bundle).model))
    scores = scores_on("tflite-runtime", bundle, run_folder / "test.jsonl")
    assert np.allclose(scores.sum(axis=1), 1, atol=0.02)
    options = ("--out", tmp_path / "c", "--integer-output")
    done = convert("export", run_folder, *options, check=False)
    assert done.returncode == 1
    assert "--integer-output needs --quantize int8" in done.stderr


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, marks=pytest.mark.slow if recipe == "int8" else pytest.mark.nightly)
        for recipe in RECIPES
    ],
)
def test_wide_weights_and_several_kernel_sizes_fold(exported, recipe):
    bundle = exported("wide", "--quantize", recipe, "--layout", "folded")
    agreement = read_bundle(bundle).manifest["accuracy"]["test"]["agreement"]
    assert agreement > (0.95 if recipe in ("int4", "int8") else 0.985)


def test_conv_lstm_has_one_input_length(exported):
    bundle = read_bundle(exported("lstm"))
    vocabulary = bundle.vocabulary
    assert bundle.fixed_length == vocabulary.max_tokens + vocabulary.trailing_padding
