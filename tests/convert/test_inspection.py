"""The commands inspect, verify and compare."""

import json
import shutil

import numpy as np
import pytest

from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.interpreter import list_interpreters
from tests.helpers import GLOSSES, LEGACY_BUNDLE, convert, read_json
from tools.damages import forge_model


def test_inspect_shows_operators_tensors_and_accuracy(bundle):
    output = convert("inspect", bundle).stdout
    rows = len(read_bundle(bundle).vocabulary.tokens)
    for part in (
        "GATHER",
        "CONV_2D",
        f"{rows} × 48",
        "sha256",
        "dynamic",
        "dev",
        "test",
        "glosses",
    ):
        assert part in output


def test_inspect_counts_listed_and_hashed_words(hashed_bundle):
    assert "400 words listed, 1,000 hashed" in convert("inspect", hashed_bundle).stdout


def test_inspect_json_lists_all_tensors(bundle):
    answer = json.loads(convert("inspect", bundle, "--json").stdout)
    tensors = answer["contents"]["tensors"]
    model = answer["manifest"]["files"]["model.tflite"]["bytes"]
    assert 0.8 * model < sum(tensor["bytes"] for tensor in tensors) < model
    assert tensors[0]["bytes"] == len(read_bundle(bundle).vocabulary.tokens) * 48
    assert tensors[0]["dtype"] == "INT8"


def test_inspect_refuses_or_shows_a_forged_model(bundle, tmp_path):
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    statuses = set()
    for number in range(100):
        folder = shutil.copytree(bundle, tmp_path / str(number))
        for name, content in forge_model(number, files).changed.items():
            (folder / name).write_bytes(content)
        done = convert("inspect", folder, check=False)
        assert len(done.stderr.splitlines()) == done.returncode
        statuses.add(done.returncode)
    assert statuses == {0, 1}


def test_verify_replays_the_golden_texts_on_each_interpreter(bundle):
    first, *lines = convert("verify", bundle).stdout.splitlines()
    assert first.endswith("hashes correct")
    replayed = [line.split(", largest difference ")[0] for line in lines]
    assert "14 golden texts replayed on tflite-runtime 2.14.0" in replayed
    assert f"14 golden texts replayed on numpy engine (numpy {np.__version__})" in replayed
    assert len(replayed) == len(list_interpreters())


def test_a_bundle_of_version_0_1_0_verifies_on_each_interpreter():
    answer = json.loads(convert("verify", LEGACY_BUNDLE, "--json").stdout)
    assert [test["goldens"] for test in answer["self_tests"]] == [13] * len(list_interpreters())


def test_verify_replays_on_the_selected_interpreter_alone(bundle, monkeypatch):
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "numpy")
    answer = json.loads(convert("verify", bundle, "--json").stdout)
    (self_test,) = answer["self_tests"]
    assert self_test["interpreter"].startswith("numpy engine")
    assert self_test["largest_difference"] < 0.02


def test_verify_detects_changed_predictions_and_bytes(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = read_json(copy / "manifest.json")
    manifest["goldens"][1]["probabilities"].reverse()
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = convert("verify", copy, check=False)
    assert done.returncode == 1
    assert 'golden text "It wasn\'t GOOD, it was great!" differs by' in done.stderr
    (copy / "vocab.json").write_bytes((copy / "vocab.json").read_bytes() + b" ")
    done = convert("verify", copy, check=False)
    assert done.returncode == 1
    assert "vocab.json has" in done.stderr


@pytest.mark.parametrize(
    "goldens", [None, [], [1], [{"text": "x", "ids": [], "probabilities": ["a"]}]]
)
def test_verify_rejects_a_bundle_without_golden_texts(bundle, tmp_path, goldens):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = read_json(copy / "manifest.json")
    manifest.pop("recipe")
    (copy / "manifest.json").write_text(json.dumps({**manifest, "goldens": goldens}), "utf-8")
    done = convert("verify", copy, check=False)
    assert done.returncode == 1
    assert "has no golden texts to replay" in done.stderr
    done = convert("inspect", copy, check=False)
    assert done.returncode == 1
    assert "the manifest is incomplete" in done.stderr


def test_inspect_replaces_control_characters(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = read_json(copy / "manifest.json")
    manifest["trained"]["corpus"]["name"] = "a\x1b[2Jb\nc"
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert "trained on a\ufffd[2Jb c with" in convert("inspect", copy).stdout


def test_compare_measures_two_bundles(bundle, float_bundle):
    output = convert("compare", bundle, float_bundle, "--data", GLOSSES, "--json").stdout
    answer = json.loads(output)
    assert answer["bytes"][0] < 0.2 * answer["bytes"][1]
    assert answer["texts"] == 2000
    assert answer["agreement"] > 0.96
    assert 0.001 < answer["p_value"] <= 1
    output = convert("compare", bundle, float_bundle).stdout
    assert "of 14 texts" in output


def test_compare_needs_the_same_labels(bundle, binary_bundle):
    done = convert("compare", bundle, binary_bundle, check=False)
    assert done.returncode == 1
    assert "has the labels" in done.stderr


def test_a_message_holds_no_control_characters(tmp_path):
    done = convert("inspect", tmp_path / "a\x1b[2Jb\nc", check=False)
    assert done.returncode == 1
    assert "a\ufffd[2Jb c" in done.stderr
