"""MediaPipe's TextClassifier, in Python and JavaScript, and TFLite Micro run our models unchanged.

`make test-peers` installs them: in a Python environment of their own, and in `node_modules` here.
"""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from glovelite.convert.tflite.tflite_file import schema
from glovelite.convert.verify.device import run_on_device
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.interpreter import TFLiteModel
from tests.helpers import GLOSSES, convert, run
from tests.multi_label import write_multi_label_bundle

PEERS = os.environ.get("GLOVELITE_PEERS_PYTHON")
NODE, HERE = shutil.which("node"), Path(__file__).parent
NODE_READY = NODE and (HERE / "node_modules/@mediapipe/tasks-text").is_dir()
needs_python_peers = pytest.mark.skipif(
    not PEERS, reason="needs mediapipe and tflite-micro: run `make test-peers`"
)
needs_node_peers = pytest.mark.skipif(
    not NODE_READY,
    reason="needs Node and @mediapipe/tasks-text: install Node and npm, run `make test-peers`",
)

MEDIAPIPE_WEB = (NODE, HERE / "mediapipe.mjs")
MEDIAPIPE = """
import json, sys
from mediapipe.tasks.python import BaseOptions, text
options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]))
with text.TextClassifier.create_from_options(options) as classifier:
    for line in sys.stdin:
        (head,) = classifier.classify(json.loads(line)).classifications
        print(json.dumps({each.category_name: each.score for each in head.categories}))
"""
MICRO = """
import json, sys
from tflite_micro import runtime
import numpy as np
interpreter = runtime.Interpreter.from_file(sys.argv[1], arena_size=4_000_000)
for line in sys.stdin:
    interpreter.set_input(np.array([json.loads(line)], np.int32), 0)
    interpreter.invoke()
    print(json.dumps(interpreter.get_output(0)[0].tolist()))
"""
UNUSUAL_TEXTS = (
    "",
    " ",
    "?!…",
    "'",
    "''quoted'' words",
    "’twas the 'night' before",
    "rock 'n' roll",
    "a café, a cafe\u0301",
    "emoji 🐦 and 漢字",
    "one\ttab\nand\r\nlines",
    "tea_leaf 3rd 42",
    "wild " * 500,
)


@pytest.fixture(
    params=[
        pytest.param((PEERS, "-c", MEDIAPIPE), marks=needs_python_peers, id="python"),
        pytest.param(MEDIAPIPE_WEB, marks=needs_node_peers, id="javascript"),
    ]
)
def mediapipe(request):
    """The command of a program that classifies with MediaPipe."""
    return request.param


def run_peer(command, model, lines):
    done = run(*command, model, input="".join(json.dumps(line) + "\n" for line in lines))
    return [json.loads(line) for line in done.stdout.splitlines()]


def classify(command, bundle, texts):
    """Return MediaPipe's score of each text and label of a bundle."""
    labels = read_bundle(bundle).vocabulary.labels
    answers = run_peer(command, bundle / "model.tflite", texts)
    return np.array([[answer[label] for label in labels] for answer in answers])


def read_test_texts(folder):
    return [json.loads(line)["text"] for line in (folder / "test.jsonl").open(encoding="utf-8")]


def logit_step(flatbuffer):
    """Return the quantization scale of a model's 8-bit logits."""
    tflite = schema()
    graph = tflite.Model.GetRootAsModel(flatbuffer, 0).Subgraphs(0)
    activation = graph.Operators(graph.OperatorsLength() - 2)  # the last gives float32 again
    return float(graph.Tensors(activation.Inputs(0)).Quantization().Scale(0))


def vary_spelling(texts):
    """Yield the texts with capitals, quotes, both apostrophes and accents added."""
    for number, text in enumerate(texts):
        yield (
            text,
            text.capitalize() + ".",
            text.upper() + "!!",
            text.title(),
            f"“{text}”, isn't it? It isn’t: 'it's'",
            f"Café — {text}… (naïve)",
        )[number % 6]


ONE_TOKEN = ("glosses", "two")  # runs with a convolution of one token
HASHED = ("--listed-words", 400, "--hashed-words", 1000)
MEDIAPIPE_EXPORT = ("--mediapipe", "--no-gate")


def assert_same_labels(ours, theirs, texts, exact):
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    assert np.mean(same) >= 0.995, [text for text, agrees in zip(texts, same) if not agrees]
    assert np.median(np.abs(ours - theirs).max(axis=1)) < exact


@pytest.mark.parametrize("kind", ["glosses", "two", "wide", "lstm"])
@pytest.mark.parametrize(
    "options", [(), ("--layout", "folded"), ("--quantize", "int4"), HASHED], ids=str
)
def test_mediapipe_predicts_the_same_labels(mediapipe, kind, options, trained, exported):
    if kind == "lstm" and (options == HASHED or "folded" in options):
        pytest.skip("conv-lstm has no folded layout and lists all its words")
    bundle = exported(kind, *MEDIAPIPE_EXPORT, *options)
    texts = [*UNUSUAL_TEXTS, *vary_spelling(read_test_texts(trained(kind)))]
    # MediaPipe's newer interpreter rounds an 8-bit one-token convolution differently.
    exact = 1e-3 if kind in ONE_TOKEN and options in ((), HASHED) else 1e-5
    theirs = classify(mediapipe, bundle, texts)
    assert_same_labels(run_on_device(bundle, texts), theirs, texts, exact)


