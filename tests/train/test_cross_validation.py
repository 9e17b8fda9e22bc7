"""Cross-validation: out-of-fold scores, the model trained on all texts, resuming."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.data.output_folder import reserve_output_folder
from glovelite.data.run_files import METRICS_FILE, RUN_FILES
from glovelite.runtime.logs import log_to
from glovelite.train import OptionsError, TrainingRequest, make_options, train_classifier
from glovelite.train.data.inputs import read_sequences
from glovelite.train.preparation import prepare
from glovelite.train.trials.cross_validation import MeanScore, mean_score
from glovelite.train.unfinished import TrialFile, make_identity
from tests.helpers import GLOSSES, SLICE, interrupted, read_csv, read_json, read_json_lines
from tests.train.command import train

TINY = make_options("article", epochs=2, filters=2)


def few_glosses(count=120):
    """Return texts and labels of three classes."""
    rows = list(csv.reader(GLOSSES.read_text("utf-8").splitlines()[1:]))
    chosen = [(text, label) for text, label in rows if label != "food"][:: 1500 // count][:count]
    texts, labels = zip(*chosen)
    return list(texts), list(labels)


def test_every_text_has_probabilities_from_a_model_without_it(folds_run):
    lines = read_json_lines(folds_run / "out_of_fold.jsonl")
    labels = read_json(folds_run / "vocab.json")["labels"]
    fields = frozenset(("text", "label", "fold", "scores", "familiarity"))
    assert {frozenset(line) for line in lines} == {fields}
    assert {line["fold"] for line in lines} == {1, 2}
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
    assert metrics["split"] == {"by": "random", "column": None, "folds": 2}
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


def cross_validate(out, **options):
    """Train on a hundred texts in two folds, with test texts some of which are among them."""
    texts, labels = few_glosses()
    options = {"test": (texts[95:], labels[95:]), "folds": 2, "vectors": SLICE, **options}
    return train_classifier(texts[:100], labels[:100], out, TINY, **options)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run that was interrupted after its first fold and resumed to find label errors."""
    folder = tmp_path_factory.mktemp("folds")
    with interrupted("fold 1/2") as lines:
        cross_validate(folder / "run")
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    logged = []
    with log_to(logged.append):
        result = cross_validate(folder / "run", find_label_errors=True)
    return SimpleNamespace(interrupted=lines, left=left, logged=logged, result=result)


@pytest.mark.slow
def test_separate_test_text_stays_out_of_the_folds(resumed):
    metrics = resumed.result.metrics
    assert metrics.cross_validation.out_of_fold.texts == 100
    assert metrics.scores["test"].texts == 20
    assert metrics.scores["test_with_seen"].texts == 25
    assert metrics.calibration.error.keys() == {"dev", "test", "out_of_fold"}
    shown = "\n".join(resumed.logged)
    assert "fold 2/2: accuracy" in shown
    assert "mean of 2 folds, with 95 % t interval over folds: accuracy" in shown
    assert "out of fold: accuracy" in shown
    assert "test: accuracy" in shown


def test_groups_stay_in_one_fold(tmp_path):
    texts, labels = few_glosses()
    groups = [f"author {n % 20}" for n in range(len(texts))]
    request = TrainingRequest((), tmp_path / "run", folds=3, vectors=SLICE)
    folds = prepare(read_sequences(texts, labels, groups=groups), request, TINY).folds
    assert {*folds.numbers.tolist()} == {0, 1, 2}
    assert len({*zip(groups, folds.numbers.tolist())}) == len({*groups})


@pytest.mark.slow
def test_an_interrupted_run_resumes_after_the_last_finished_fold(resumed):
    resumes = "the same command resumes after 1 of 2 folds"
    assert resumed.interrupted[-1] == f"interrupted in cross-validation: {resumes}"
    assert [*resumed.left] == [".run.folds"]
    assert "resuming after fold 1" in resumed.logged
    assert [line[:8] for line in resumed.logged if line.startswith("fold ")] == ["fold 2/2"]
    folder = resumed.result.path.parent
    assert [path.name for path in folder.iterdir()] == ["run"]


@pytest.mark.nightly
def test_a_resumed_run_equals_one_that_was_not_interrupted(resumed, tmp_path):
    complete = cross_validate(tmp_path / "complete")
    assert resumed.result.metrics.cross_validation == complete.metrics.cross_validation
    assert resumed.result.metrics.scores == complete.metrics.scores
    results = (complete, resumed.result)
    first, second = ((run.path / "out_of_fold.jsonl").read_bytes() for run in results)
    assert first == second


@pytest.mark.slow
def test_label_errors_take_the_folds_of_another_command(resumed):
    texts, _ = few_glosses()
    found = read_csv(resumed.result.path / "label_errors.csv")
    assert resumed.result.metrics.label_errors.texts == len(found)
    assert any(line.startswith("label errors: ") for line in resumed.logged)
    for error in found:
        assert error["source"] == "texts"
        assert error["text"] == texts[int(error["line"])]
    with reserve_output_folder(resumed.result.path, True, METRICS_FILE, RUN_FILES):
        pass  # refuses other files


@pytest.mark.slow
def test_other_folds_start_from_scratch(resumed, tmp_path):
    for name, content in resumed.left.items():
        (tmp_path / name).write_bytes(content)
    with interrupted("starting from scratch") as lines:
        cross_validate(tmp_path / "run", folds=3)
    unfinished = f"the unfinished cross-validation beside {tmp_path / 'run'}"
    assert f"starting from scratch: {unfinished} had split folds 2, not 3" in lines


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
