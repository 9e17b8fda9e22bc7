"""A bundle is checked byte by byte before the interpreter sees it."""

import json
import shutil

import pytest
from damages import SPECIAL

from runtime import (
    BundleDamagedError,
    BundleMissingError,
    BundleVersionError,
    Classifier,
    InterpreterError,
)
from runtime.bundle import MANIFEST, MODEL, VOCABULARY, describe_file, read_bundle


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "copy")


def change_manifest(folder, **changes):
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}), "utf-8")


def test_a_whole_bundle_is_read(bundle):
    content = read_bundle(bundle)
    assert content.model[4:8] == b"TFL3"
    assert content.vocabulary.labels == ("animal", "food", "person", "plant")
    assert content.fixed_length is None


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BundleMissingError, match="does not exist"):
        Classifier.load(tmp_path / "none")


def test_a_file_in_place_of_the_folder(bundle):
    with pytest.raises(BundleMissingError, match="not a bundle folder"):
        Classifier.load(bundle / MODEL)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY, MANIFEST])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleMissingError, match=name):
        Classifier.load(copy)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY])
def test_a_truncated_file_is_named(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleDamagedError, match=rf"{name} has \d+ bytes"):
        Classifier.load(copy)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY])
def test_one_altered_byte_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 3] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleDamagedError, match=f"{name} is not the file"):
        Classifier.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 0}', b"\xff", b"[" * 99999])
def test_a_damaged_manifest_is_named(copy, content):
    (copy / MANIFEST).write_bytes(content)
    with pytest.raises(BundleDamagedError, match=MANIFEST):
        Classifier.load(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": None},
        {"input": {"length": -1}},
        {"input": {"length": "9"}},
        {"format": True},
        {"format": "1"},
        {"input": {"length": True}},
        {"input": {"length": 10**9}},
        {"input": {"length": 3}},
        {"abstention": {"probability": True}},
        {"abstention": 0.9},
        {"abstention": {"probability": "0.9"}},
        {"abstention": {"probability": 1.5}},
        {"abstention": {"known": None}},
    ],
)
def test_a_manifest_without_what_the_runtime_needs(copy, change):
    change_manifest(copy, **change)
    with pytest.raises(BundleDamagedError, match=MANIFEST):
        Classifier.load(copy)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY])
@pytest.mark.parametrize(
    "wrong", [{"bytes": True}, {"bytes": 1.0}, {"bytes": -1}, {"bytes": 1 << 60}, {"sha256": "\n"}]
)
def test_sizes_are_counts_and_hashes_are_hashes(copy, name, wrong):
    files = read_bundle(copy).manifest["files"]
    change_manifest(copy, files={**files, name: {**files[name], **wrong}})
    with pytest.raises(BundleDamagedError, match=f"bytes and sha256 of {name}"):
        Classifier.load(copy)


def test_file_names_are_ours_whatever_the_manifest_says(copy, tmp_path):
    """A path that climbs out of the folder is not followed, nor needed."""
    files = read_bundle(copy).manifest["files"]
    (copy / MODEL).rename(tmp_path / "outside.tflite")
    outside = {"../outside.tflite": files[MODEL], MODEL: {**files[MODEL], "path": "../outside"}}
    change_manifest(copy, files={**files, **outside})
    with pytest.raises(BundleMissingError, match=MODEL):
        Classifier.load(copy)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY, MANIFEST])
@pytest.mark.parametrize("what", ["a pipe", "a folder", "a link to itself", "/dev/zero"])
def test_what_is_no_plain_file_is_not_read(copy, name, what):
    (copy / name).unlink()
    SPECIAL[what](copy / name)
    with pytest.raises(BundleMissingError, match=name):
        Classifier.load(copy)


@pytest.mark.parametrize("name", [MODEL, VOCABULARY, MANIFEST])
def test_a_file_far_too_large_is_refused_unread(copy, name):
    SPECIAL["a hole of 8 GB"](copy / name)
    with pytest.raises(BundleDamagedError, match=f"{name} has 8589934592 bytes"):
        Classifier.load(copy)


def test_a_vocabulary_of_more_words_than_the_model_is_refused(copy):
    content = json.loads((copy / VOCABULARY).read_text("utf-8"))
    content["tokens"].append("ünheardof")
    written = json.dumps(content).encode()
    (copy / VOCABULARY).write_bytes(written)
    files = json.loads((copy / MANIFEST).read_text("utf-8"))["files"]
    change_manifest(copy, files={**files, VOCABULARY: describe_file(written)})
    with pytest.raises(InterpreterError, match="out of bounds"):
        Classifier.load(copy)


def test_a_bundle_that_states_no_abstention_answers_everything(copy):
    change_manifest(copy, abstention={})
    (prediction,) = Classifier.load(copy).predict("zyxq wvut")
    assert not prediction.abstained
    assert prediction.known == 0


def test_a_newer_bundle_asks_for_an_update(copy):
    change_manifest(copy, format=2)
    with pytest.raises(BundleVersionError, match="update glovelite"):
        Classifier.load(copy)


def test_the_model_card_is_not_needed_on_the_device(copy):
    (copy / "MODEL_CARD.md").unlink()
    assert Classifier.load(copy).predict("a small bird")
