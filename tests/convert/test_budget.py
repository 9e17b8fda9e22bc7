"""Budgets: parsing, ranking, the search and its record."""

import json
import zipfile
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import Classifier
from glovelite.convert.candidates import (
    Budget,
    Candidate,
    explain_choice,
    pareto_frontier,
    rank_candidates,
)
from glovelite.convert.manifest import bundle_bytes
from glovelite.convert.options import RECIPES
from glovelite.convert.run_folder import read_run
from glovelite.convert.search.search import SearchSpace, choose_space, describe_in_child
from glovelite.convert.search.sizes import SizeEstimate
from glovelite.convert.worker import run_in_child, worker_pool
from glovelite.data.commands import parse_size, parse_time
from glovelite.runtime.errors import BudgetError, ConversionError
from tests.helpers import convert, read_json


def candidate(
    bytes_=1000, accuracy=0.9, agreement=0.9, microseconds=50.0, texts=100, difference=0.01
):
    correct = tuple(row < round(accuracy * texts) for row in range(texts))
    measured = (bytes_, accuracy, agreement, difference, microseconds, correct)
    return Candidate("int4", "conv", 500, 2500, 32, *measured)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("300kB", 300_000), ("300 kb", 300_000), ("300K", 300_000), ("1.5 MB", 1_500_000)),
        *((".5MB", 500_000), ("500KiB", 512_000), ("700B", 700), ("1GB", 10**9)),
    ],
)
def test_parse_size(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "time"), [("50us", 50), ("50 µs", 50), ("1.5ms", 1500), ("1s", 1e6)]
)
def test_parse_time(text, time):
    assert parse_time(text) == time


@given(st.text())
def test_parsers_reject_anything_else_with_an_example(text):
    for parse, example in ((parse_size, "300kB"), (parse_time, "50us")):
        try:
            assert parse(text) > 0
        except ValueError as error:
            assert example in str(error)


@pytest.mark.parametrize(
    "text", ["300", "0kB", "0.5B", "-5kB", "1e3kB", "kB", "50s", "9" * 400 + "MB"]
)
def test_parse_size_needs_a_unit(text):
    with pytest.raises(ValueError, match="expected something like"):
        parse_size(text)


def test_rank_candidates_drops_those_over_budget():
    small, large = candidate(900, 0.5), candidate(1100, 0.99)
    assert rank_candidates([small, large], Budget(1000)) == [small]
    assert rank_candidates([small, large], Budget())[0] == large


def test_rank_candidates_prefers_a_significant_lead():
    better, worse = candidate(accuracy=0.9, agreement=0.5), candidate(accuracy=0.7, agreement=0.99)
    assert rank_candidates([worse, better], Budget())[0] == better


def test_rank_candidates_prefers_agreement_over_a_lead_by_chance():
    lucky, faithful = candidate(accuracy=0.91, agreement=0.9), candidate(agreement=0.97)
    assert rank_candidates([lucky, faithful], Budget())[0] == faithful


def test_rank_candidates_prefers_smaller_differences():
    near, far = candidate(1000, difference=0.01), candidate(900, difference=0.05)
    assert rank_candidates([far, near], Budget())[0] == near


def test_rank_candidates_prefers_the_smaller_of_equals():
    assert rank_candidates([candidate(1000), candidate(900)], Budget())[0].bytes == 900


def test_explain_choice_names_a_more_accurate_candidate_that_was_lucky():
    lucky, faithful = candidate(accuracy=0.91, agreement=0.9), candidate(agreement=0.97)
    assert explain_choice(faithful, [lucky, faithful], Budget()) == (
        "int4 conv, 500 words × 32, 2,500 hashed is 1.00 points more accurate on dev, which chance "
        "explains (p = 50%); the choice keeps 97.00% of the trained model's labels, that one 90.00%"
    )


def test_explain_choice_says_what_a_smaller_candidate_loses():
    small, best = candidate(700, agreement=0.9), candidate(1000, agreement=0.97)
    assert "300 bytes smaller, but keeps 90.00%" in explain_choice(best, [small, best], Budget())
    assert explain_choice(best, [best, small], Budget(1000)) != explain_choice(
        best, [best, candidate(2000)], Budget(1000)
    )


def test_explain_choice_names_two_numbers_that_differ():
    small = candidate(700, agreement=0.99999, difference=0.02)
    best = candidate(1000, agreement=1.0, difference=0.001)
    assert explain_choice(best, [small, best], Budget()).endswith(
        "300 bytes smaller, but changes probabilities by up to 0.0200 instead of 0.0010"
    )


#: Recipe and layout -> marks of the test, nightly unless named.
ESTIMATED = {
    ("dynamic", "conv"): (),
    ("int4", "conv"): pytest.mark.slow,
    ("int8", "folded"): pytest.mark.slow,
}


