"""read_bundle checks every byte before the interpreter sees it."""

import json
import shutil

import pytest

from glovelite import (
    BundleDamagedError,
    BundleMissingError,
    BundleVersionError,
    Classifier,
    InterpreterError,
)
from glovelite.runtime.bundle import (
    BUNDLE_FORMAT,
    HASHED_WORDS_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    VOCABULARY_FILE,
    describe_file,
    read_bundle,
)
from tests.helpers import read_json
from tools.damages import SPECIAL_FILES

CHECKED_FILES = [MODEL_FILE, VOCABULARY_FILE, HASHED_WORDS_FILE]
ALL_FILES = [*CHECKED_FILES, MANIFEST_FILE]


@pytest.fixture
def copy(hashed_bundle, tmp_path):
    return shutil.copytree(hashed_bundle, tmp_path / "copy")


def update_manifest(folder, **changes):
    manifest = read_json(folder / MANIFEST_FILE)
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, **changes}), "utf-8")


def test_read_bundle_returns_model_vocabulary_and_manifest(bundle):
    content = read_bundle(bundle)
    assert content.model[4:8] == b"TFL3"
    assert content.vocabulary.labels == ("animal", "food", "person", "plant")
    assert content.fixed_length is None


def test_load_reports_a_missing_folder(tmp_path):
    with pytest.raises(BundleMissingError, match="does not exist"):
        Classifier.load(tmp_path / "none")


def test_load_reports_a_file_instead_of_a_folder(bundle):
    with pytest.raises(BundleMissingError, match="not a bundle folder"):
        Classifier.load(bundle / MODEL_FILE)


@pytest.mark.parametrize("name", ALL_FILES)
def test_load_names_a_missing_file(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleMissingError, match=name):
        Classifier.load(copy)


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_load_names_a_truncated_file(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleDamagedError, match=rf"{name} has \d+ bytes"):
        Classifier.load(copy)


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_load_detects_one_flipped_bit(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 3] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleDamagedError, match=f"{name} is not the file"):
        Classifier.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 0}', b"\xff", b"[" * 99999])
def test_load_reports_a_damaged_manifest(copy, content):
    (copy / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(BundleDamagedError, match=MANIFEST_FILE):
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
        {"abstention": {"labels": {"animal": 2}}},
        {"abstention": {"labels": ["animal"]}},
        {"abstention": {"familiarity": {"typical": 16}}},
        {"abstention": {"familiarity": {"penalty": -1}}},
        {"abstention": {"familiarity": None}},
    ],
)
def test_load_rejects_invalid_manifest_fields(copy, change):
    update_manifest(copy, **change)
    with pytest.raises(BundleDamagedError, match=MANIFEST_FILE):
        Classifier.load(copy)


@pytest.mark.parametrize("name", CHECKED_FILES)
@pytest.mark.parametrize(
    "wrong", [{"bytes": True}, {"bytes": 1.0}, {"bytes": -1}, {"bytes": 1 << 60}, {"sha256": "\n"}]
)
def test_load_rejects_invalid_sizes_and_hashes(copy, name, wrong):
    files = read_bundle(copy).manifest["files"]
    update_manifest(copy, files={**files, name: {**files[name], **wrong}})
    with pytest.raises(BundleDamagedError, match=f"bytes and sha256 of {name}"):
        Classifier.load(copy)


def test_load_ignores_paths_in_the_manifest(copy, tmp_path):
    """A path in the manifest that leaves the folder is ignored."""
    files = read_bundle(copy).manifest["files"]
    (copy / MODEL_FILE).rename(tmp_path / "outside.tflite")
    outside = {
        "../outside.tflite": files[MODEL_FILE],
        MODEL_FILE: {**files[MODEL_FILE], "path": "../outside"},
    }
    update_manifest(copy, files={**files, **outside})
    with pytest.raises(BundleMissingError, match=MODEL_FILE):
        Classifier.load(copy)


@pytest.mark.parametrize("name", ALL_FILES)
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a link to itself", "/dev/zero"])
def test_load_reads_regular_files_only(copy, name, kind):
    (copy / name).unlink()
    SPECIAL_FILES[kind](copy / name)
    with pytest.raises(BundleMissingError, match=name):
        Classifier.load(copy)


@pytest.mark.parametrize("name", ALL_FILES)
def test_load_rejects_an_oversized_file_without_reading_it(copy, name):
    SPECIAL_FILES["a hole of 8 GB"](copy / name)
    with pytest.raises(BundleDamagedError, match=f"{name} has 8589934592 bytes"):
        Classifier.load(copy)


def test_load_rejects_a_vocabulary_larger_than_the_model(copy):
    content = read_json(copy / VOCABULARY_FILE)
    content["tokens"] += [f"ünheardof{number}" for number in range(9)]
    content["familiarity"]["listed"] += "0" * 9
    written = json.dumps(content).encode()
    (copy / VOCABULARY_FILE).write_bytes(written)
    files = read_json(copy / MANIFEST_FILE)["files"]
    update_manifest(copy, files={**files, VOCABULARY_FILE: describe_file(written)})
    with pytest.raises(InterpreterError, match="out of bounds"):
        Classifier.load(copy)


def test_predict_never_abstains_without_thresholds_in_the_manifest(copy):
    update_manifest(copy, abstention={})
    (prediction,) = Classifier.load(copy).predict("zyxq wvut")
    assert not prediction.abstained
    assert prediction.known == 0


def test_load_reports_a_newer_format(copy):
    update_manifest(copy, format=BUNDLE_FORMAT + 1)
    with pytest.raises(BundleVersionError, match="update glovelite"):
        Classifier.load(copy)


def test_load_does_not_need_the_model_card(copy):
    (copy / "MODEL_CARD.md").unlink()
    assert Classifier.load(copy).predict("a small bird")


def test_load_rejects_an_index_with_ids_beyond_the_vocabulary(copy):
    content = bytearray((copy / HASHED_WORDS_FILE).read_bytes())
    content[-2:] = b"\xff\xff"
    (copy / HASHED_WORDS_FILE).write_bytes(content)
    files = read_json(copy / MANIFEST_FILE)["files"]
    update_manifest(copy, files={**files, HASHED_WORDS_FILE: describe_file(bytes(content))})
    with pytest.raises(BundleDamagedError, match=r"hashed_words.bin: an id is not from 2 to 399"):
        Classifier.load(copy)


def test_hashed_words_are_known(hashed_bundle, bundle):
    vocabulary = read_bundle(hashed_bundle).vocabulary
    tokens = [t for t in read_bundle(bundle).vocabulary.tokens if t not in vocabulary.tokens]
    hashed = [token for token in tokens if vocabulary.hashed.find(token, 1) > 1]
    assert vocabulary.hashed_count == len(hashed) == 1000
    (prediction,) = Classifier.load(hashed_bundle).predict(f"{hashed[0]} {hashed[-1]} zyxq wvut")
    assert prediction.known == 0.5