def test_mediapipe_predicts_the_same_labels_of_2000_glosses(mediapipe, exported):
    bundle = exported("glosses", *MEDIAPIPE_EXPORT)
    with GLOSSES.open(encoding="utf-8", newline="") as file:
        texts = [*UNUSUAL_TEXTS, *(row["text"] for row in csv.DictReader(file))]
    ours, theirs = run_on_device(bundle, texts), classify(mediapipe, bundle, texts)
    assert len(texts) == len(UNUSUAL_TEXTS) + 2_000
    assert_same_labels(ours, theirs, texts, 1e-3)


@needs_node_peers
def test_mediapipe_in_javascript_reads_a_text_up_to_a_nul(exported):
    """It passes texts to C++ as C strings; so UNUSUAL_TEXTS has no NUL."""
    bundle = exported("glosses", *MEDIAPIPE_EXPORT)
    cut, whole = classify(MEDIAPIPE_WEB, bundle, ["a small bird\0 or a tree", "a small bird"])
    assert np.array_equal(cut, whole)


@needs_python_peers
@pytest.mark.parametrize("kind", ["run_folder", "binary_run_folder", "wide_run"])
@pytest.mark.parametrize("layout", ["conv", "folded"])
def test_tflite_micro_predicts_the_same_probabilities(kind, layout, request, tmp_path):
    folder = request.getfixturevalue(kind)
    bundle = tmp_path / "bundle"
    done = convert(
        *("export", folder, "--out", bundle, "--quantize", "int8", "--layout", layout),
        *("--emit-c", "--no-gate"),
    )
    assert "TFLite Micro supports every operator and type" in done.stdout
    loaded = read_bundle(bundle)
    model = TFLiteModel(loaded.model, loaded.fixed_length)
    texts = read_test_texts(folder)
    ids = [loaded.vocabulary.encode(text).ids for text in ["", *texts[:40]]]
    padded = [row + [0] * (loaded.fixed_length - len(row)) for row in ids]
    theirs = run_peer((PEERS, "-c", MICRO), bundle / "model.tflite", padded)
    ours = [model.run(row, loaded.vocabulary.trailing_padding) for row in ids]
    # The two may round a logit to neighboring steps. A sigmoid passes on at most a quarter of the
    # difference, a softmax half of it; the output is rounded to 256ths.
    share = 1 / 4 if kind == "binary_run_folder" else 1 / 2
    assert np.abs(np.array(theirs) - ours).max() <= share * logit_step(loaded.model) + 1 / 256
    assert np.array_equal(np.argmax(theirs, axis=1), np.argmax(ours, axis=1))
    assert np.mean(np.abs(np.array(theirs) - ours)) < 1e-3


MULTI_LABEL_EXPORTS = {"mediapipe": ("--mediapipe",), "micro": ("--quantize", "int8", "--emit-c")}


@pytest.fixture(scope="module")
def multi_label_bundles(run_folder, tmp_path_factory):
    """A multi-label bundle for each peer."""
    folder = tmp_path_factory.mktemp("multi-label")
    for name, options in MULTI_LABEL_EXPORTS.items():
        convert("export", run_folder, "--out", folder / f"{name}-single", "--no-gate", *options)
        write_multi_label_bundle(folder / f"{name}-single", folder / name)
    return folder


def test_mediapipe_scores_each_label_of_a_multi_label_bundle(
    mediapipe, multi_label_bundles, run_folder
):
    bundle = multi_label_bundles / "mediapipe"
    texts = read_test_texts(run_folder)
    ours = run_on_device(bundle, texts)
    theirs = classify(mediapipe, bundle, texts)
    assert np.abs(ours.sum(axis=1) - 1).max() > 0.1
    assert np.median(np.abs(ours - theirs).max(axis=1)) < 1e-3


@needs_python_peers
def test_tflite_micro_scores_each_label_of_a_multi_label_bundle(multi_label_bundles, run_folder):
    loaded = read_bundle(multi_label_bundles / "micro")
    model = TFLiteModel(loaded.model, loaded.fixed_length)
    texts = read_test_texts(run_folder)
    ids = [loaded.vocabulary.encode(text).ids for text in texts[:40]]
    padded = [row + [0] * (loaded.fixed_length - len(row)) for row in ids]
    theirs = run_peer((PEERS, "-c", MICRO), loaded.path / "model.tflite", padded)
    ours = [model.run(row, loaded.vocabulary.trailing_padding) for row in ids]
    assert np.abs(np.array(theirs) - ours).max() <= logit_step(loaded.model) / 4 + 1 / 256
