"""Cross-validation: out-of-fold scores, the model trained on all texts, resuming."""

import csv
import json

import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.train import OptionsError, TrainingRequest, make_options, train_classifier
from glovelite.train.trials.cross_validation import MeanScore, mean_score
from glovelite.train.unfinished import TrialFile, make_identity
from tests.helpers import GLOSSES, SLICE, interrupted
from tests.train.command import train

TINY = make_options("tiny", epochs=2, filters=2)


def read_json(path):
    return json.loads(path.read_text("utf-8"))


def read_lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def few_glosses(count=120):
    """Return texts and labels of three classes."""
    rows = list(csv.reader(GLOSSES.read_text("utf-8").splitlines()[1:]))
    chosen = [(text, label) for text, label in rows if label != "food"][:: 1500 // count][:count]
    texts, labels = zip(*chosen)
    return list(texts), list(labels)


def test_every_text_has_probabilities_from_a_model_without_it(folds_run):
    lines = read_lines(folds_run / "out_of_fold.jsonl")
    labels = read_json(folds_run / "vocab.json")["labels"]
    assert {frozenset(line) for line in lines} == {frozenset(("text", "label", "fold", "scores"))}
    assert {line["fold"] for line in lines} == {1, 2, 3}
    scores = np.array([line["scores"] for line in lines])
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)
    correct = [labels[row.argmax()] == line["label"] for row, line in zip(scores, lines)]
    result = read_json(folds_run / "metrics.json")["cross_validation"]
    assert result["out_of_fold"]["accuracy"] == pytest.approx(np.mean(correct))
    assert result["out_of_fold"]["texts"] == len(lines)
    for number, fold in enumerate(result["folds"], start=1):
        of_fold = [right for right, line in zip(correct, lines) if line["fold"] == number]
        assert fold["accuracy"] == pytest.approx(np.mean(of_fold))
        assert fold["texts"] == len(of_fold)


def test_the_kept_model_is_trained_on_all_texts(folds_run):
    metrics = read_json(folds_run / "metrics.json")
    texts = metrics["cross_validation"]["out_of_fold"]["texts"]
    assert metrics["corpus"]["texts"] == texts
    assert metrics["split"] == {"by": "random", "column": None, "folds": 3}
    assert metrics["scores"]["dev"]["texts"] == pytest.approx(texts / 10, abs=2)
    assert "test" not in metrics["scores"]
    assert (folds_run / "test.jsonl").read_text("utf-8") == ""
    assert (folds_run / "confusion.png").stat().st_size > 5000
    calibration = metrics["calibration"]
    assert calibration["fitted_on"] == "out_of_fold"
    assert calibration["error"].keys() == {"dev", "out_of_fold"}


def test_the_mean_over_folds_has_a_t_interval():
    """The quantile of Student's t for 4 degrees of freedom is 2.776."""
    values = [0.8, 0.82, 0.84, 0.86, 0.88]
    margin = 2.776 * np.std(values, ddof=1) / np.sqrt(5)
    mean = mean_score(values)
    assert mean.mean == pytest.approx(0.84)
    assert mean.interval == pytest.approx((0.84 - margin, 0.84 + margin), abs=1e-4)
    assert mean_score([1.0, 1.0]) == MeanScore(1.0, (1.0, 1.0))
    assert mean_score([0.5, 1.0]).interval == (0.0, 1.0)


def test_separate_test_text_stays_out_of_the_folds(tmp_path, logged):
    texts, labels = few_glosses()
    result = train_classifier(
        texts[:100],
        labels[:100],
        tmp_path / "run",
        TINY,
        test=(texts[95:], labels[95:]),
        folds=2,
        vectors=str(SLICE),
    )
    metrics = result.metrics
    assert metrics.cross_validation.out_of_fold.texts == 100
    assert metrics.scores["test"].texts == 20
    assert metrics.scores["test_with_seen"].texts == 25
    assert metrics.calibration.error.keys() == {"dev", "test", "out_of_fold"}
    shown = "\n".join(logged)
    assert "fold 2/2: accuracy" in shown
    assert "mean of 2 folds, with 95 % t interval over folds: accuracy" in shown
    assert "out of fold: accuracy" in shown
    assert "test: accuracy" in shown


