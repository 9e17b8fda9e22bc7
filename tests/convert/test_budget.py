"""A budget is read, searched and kept; what there was is left on record."""

import json

import pytest
from helpers import GLOSSES, SLICE, convert, train
from hypothesis import given
from hypothesis import strategies as st

from convert.errors import BudgetError, ConversionError
from convert.search.budget import (
    Budget,
    Candidate,
    frontier,
    parse_size,
    parse_time,
    rank_candidates,
)
from convert.search.search import Field, choose_field
from runtime import Classifier


def candidate(
    bytes_=1000, accuracy=0.9, agreement=0.9, microseconds=50.0, texts=100, difference=0.01
):
    right = tuple(place < round(accuracy * texts) for place in range(texts))
    measured = (bytes_, accuracy, agreement, difference, microseconds, right)
    return Candidate("int4", "conv", 500, 32, *measured)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("300kB", 300_000), ("300 kb", 300_000), ("300K", 300_000), ("1.5 MB", 1_500_000)),
        *((".5MB", 500_000), ("500KiB", 512_000), ("700B", 700), ("1GB", 10**9)),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "time"), [("50us", 50), ("50 µs", 50), ("1.5ms", 1500), ("1s", 1e6)]
)
def test_times_are_read(text, time):
    assert parse_time(text) == time


@given(st.text())
def test_anything_else_is_refused_with_an_example(text):
    for parse, example in ((parse_size, "300kB"), (parse_time, "50us")):
        try:
            assert parse(text) > 0
        except ValueError as error:
            assert example in str(error)


@pytest.mark.parametrize(
    "text", ["300", "0kB", "0.5B", "-5kB", "1e3kB", "kB", "50s", "9" * 400 + "MB"]
)
def test_units_are_not_guessed(text):
    with pytest.raises(ValueError, match="expected something like"):
        parse_size(text)


def test_what_is_over_budget_is_not_taken():
    small, large = candidate(900, 0.5), candidate(1100, 0.99)
    assert rank_candidates([small, large], Budget(1000)) == [small]
    assert rank_candidates([small, large], Budget())[0] == large


def test_a_lead_beyond_chance_is_taken():
    better, worse = candidate(accuracy=0.9, agreement=0.5), candidate(accuracy=0.7, agreement=0.99)
    assert rank_candidates([worse, better], Budget())[0] == better


def test_a_lead_that_chance_explains_gives_way_to_agreement():
    lucky, faithful = candidate(accuracy=0.91, agreement=0.9), candidate(agreement=0.97)
    assert rank_candidates([lucky, faithful], Budget())[0] == faithful


def test_of_equals_the_nearer_to_the_trained_model_is_taken():
    near, far = candidate(1000, difference=0.01), candidate(900, difference=0.05)
    assert rank_candidates([far, near], Budget())[0] == near


def test_of_equals_in_all_the_smaller_is_taken():
    assert rank_candidates([candidate(1000), candidate(900)], Budget())[0].bytes == 900


def test_where_nothing_fits_the_closest_is_named():
    with pytest.raises(BudgetError, match=r"within 500 bytes and 10 µs; the closest .* 600 bytes"):
        rank_candidates([candidate(600, microseconds=9), candidate(5000)], Budget(500, 10))


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1)), min_size=1))
def test_the_frontier_rises_and_beats_all_that_is_not_on_it(pairs):
    measured = [candidate(size, accuracy) for size, accuracy in pairs]
    edge = frontier(measured)
    assert edge == sorted(edge, key=lambda each: each.bytes)
    assert all(a.accuracy < b.accuracy for a, b in zip(edge, edge[1:]))
    for each in measured:
        assert any(e.bytes <= each.bytes and e.accuracy >= each.accuracy for e in edge)