@pytest.mark.parametrize(
    ("recipe", "layout"),
    [
        pytest.param(*export, marks=ESTIMATED.get(export, pytest.mark.nightly))
        for export in product(RECIPES, ("conv", "folded"))
    ],
)
def test_size_estimate_is_a_close_upper_bound(run_folder, exported, recipe, layout):
    options = ("--listed-words", 400, "--hashed-words", 1000)  # and no others: `hashed_bundle`
    if (recipe, layout) != ("dynamic", "conv"):
        options += ("--quantize", recipe, "--layout", layout, "--no-gate")
    bundle = exported("glosses", *options)
    with worker_pool():
        facts = run_in_child(describe_in_child, run_folder)
    estimate = SizeEstimate(read_run(run_folder), facts)
    dimensions = RECIPES[recipe].dimensions if layout == "conv" else None
    bound = estimate.total(RECIPES[recipe], layout, dimensions, 400, 1000)
    actual = sum(bundle_bytes(bundle).values())
    assert actual <= bound <= actual + 2_000  # also if no words are corrected


@pytest.mark.slow
def test_size_estimate_for_mediapipe_is_a_close_upper_bound(run_folder, exported):
    words = ("--listed-words", 700, "--hashed-words", 300)
    bundle = exported("glosses", "--mediapipe", *words, "--no-gate")
    with worker_pool():
        facts = run_in_child(describe_in_child, run_folder)
    estimate = SizeEstimate(read_run(run_folder), facts, mediapipe=True)
    bound = estimate.total(RECIPES["dynamic"], "conv", 48, 700, 300)
    actual = sum(bundle_bytes(bundle).values())
    assert actual <= bound <= actual + 3_000


def test_rank_candidates_names_the_closest_over_budget():
    with pytest.raises(BudgetError, match=r"within 500 bytes and 10 µs; the closest .* 600 bytes"):
        rank_candidates([candidate(600, microseconds=9), candidate(5000)], Budget(500, 10))


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1)), min_size=1))
def test_pareto_frontier_dominates_all_candidates(pairs):
    measured = [candidate(size, accuracy) for size, accuracy in pairs]
    edge = pareto_frontier(measured)
    assert edge == sorted(edge, key=lambda point: point.bytes)
    assert all(a.accuracy < b.accuracy for a, b in zip(edge, edge[1:]))
    for point in measured:
        assert any(e.bytes <= point.bytes and e.accuracy >= point.accuracy for e in edge)


