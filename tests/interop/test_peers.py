"""MediaPipe's TextClassifier and TFLite Micro run our models unchanged.

They are installed in an environment of their own, which `make test-peers` creates.
"""

import json
import os

import numpy as np
import pytest
from helpers import convert, run
from multi_label import write_multi_label_bundle

from convert.tflite.tflite_file import schema
from convert.verify.device import run_on_device
from runtime.bundle import read_bundle
from runtime.interpreter import TFLiteModel

PEERS = os.environ.get("GLOVELITE_PEERS_PYTHON")
pytestmark = pytest.mark.skipif(not PEERS, reason="needs mediapipe: run `make test-peers`")

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


def run_peer(program, model, lines):
    done = run(
        PEERS, "-c", program, model, input="".join(json.dumps(each) + "\n" for each in lines)
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


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


ONE_TOKEN = ("run_folder", "binary_run_folder")  # runs with a convolution of one token
HASHED = ("--listed-words", 400, "--hashed-words", 1000)
KINDS = ("run_folder", "binary_run_folder", "wide_run", "lstm_run")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options", [(), ("--layout", "folded"), ("--quantize", "int4"), HASHED], ids=str
)
def test_mediapipe_predicts_the_same_labels(kind, options, request, tmp_path):
    if kind == "lstm_run" and (options == HASHED or "folded" in options):
        pytest.skip("conv-lstm has no folded layout and lists all its words")
    folder = request.getfixturevalue(kind)
    bundle = tmp_path / "bundle"
    convert("export", folder, "--out", bundle, "--mediapipe", "--no-gate", *options)
    labels = read_bundle(bundle).vocabulary.labels
    records = [json.loads(line) for line in (folder / "test.jsonl").open(encoding="utf-8")]
    texts = [*UNUSUAL_TEXTS, *vary_spelling([record["text"] for record in records])]
    ours = run_on_device(bundle, texts)
    theirs = np.array(
        [
            [each[label] for label in labels]
            for each in run_peer(MEDIAPIPE, bundle / "model.tflite", texts)
        ]
    )
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    assert np.mean(same) >= 0.995, [text for text, each in zip(texts, same) if not each]
    # MediaPipe's newer interpreter rounds an 8-bit one-token convolution differently.
    exact = 1e-3 if kind in ONE_TOKEN and options in ((), HASHED) else 1e-5
    assert np.median(np.abs(ours - theirs).max(axis=1)) < exact


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
    texts = [json.loads(line)["text"] for line in (folder / "test.jsonl").open(encoding="utf-8")]
    ids = [loaded.vocabulary.encode(text).ids for text in ["", *texts[:40]]]
    padded = [each + [0] * (loaded.fixed_length - len(each)) for each in ids]
    theirs = run_peer(MICRO, bundle / "model.tflite", padded)
    ours = [model.run(each, loaded.vocabulary.trailing_padding) for each in ids]
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


def test_mediapipe_scores_each_label_of_a_multi_label_bundle(multi_label_bundles, run_folder):
    bundle = multi_label_bundles / "mediapipe"
    labels = read_bundle(bundle).vocabulary.labels
    texts = [
        json.loads(line)["text"] for line in (run_folder / "test.jsonl").open(encoding="utf-8")
    ]
    ours = run_on_device(bundle, texts)
    scores = run_peer(MEDIAPIPE, bundle / "model.tflite", texts)
    theirs = np.array([[each[label] for label in labels] for each in scores])
    assert np.abs(ours.sum(axis=1) - 1).max() > 0.1
    assert np.median(np.abs(ours - theirs).max(axis=1)) < 1e-3


def test_tflite_micro_scores_each_label_of_a_multi_label_bundle(multi_label_bundles, run_folder):
    loaded = read_bundle(multi_label_bundles / "micro")
    model = TFLiteModel(loaded.model, loaded.fixed_length)
    texts = [
        json.loads(line)["text"] for line in (run_folder / "test.jsonl").open(encoding="utf-8")
    ]
    ids = [loaded.vocabulary.encode(text).ids for text in texts[:40]]
    padded = [each + [0] * (loaded.fixed_length - len(each)) for each in ids]
    theirs = run_peer(MICRO, loaded.path / "model.tflite", padded)
    ours = [model.run(each, loaded.vocabulary.trailing_padding) for each in ids]
    assert np.abs(np.array(theirs) - ours).max() <= logit_step(loaded.model) / 4 + 1 / 256
