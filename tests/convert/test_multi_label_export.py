"""Multi-label runs through export, evaluation, comparison and the search for a budget."""

import json

import numpy as np
import pytest

from glovelite.convert.run_folder import read_run
from glovelite.convert.verify.abstention import (
    Answers,
    choose_abstention,
    choose_thresholds_by_precision,
)
from glovelite.convert.verify.fidelity import compare_scores, count_right
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.classifier import Classifier
from glovelite.runtime.decision import NEVER_GIVEN
from glovelite.runtime.errors import ConversionError, RunFolderError
from tests.helpers import ALL_DIMENSIONS, LEGACY_RUN, convert, read_csv, read_json, read_json_lines

LABELS = ("animal", "person", "plant")


@pytest.fixture(scope="module")
def bundle(exported):
    return exported("pairs", *ALL_DIMENSIONS)


@pytest.fixture(scope="module")
def held_out(trained):
    """The dev texts of the run, with their labels."""
    return trained("pairs") / "dev.jsonl"


def manifest_of(bundle):
    return read_json(bundle / "manifest.json")


def test_a_bundle_has_the_thresholds_of_training(bundle, trained):
    metrics = read_json(trained("pairs") / "metrics.json")
    manifest = manifest_of(bundle)
    assert manifest["format"] == 3
    assert manifest["thresholds"] == metrics["thresholds"]
    assert manifest["output"] == {"dtype": "float32", "size": 3, "activation": "sigmoid"}
    assert read_bundle(bundle).thresholds == tuple(metrics["thresholds"].values())


def test_the_device_keeps_micro_f1_and_labels(bundle):
    for measured in manifest_of(bundle)["accuracy"].values():
        assert measured["keras"] > 0.7
        assert measured["device"] == pytest.approx(measured["keras"], abs=0.03)
        assert measured["agreement"] > 0.9


def test_the_model_card_names_the_score_and_each_threshold(bundle):
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "## Micro F1" in card
    assert all(f"| {label} | " in card for label in LABELS)


@pytest.fixture(scope="module")
def precise(trained, tmp_path_factory):
    """A bundle with C whose labels are given where a precision is shown, and its report."""
    folder = tmp_path_factory.mktemp("precise") / "bundle"
    options = ("--quantize", "int8", "--emit-c", *ALL_DIMENSIONS, "--label-precision", 90)
    return folder, convert("export", trained("pairs"), "--out", folder, *options).stdout


def test_the_report_says_what_the_scores_are(precise):
    _, output = precise
    assert "micro F1 with the thresholds of the labels:" in output
    assert "labels are given from probabilities of " in output


def test_labels_are_given_where_a_precision_is_shown(precise, held_out, tmp_path):
    convert("evaluate", precise[0], held_out, "--out", tmp_path / "e")
    scores = read_json(tmp_path / "e/evaluation.json")["scores"]
    given = [row for row, n in zip(scores["classes"], scores["multi_label"]["given"]) if n]
    assert given
    assert all(row["precision"] >= 0.9 for row in given)


@pytest.mark.parametrize("budget", [(), ("--max-size", "1MB")])
def test_options_of_the_other_kind_of_labels_are_refused_at_once(trained, tmp_path, budget):
    runs = ((trained("pairs"), "--abstain-by-label"), (LEGACY_RUN, "--label-precision=90"))
    for run, option in runs:
        done = convert("export", run, "--out", tmp_path / "b", option, *budget, check=False)
        assert done.returncode == 1
        assert f"{option.partition('=')[0]} is for" in done.stderr
        assert "converting" not in done.stdout
        assert list(tmp_path.iterdir()) == []


def test_evaluation_counts_each_label_and_lists_wrong_sets(bundle, held_out, tmp_path):
    done = convert("evaluate", bundle, held_out, "--out", tmp_path / "e")
    assert "micro F1" in done.stdout
    assert "threshold" in done.stdout
    evaluation = read_json(tmp_path / "e/evaluation.json")
    dev = manifest_of(bundle)["accuracy"]["dev"]
    assert evaluation["scores"]["multi_label"]["micro_f1"] == pytest.approx(dev["device"], abs=1e-5)
    assert (tmp_path / "e" / "evaluation.png").is_file()
    errors = read_csv(tmp_path / "e/errors.csv")
    assert len(errors) == round((1 - evaluation["scores"]["accuracy"]) * dev["texts"])
    assert all(error["label"] != error["predicted"] for error in errors)


def test_a_label_that_is_given_instead_of_another_is_a_confusion(bundle, held_out):
    found = json.loads(convert("evaluate", bundle, held_out, "--json").stdout)["confusions"]
    assert all(pair["label"] != pair["predicted"] for pair in found)
    assert all(0 < pair["share"] <= 1 for pair in found)


