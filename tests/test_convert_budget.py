"""A budget is read, searched and kept; what there was is left on record."""

import json

import pytest
from conftest import convert
from hypothesis import given
from hypothesis import strategies as st

from convert.budget import (
    Budget,
    Candidate,
    frontier,
    parse_size,
    parse_time,
    rank_candidates,
)
from convert.errors import BudgetError, ConversionError
from convert.search import Field, choose_field
from runtime import Classifier


def candidate(
    bytes_=1000, accuracy=0.9, agreement=0.9, microseconds=50.0, texts=100, difference=0.01
):
    right = tuple(place < round(accuracy * texts) for place in range(texts))
    return Candidate(
        *("int4", "conv", 500, 32, bytes_),
        *(accuracy, agreement, difference, microseconds, right),
    )

    assert done.returncode == 1
    assert (
        "no bundle is within 5,000 bytes; the closest is int4 conv, 256 words × 32" in done.stderr
    )
    assert not (tmp_path / "b").exists()


def test_what_is_settled_stays_settled():
    assert choose_field("int4", "conv", 900, 48) == Field(("int4",), ("conv",), 900, (48,))
    assert choose_field(None, "auto", None, None) == Field()
    assert choose_field(None, None, None, 48).layouts == ("conv",)
    with pytest.raises(ConversionError, match="no dimensions to reduce"):
        choose_field(None, "folded", None, 48)


def test_a_budget_is_for_plain_bundles(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-size", "1MB", "--mediapipe"),
        check=False,
    )
    assert done.returncode == 1
    assert "search first" in done.stderr


def test_a_size_without_a_unit_is_wrong_usage(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-size", "300"), check=False
    )
    assert done.returncode == 2
    assert "expected something like 300kB" in done.stderr


def test_words_and_dimensions_by_hand(run_folder, tmp_path):
    options = ("--max-words", 900, "--dimensions", 48, "--quantize", "int4", "--json")
    done = convert("export", run_folder, "--out", tmp_path / "b", *options)
    manifest = json.loads((tmp_path / "b/manifest.json").read_text("utf-8"))
    assert (manifest["dimensions"], manifest["words"]) == (48, 2080)
    assert len(Classifier.load(tmp_path / "b").bundle.vocabulary.tokens) == 900
    assert json.loads(done.stdout)["fidelity"]["test"]["device"] > 0.85
    assert "900 tokens of English, of 2,080 in training" in (
        tmp_path / "b/MODEL_CARD.md"
    ).read_text("utf-8")


def test_a_folded_table_has_no_dimensions_to_leave_out(run_folder, tmp_path):
    options = ("--layout", "folded", "--dimensions", 48)
    done = convert("export", run_folder, "--out", tmp_path / "b", *options, check=False)
    assert done.returncode == 1
    assert "the folded layout has no dimensions to reduce" in done.stderr
