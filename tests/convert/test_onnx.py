"""The model of a bundle as ONNX, on onnxruntime: every form of the weights, batches of texts."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from glovelite.convert import EngineError, write_onnx
from glovelite.convert.targets.onnx_model import build_model
from glovelite.runtime.bundle import Bundle, read_bundle
from glovelite.runtime.errors import BundleDamagedError
from glovelite.runtime.self_test import read_golden_texts
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.c_engine import random_weights, shared_and_full_weights
from tests.helpers import ALL_DIMENSIONS, convert
from tests.multi_label import update_manifest


def run(session, vocabulary, texts):
    """Return the probabilities of several texts, padded to the longest."""
    encoded = [vocabulary.encode(text).ids for text in texts]
    length = max(map(len, encoded)) + vocabulary.trailing_padding
    ids = np.array([row + [0] * (length - len(row)) for row in encoded], np.int64)
    (probabilities,) = session.run(None, {"ids": ids})
    return probabilities


@pytest.mark.parametrize(
    ("run_name", "options"),
    [
        ("glosses", ()),
        ("glosses", ("--quantize", "int4")),
        ("two", ("--quantize", "float32")),
        pytest.param(
            "wide", ("--layout", "folded", "--quantize", "float16"), marks=pytest.mark.slow
        ),
        pytest.param("article", ALL_DIMENSIONS, marks=pytest.mark.slow),
        ("pairs", ALL_DIMENSIONS),
    ],
    ids=str,
)
def test_golden_texts_have_their_probabilities(exported, tmp_path, run_name, options):
    bundle = read_bundle(exported(run_name, *options))
    written = write_onnx(bundle.path, tmp_path / "m.onnx")
    goldens = read_golden_texts(bundle)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    found = run(session, bundle.vocabulary, [golden.text for golden in goldens])
    expected = np.array([golden.probabilities for golden in goldens])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert written.largest_difference < 1e-3
    properties = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(properties["labels"])) == bundle.vocabulary.labels


def test_shared_columns_give_what_a_column_for_each_output_does():
    labels = tuple(f"label {number}" for number in range(40))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "a", "small", "bird"), labels, 9, 2)
    bundle = Bundle(Path("bundle"), {}, vocabulary, b"")
    found = []
    for given in shared_and_full_weights(vocabulary):
        model = build_model(bundle, replace(random_weights(vocabulary), **given))
        session = onnxruntime.InferenceSession(model.SerializeToString())
        found.append(run(session, vocabulary, ["", "a small bird", "a bird"]))
    assert found[0].shape == (3, 40)
    np.testing.assert_allclose(*found, atol=1e-5)


def test_a_tolerance_that_is_no_number_is_refused(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "b")
    update_manifest(copy, tolerance="much")
    with pytest.raises(BundleDamagedError, match="'tolerance' is not a number"):
        write_onnx(copy, tmp_path / "m.onnx")


def test_the_command_replaces_a_file_only_if_asked(bundle, tmp_path):
    command = ("onnx", bundle, "--out", tmp_path / "m.onnx")
    assert "golden texts within" in convert(*command).stdout
    done = convert(*command, check=False)
    assert "m.onnx exists: choose another file, or --overwrite it" in done.stderr
    assert json.loads(convert(*command, "--overwrite", "--json").stdout)["bytes"] > 100_000


def test_what_onnx_cannot_have_is_refused(exported, tmp_path):
    for run_name, options, message in (
        ("glosses", ("--quantize", "int8", *ALL_DIMENSIONS), "whose arithmetic is TFLite's own"),
        ("lstm", ("--quantize", "float32"), "is a conv-lstm model"),
    ):
        with pytest.raises(EngineError, match=message):
            write_onnx(exported(run_name, *options), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