def share_given_by_both(one, other, held_out):
    """Return the share of the labels that either bundle gives to a text that both give."""
    texts = [record["text"] for record in read_json_lines(held_out)]
    first, second = (
        {
            (number, label)
            for number, prediction in enumerate(Classifier.load(path).predict(texts))
            for label in prediction.labels
        }
        for path in (one, other)
    )
    return len(first & second) / len(first | second)


def test_bundles_are_compared_by_micro_f1(bundle, precise, held_out):
    other, _ = precise
    result = json.loads(convert("compare", bundle, other, "--data", held_out, "--json").stdout)
    alone = [
        json.loads(convert("evaluate", path, held_out, "--json").stdout) for path in (bundle, other)
    ]
    expected = [found["scores"]["multi_label"]["micro_f1"] for found in alone]
    assert result["micro_f1"] == pytest.approx(expected, abs=1e-5)
    assert expected[0] > expected[1]  # whose labels are given only where a precision is shown
    assert result["agreement"] == pytest.approx(share_given_by_both(bundle, other, held_out))
    assert 0 <= result["p_value"] <= 1
    shown = convert("compare", bundle, other, "--data", held_out).stdout
    assert "of the labels that either gives are given by both" in shown


@pytest.mark.slow
def test_a_search_takes_micro_f1_as_the_score(trained, tmp_path):
    budget = ("--max-size", "150kB", "--quantize", "int4", "--layout", "conv", "--dimensions", 24)
    convert("export", trained("pairs"), "--out", tmp_path / "b", *budget)
    chosen = read_json(tmp_path / "b/candidates.json")["chosen"]
    assert chosen["accuracy"] == pytest.approx(
        manifest_of(tmp_path / "b")["accuracy"]["dev"]["device"], abs=1e-5
    )


def test_integer_models_are_written_as_c_with_their_thresholds(precise):
    assert "glovelite_thresholds" in (precise[0] / "model.h").read_text("utf-8")


def test_a_run_without_a_threshold_for_each_label_is_refused(trained, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in trained("pairs").iterdir():
        if file.name != "metrics.json":
            (folder / file.name).symlink_to(file)
    metrics = read_json(trained("pairs") / "metrics.json")
    del metrics["thresholds"]["plant"]
    (folder / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    with pytest.raises(RunFolderError, match="a threshold for each label"):
        read_run(folder)


def test_fidelity_compares_the_labels_given():
    targets = np.array([[1, 0], [1, 1], [0, 0]], np.bool_)
    keras = np.array([[0.9, 0.1], [0.6, 0.6], [0.2, 0.1]], np.float32)
    device = np.array([[0.9, 0.4], [0.4, 0.6], [0.2, 0.1]], np.float32)
    compared = compare_scores(targets, keras, device, (0.5, 0.3))
    assert compared.keras == 1
    assert compared.device == pytest.approx(2 * 2 / (3 + 3))
    assert compared.agreement == pytest.approx(2 / 4)
    assert (compared.lost, compared.won) == (2, 0)
    assert count_right(targets, targets).tolist() == [2, 2, 2]


def test_a_text_is_answered_if_all_its_labels_are_probably_right():
    """The confidence is the product of all decisions' probabilities."""
    scores = np.tile(np.array([[0.9, 0.2], [0.6, 0.4]], np.float32), (200, 1))
    targets = np.tile(np.array([[1, 0], [0, 1]], np.bool_), (200, 1))
    answers = Answers(scores, targets, thresholds=(0.5, 0.5))
    assert answers.probability[:2] == pytest.approx([0.9 * 0.8, 0.6 * 0.6])
    assert answers.correct[:2].tolist() == [True, False]
    chosen = choose_abstention({"dev": answers}, ("a", "b"), accuracy=0.95)
    assert 0.36 < chosen.probability <= 0.72


def test_a_label_without_a_precise_threshold_is_never_given():
    scores = np.linspace(0, 1, 400, dtype=np.float32)[:, None].repeat(2, axis=1)
    targets = np.stack([scores[:, 0] > 0.5, np.arange(400) % 2 == 0], axis=1)
    answers = Answers(scores, targets)
    thresholds = choose_thresholds_by_precision(answers, ("a", "b"), 0.9)
    assert thresholds[0] < 0.6
    assert thresholds[1] == NEVER_GIVEN
    with pytest.raises(ConversionError, match="comes closest, with"):
        choose_thresholds_by_precision(answers, ("a", "b"), 1.0)
