"""Exports of runs that were trained without word vectors."""

import pytest

from glovelite.runtime.bundle import NGRAM_BUNDLE, NGRAMS_FILE, read_bundle
from tests.helpers import convert


def test_a_bundle_has_all_pieces_and_the_weights_of_ngrams(exported, trained):
    bundle, run = read_bundle(exported("characters")), trained("characters")
    assert bundle.manifest["format"] == NGRAM_BUNDLE
    assert bundle.vocabulary.to_json() == (run / "vocab.json").read_text("utf-8")
    assert bundle.ngrams.to_bytes() == (run / NGRAMS_FILE).read_bytes()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--mediapipe",), "--no-ngrams"),
        (("--emit-c", "--quantize", "int8"), "--no-ngrams"),
        (("--integer-output", "--quantize", "int8"), "--no-ngrams"),
        (("--listed-words", 900), "fewer --pieces"),
        (("--hashed-words", 900), "fewer --pieces"),
        (("--max-size", "300kB", "--listed-words", 900), "fewer --pieces"),
        (("--max-size", "300kB", "--emit-c"), "--no-ngrams"),
        (("--max-size", "300kB", "--integer-output"), "--no-ngrams"),
    ],
)
def test_what_needs_words_or_the_model_alone_is_refused(trained, tmp_path, options, problem):
    failed = convert(
        "export", trained("characters"), "--out", tmp_path / "b", *options, check=False
    )
    assert failed.returncode == 1
    assert problem in failed.stderr.splitlines()[-1]


@pytest.mark.nightly
def test_a_search_within_a_budget_keeps_all_pieces(trained, tmp_path):
    convert("export", trained("characters"), "--out", tmp_path / "b", "--max-size", "300kB")
    bundle = read_bundle(tmp_path / "b")
    assert bundle.vocabulary.is_of_pieces
    assert sum(entry["bytes"] for entry in bundle.manifest["files"].values()) < 300_000
