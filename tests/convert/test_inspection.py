"""`inspect`, `verify` and `compare`: what a person can ask of a bundle."""

import json
import shutil

import pytest
from helpers import GLOSSES, convert


def test_inspect_shows_what_the_bundle_holds(bundle):
    said = convert("inspect", bundle).stdout
    for part in ("GATHER", "CONV_2D", "2180 × 100", "sha256", "dynamic", "dev", "test", "glosses"):
        assert part in said


def test_inspect_in_json_adds_up(bundle):
    answer = json.loads(convert("inspect", bundle, "--json").stdout)
    tensors = answer["contents"]["tensors"]
    model = answer["manifest"]["files"]["model.tflite"]["bytes"]
    assert 0.9 * model < sum(tensor["bytes"] for tensor in tensors) < model
    assert tensors[0]["bytes"] == 2180 * 100
    assert tensors[0]["dtype"] == "INT8"


def test_verify_replays_the_goldens(bundle):
    said = convert("verify", bundle).stdout
    assert "hashes right; 13 golden texts replayed on tflite-runtime 2.14.0" in said


def test_verify_measures_on_the_users_text(bundle, run_folder):
    answer = json.loads(convert("verify", bundle, "--data", GLOSSES, "--json").stdout)
    accuracy = answer["accuracy"]
    assert accuracy["texts"] == 2000
    assert 0.8 < accuracy["low"] < accuracy["accuracy"] < accuracy["high"] < 1
    said = convert("verify", bundle, "--data", run_folder / "test.jsonl").stdout
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert f"accuracy {manifest['accuracy']['test']['device']:.2%}" in said


def test_verify_finds_another_answer_and_another_byte(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
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
def test_verify_refuses_a_bundle_it_cannot_check(bundle, tmp_path, goldens):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest.pop("recipe")
    (copy / "manifest.json").write_text(json.dumps({**manifest, "goldens": goldens}), "utf-8")
    done = convert("verify", copy, check=False)
    assert done.returncode == 1
    assert "has no golden texts to replay" in done.stderr
    done = convert("inspect", copy, check=False)
    assert done.returncode == 1
    assert "the manifest is not whole" in done.stderr


def test_inspect_shows_nothing_that_a_terminal_obeys(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["trained"]["corpus"]["name"] = "a\x1b[2Jb\nc"
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert "trained on a\ufffd[2Jb\ufffdc with" in convert("inspect", copy).stdout


def test_compare_sets_two_bundles_side_by_side(bundle, float_bundle):
    said = convert("compare", bundle, float_bundle, "--data", GLOSSES, "--json").stdout
    answer = json.loads(said)
    assert answer["bytes"][0] < 0.3 * answer["bytes"][1]
    assert answer["texts"] == 2000
    assert answer["agreement"] > 0.98
    assert answer["chance"] > 0.05
    said = convert("compare", bundle, float_bundle).stdout
    assert "of 13 texts" in said


def test_compare_needs_the_same_labels(bundle, binary_bundle):
    done = convert("compare", bundle, binary_bundle, check=False)
    assert done.returncode == 1
    assert "has the labels" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "the first row should name text and label"),
        ("text,label\nx,mineral\n", "line 2: label 'mineral' is not one of"),
        ("text,label\nx\n", "line 2: more or fewer"),
        ('text,label\nx,animal\n"y,animal\n', "d.csv, line"),
        ("text,label\n", "is empty"),
    ],
)
def test_text_that_cannot_be_measured_on(bundle, tmp_path, content, said):
    (tmp_path / "d.csv").write_text(content)
    done = convert("verify", bundle, "--data", tmp_path / "d.csv", check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