def test_groups_stay_in_one_fold(tmp_path):
    texts, labels = few_glosses()
    groups = [f"author {n % 20}" for n in range(len(texts))]
    result = train_classifier(
        texts, labels, tmp_path / "run", TINY, groups=groups, folds=3, vectors=str(SLICE)
    )
    lines = read_lines(result.path / "out_of_fold.jsonl")
    assert [line["text"] for line in lines] == texts
    folds_of = {group: set() for group in groups}
    for group, line in zip(groups, lines):
        folds_of[group].add(line["fold"])
    assert all(len(folds) == 1 for folds in folds_of.values())


def test_an_interrupted_run_resumes_after_the_last_finished_fold(tmp_path, logged):
    texts, labels = few_glosses(60)

    def run(name):
        return train_classifier(texts, labels, tmp_path / name, TINY, folds=2, vectors=str(SLICE))

    complete = run("complete")
    with interrupted("fold 1/2"):
        run("resumed")
    resumes = "the same command resumes after 1 of 2 folds"
    assert logged[-1] == f"interrupted in cross-validation: {resumes}"
    assert [path.name for path in tmp_path.iterdir() if "resumed" in path.name] == [
        ".resumed.folds"
    ]
    logged.clear()
    resumed = run("resumed")
    assert "resuming after fold 1" in logged
    assert [line[:8] for line in logged if line.startswith("fold ")] == ["fold 2/2"]
    assert resumed.metrics.cross_validation == complete.metrics.cross_validation
    assert resumed.metrics.scores == complete.metrics.scores
    first, second = ((run.path / "out_of_fold.jsonl").read_bytes() for run in (complete, resumed))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["complete", "resumed"]


def test_other_folds_start_from_scratch(tmp_path, logged):
    texts, labels = few_glosses(60)
    for folds in (2, 3):
        with interrupted("fold 1/"):
            train_classifier(texts, labels, tmp_path / "run", TINY, folds=folds, vectors=str(SLICE))
    unfinished = f"the unfinished cross-validation beside {tmp_path / 'run'}"
    assert f"starting from scratch: {unfinished} had split folds 2, not 3" in logged
    assert not any("resuming" in line for line in logged)


def trial_file(folder, **identity):
    return TrialFile(folder / "trials", make_identity({"configuration": identity}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"identity": {}}', "cannot be read"),
        ('{"identity": "0f3a", "trials": []}', "was saved by another version of glovelite"),
        ('{"identity": {"configuration.epochs": 2}, "trials": [3]}', None),
    ],
)
def test_damaged_trials_are_ignored(tmp_path, content, reason):
    file = trial_file(tmp_path, epochs=2)
    file.path.write_text(content)
    assert file.load(lambda trial: trial["kind"]) == []
    assert file.describe_other() == reason


def test_trials_of_other_work_say_what_differs(tmp_path):
    trial_file(tmp_path, epochs=2).save([{"kind": 1}, {"kind": 2}])
    same, other = trial_file(tmp_path, epochs=2), trial_file(tmp_path, epochs=3)
    assert same.load(lambda trial: trial["kind"]) == [1, 2]
    assert (same.saved_trials(), same.describe_other()) == (2, None)
    assert other.load(lambda trial: trial["kind"]) == []
    assert (other.saved_trials(), other.describe_other()) == (0, "had epochs 2, not 3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "expected an integer from 2 to 100, found 1"),
        ({"folds": 5, "dev": "dev.csv"}, "leave out --dev"),
        ({"folds": 5, "compare_scratch": True}, "--compare-scratch with --folds needs --test"),
    ],
)
def test_contradictory_requests_are_an_error(tmp_path, options, message):
    with pytest.raises(OptionsError, match=message):
        TrainingRequest((TextSource("x.csv"),), tmp_path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--time-column", "year"), "--folds and --time-column"),
        (("--dev", "dev.csv"), "leave out --dev"),
    ],
)
def test_contradictory_options_are_wrong_usage(tmp_path, options, message):
    done = train(GLOSSES, "--folds", 5, *options, "--out", tmp_path / "run", check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