@pytest.fixture(scope="module")
def searched(run_folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("searched") / "bundle"
    options = ("--out", target, "--max-size", "60kB", "--max-latency", "100ms")
    few = ("--layout", "conv", "--dimensions", 24)  # not all candidates, as the quickstart has
    done = convert("export", run_folder, *options, *few, "--json")
    return target, json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_search_finds_a_bundle_within_the_budget(searched):
    bundle, answer, _ = searched
    assert answer["total_bytes"] <= 60_000
    assert answer["total_bytes"] > 58_000  # the budget is used up
    files = ("model.tflite", "vocab.json", "hashed_words.bin", "manifest.json")
    assert answer["total_bytes"] == sum((bundle / name).stat().st_size for name in files)
    assert answer["hashed_words"] >= answer["listed_words"]
    prediction = Classifier.load(bundle).predict("a small wild bird that sings at night")[0]
    assert prediction.label == "animal"


@pytest.mark.slow
def test_search_records_the_candidates_as_measured(searched):
    bundle, answer, log = searched
    manifest = read_json(bundle / "manifest.json")
    record = read_json(bundle / "candidates.json")
    assert record["candidates"] == answer["candidates"]
    assert record["budget"] == {"max_bytes": 60_000, "max_microseconds": 100_000}
    chosen = record["chosen"]
    assert chosen in record["candidates"]
    assert (chosen["recipe"], chosen["layout"]) == (manifest["recipe"], manifest["layout"])
    assert chosen["accuracy"] == pytest.approx(manifest["accuracy"]["dev"]["device"], abs=1e-6)
    assert chosen["bytes"] == answer["total_bytes"]
    assert all(candidate["microseconds"] > 0 for candidate in answer["candidates"])
    recipes = {candidate["recipe"] for candidate in answer["candidates"]}
    assert recipes >= {"dynamic", "int4", "int8"}
    assert log.count(" µs") >= len(answer["candidates"])


@pytest.mark.slow
def test_search_documents_its_choice_for_people(searched):
    bundle, _, _ = searched
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "## Chosen from" in card
    assert "Among the bundles within 60,000 bytes and 100000 µs" in card
    assert " ←" in card
    assert (bundle / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_search_reports_an_impossible_budget(run_folder, tmp_path):
    options = ("--quantize", "int4", "--layout", "conv", "--dimensions", 32)
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-size", "5kB", *options), check=False
    )
    assert done.returncode == 1
    assert "no bundle is within 5,000 bytes: the smallest has about " in done.stderr
    assert "converting" not in done.stderr  # arithmetic is enough
    assert not (tmp_path / "b").exists()


def test_choose_space_keeps_what_the_user_fixed():
    fixed = SearchSpace(("int4",), ("conv",), 900, 4000, 48)
    assert choose_space("int4", "conv", 900, 4000, 48) == fixed
    assert choose_space(None, "auto", None, None, None) == SearchSpace()
    assert choose_space(None, None, None, None, 48).layouts == ("conv",)
    with pytest.raises(ConversionError, match="no dimensions to reduce"):
        choose_space(None, "folded", None, None, 48)


@pytest.mark.slow
def test_search_finds_a_bundle_for_mediapipe_within_the_budget(run_folder, tmp_path):
    fixed = ("--quantize", "dynamic", "--layout", "conv", "--dimensions", 24, "--mediapipe")
    done = convert("export", run_folder, "--out", tmp_path / "b", "--max-size", "110kB", *fixed)
    assert "for MediaPipe" in done.stdout
    assert 95_000 < sum(bundle_bytes(tmp_path / "b").values()) <= 110_000
    with zipfile.ZipFile(tmp_path / "b/model.tflite") as archive:
        assert archive.namelist() == ["vocabulary.txt", "labels.txt"]


@pytest.mark.slow
def test_search_finds_a_bundle_for_microcontrollers_within_the_budget(run_folder, tmp_path):
    fixed = ("--layout", "conv", "--emit-c")
    done = convert("export", run_folder, "--out", tmp_path / "b", "--max-size", "80kB", *fixed)
    assert "TFLite Micro" in done.stdout
    assert 60_000 < sum(bundle_bytes(tmp_path / "b").values()) <= 80_000
    assert {"model.c", "model.h"} <= {path.name for path in (tmp_path / "b").iterdir()}
    record = read_json(tmp_path / "b/candidates.json")
    assert {candidate["recipe"] for candidate in record["candidates"]} == {"int8"}


def test_size_without_a_unit_is_wrong_usage(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-size", "300"), check=False
    )
    assert done.returncode == 2
    assert "expected something like 300kB" in done.stderr


def test_words_options(run_folder, hashed_bundle):
    manifest = read_json(hashed_bundle / "manifest.json")
    trained = len(read_json(run_folder / "vocab.json")["tokens"])
    assert (manifest["dimensions"], manifest["words"]) == (48, trained)
    vocabulary = Classifier.load(hashed_bundle).bundle.vocabulary
    assert (len(vocabulary.tokens), vocabulary.hashed_count) == (400, 1000)
    assert manifest["accuracy"]["test"]["device"] > 0.8
    card = (hashed_bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "lists 400 words and hashes 1,000 more, of" in card


def test_dimensions_option(integer_bundle):
    bundle, _ = integer_bundle
    assert read_json(bundle / "manifest.json")["dimensions"] == 100


def test_folded_layout_rejects_dimensions(run_folder, tmp_path):
    options = ("--layout", "folded", "--dimensions", 48)
    done = convert("export", run_folder, "--out", tmp_path / "b", *options, check=False)
    assert done.returncode == 1
    assert "the folded layout has no dimensions to reduce" in done.stderr


@pytest.mark.slow
def test_search_of_a_conv_lstm_tries_recipes_only(lstm_run, tmp_path):
    options = ("--max-size", "450kB", "--quantize", "dynamic", "--json")
    done = convert("export", lstm_run, "--out", tmp_path / "b", *options)
    assert len(json.loads(done.stdout)["candidates"]) == 1
    for fixed in (("--listed-words", 100), ("--dimensions", 32), ("--layout", "folded")):
        done = convert(
            *("export", lstm_run, "--out", tmp_path / "c", "--max-size", "450kB", *fixed),
            check=False,
        )
        assert done.returncode == 1
        assert "conv-lstm" in done.stderr


@pytest.mark.slow
def test_no_gate_applies_within_a_budget(run_folder, tmp_path):
    fixed = ("--quantize", "int4", "--layout", "conv", "--dimensions", 2, "--listed-words", 20)
    command = ("export", run_folder, "--out", tmp_path / "b", "--max-size", "100kB", *fixed)
    convert(*command, "--no-gate")
    assert (tmp_path / "b/model.tflite").exists()
    done = convert(*command, "--max-accuracy-drop", 1, "--overwrite", check=False)
    assert done.returncode == 1
    assert "lost too much" in done.stderr


def test_max_accuracy_drop_rejects_nan(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--max-accuracy-drop", "nan"), check=False
    )
    assert done.returncode == 1
    assert "from 0 to 100 points" in done.stderr