@pytest.fixture(scope="module")
def searched(run_folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("searched") / "bundle"
    options = ("--out", target, "--max-size", "60kB", "--max-latency", "100ms")
    done = convert("export", run_folder, *options, "--json")
    return target, json.loads(done.stdout), done.stderr


def test_the_bundle_found_is_within_and_answers(searched):
    bundle, answer, _ = searched
    assert answer["total_bytes"] <= 60_000
    assert answer["total_bytes"] > 50_000  # the budget is used
    files = ("model.tflite", "vocab.json", "manifest.json")
    assert answer["total_bytes"] == sum((bundle / name).stat().st_size for name in files)
    prediction = Classifier.load(bundle).predict("a small wild bird that sings at night")[0]
    assert prediction.label == "animal"


def test_candidates_are_measured_as_they_turn_out(searched):
    bundle, answer, said = searched
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    record = json.loads((bundle / "candidates.json").read_text("utf-8"))
    assert record["candidates"] == answer["candidates"]
    assert record["budget"] == {"max_bytes": 60_000, "max_microseconds": 100_000}
    taken = record["taken"]
    assert taken in record["candidates"]
    assert (taken["recipe"], taken["layout"]) == (manifest["recipe"], manifest["layout"])
    assert taken["accuracy"] == pytest.approx(manifest["accuracy"]["dev"]["device"], abs=1e-6)
    assert taken["bytes"] == answer["total_bytes"]
    assert all(each["microseconds"] > 0 for each in answer["candidates"])
    assert {each["recipe"] for each in answer["candidates"]} >= {"dynamic", "int4", "int8"}
    assert said.count(" µs") >= len(answer["candidates"])


def test_the_record_is_for_people_too(searched):
    bundle, _, _ = searched
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "## Chosen from" in card
    assert "Of those within 60,000 bytes and 100000 µs" in card
    assert " ←" in card
    assert (bundle / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_no_budget_that_small(run_folder, tmp_path):
    options = ("--quantize", "int4", "--layout", "conv", "--dimensions", 32)
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-size", "5kB", *options), check=False
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
    assert (manifest["dimensions"], manifest["words"]) == (48, 2180)
    assert len(Classifier.load(tmp_path / "b").bundle.vocabulary.tokens) == 900
    assert json.loads(done.stdout)["fidelity"]["test"]["device"] > 0.85
    assert "900 tokens of English, of 2,180 in training" in (
        tmp_path / "b/MODEL_CARD.md"
    ).read_text("utf-8")


def test_a_folded_table_has_no_dimensions_to_leave_out(run_folder, tmp_path):
    options = ("--layout", "folded", "--dimensions", 48)
    done = convert("export", run_folder, "--out", tmp_path / "b", *options, check=False)
    assert done.returncode == 1
    assert "the folded layout has no dimensions to reduce" in done.stderr


@pytest.fixture(scope="module")
def lstm_run(tmp_path_factory):
    target = tmp_path_factory.mktemp("lstm") / "run"
    few = ("--glove", SLICE, "--epochs", 2, "--architecture", "conv-lstm")
    train(GLOSSES, *few, "--out", target)
    return target


def test_a_conv_lstm_is_searched_by_recipe(lstm_run, tmp_path):
    options = ("--max-size", "400kB", "--quantize", "dynamic", "--json")
    done = convert("export", lstm_run, "--out", tmp_path / "b", *options)
    assert len(json.loads(done.stdout)["candidates"]) == 1
    for settled in (("--max-words", 100), ("--dimensions", 32), ("--layout", "folded")):
        done = convert(
            *("export", lstm_run, "--out", tmp_path / "c", "--max-size", "400kB", *settled),
            check=False,
        )
        assert done.returncode == 1
        assert "conv-lstm" in done.stderr


def test_no_gate_within_a_budget(run_folder, tmp_path):
    settled = ("--quantize", "int4", "--layout", "conv", "--dimensions", 2, "--max-words", 20)
    command = ("export", run_folder, "--out", tmp_path / "b", "--max-size", "100kB", *settled)
    convert(*command, "--no-gate")
    assert (tmp_path / "b/model.tflite").exists()
    done = convert(*command, "--max-accuracy-drop", 1, "--overwrite", check=False)
    assert done.returncode == 1
    assert "lost too much" in done.stderr


def test_nan_is_not_a_number_of_points(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-accuracy-drop", "nan"), check=False
    )
    assert done.returncode == 1
    assert "from 0 to 100 points" in done.stderr
