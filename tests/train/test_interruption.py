"""Trainings that are interrupted, and trainings that find another one's checkpoint."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glovelite.train import make_options, train_classifier
from glovelite.train.unfinished import (
    Checkpoint,
    TrainingState,
    describe_difference,
    make_identity,
)
from tests.helpers import GLOSSES, SLICE, interrupted, write_two_classes
from tests.train.command import train
from tests.train.corpora import write_few_texts

QUICK = ("--glove", SLICE, "--preset", "article", "--filters", 2)
RUN = {
    "configuration": {"seed": 0, "epochs": 60, "kernel_sizes": (1, 2), "glove": "x", "bits": None},
    "versions": {"keras": "3.15.1"},
    "split": {"by": "random", "column": None, "folds": 0},
    "corpus": {"name": "a.csv", "texts": 10, "fingerprints": {"train": "0f", "dev": "1f"}},
    "coverage": {"own": 5},
    "vocabulary": "2f",
    "table": "3f",
}


def change(**values):
    """Return the identity of `RUN` with some of its values changed, by dotted name."""
    changes = {name.replace("__", "."): value for name, value in values.items()}
    return {**make_identity(RUN), **changes}


def test_make_identity_names_every_value():
    identity = make_identity(RUN)
    assert identity["configuration.kernel_sizes"] == [1, 2]
    assert identity["corpus.fingerprints.dev"] == "1f"
    assert len(identity) == 16


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"configuration__epochs": 10}, "epochs 60, not 10"),
        ({"configuration__kernel_sizes": [3]}, "kernel_sizes [1, 2], not [3]"),
        ({"configuration__bits": 4}, "bits default, not 4"),
        ({"configuration__new": 1}, "new default, not 1"),
        ({"versions__keras": "4.0", "table": ""}, "keras 3.15.1, not 4.0"),
        ({"corpus__fingerprints__train": "", "table": "", "vocabulary": ""}, "other text"),
        ({"corpus__texts": 9, "configuration__epochs": 1}, "other text; epochs 60, not 1"),
        ({"configuration__seed": 1, "corpus__fingerprints__dev": ""}, "seed 0, not 1"),
        ({"configuration__seed": 1, "corpus__texts": 11}, "other text; seed 0, not 1"),
        ({"table": "", "coverage__own": 4}, "other vectors"),
        (
            {"split__by": "time", "corpus__fingerprints__dev": "", "corpus__texts": 9},
            "split by random, not time",
        ),
        ({"split__folds": 5, "corpus__fingerprints__folds": "4f"}, "split folds 0, not 5"),
        ({"split__folds": 5, "corpus__name": "b.csv"}, "other text; split folds 0, not 5"),
        ({"corpus__fingerprints__folds": "4f"}, "other text"),
        (
            {"initial_run__name": "a", "initial_run__weights": "5f", "corpus__texts": 9},
            "initial run none, not a",
        ),
        (
            {f"configuration__{name}": 1 for name in ("a", "b", "c", "d", "e")},
            "a default, not 1; b default, not 1; c default, not 1 and 2 more differences",
        ),
    ],
)
def test_describe_difference_names_what_differs(changes, difference):
    assert describe_difference(make_identity(RUN), change(**changes)) == difference


@pytest.fixture
def checkpoint(tmp_path):
    """A saved state after two epochs."""
    checkpoint = Checkpoint(tmp_path / "state", make_identity(RUN))
    checkpoint.save(TrainingState({"loss": [2.0, 1.0]}, [np.zeros(2)], [np.ones(2)]))
    return checkpoint


def test_a_checkpoint_of_the_same_run_is_resumed(checkpoint):
    assert checkpoint.describe_other() is None
    assert checkpoint.saved_epochs() == checkpoint.load().epochs == 2


def test_a_checkpoint_of_another_run_says_what_differs(checkpoint):
    other = Checkpoint(checkpoint.path, change(configuration__epochs=10))
    assert other.describe_other() == "had epochs 60, not 10"
    assert other.load() is None
    assert other.saved_epochs() == 0


def test_without_a_checkpoint_nothing_differs(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", make_identity(RUN))
    assert checkpoint.describe_other() is None
    assert checkpoint.saved_epochs() == 0


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ('{"identity": "0f3a", "history": {}}', "was saved by another version of glovelite"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
    ],
)
def test_a_checkpoint_that_says_nothing_about_its_run_is_not_resumed(checkpoint, about, reason):
    with checkpoint.path.open("wb") as file:
        np.savez(file, about=np.array(about))
    assert checkpoint.describe_other() == reason
    assert checkpoint.saved_epochs() == 0
    assert checkpoint.load() is None


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A file of sixty texts."""
    return write_few_texts(tmp_path_factory.mktemp("few"))


def start_and_signal(*options, after, number):
    """Train in a process, send it a signal after a line; return its lines, errors and status."""
    command = [sys.executable, "-u", "-m", "glovelite.train", *map(str, options)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(after):
                process.send_signal(number)
        errors = process.stderr.read()
    return lines, errors, process.returncode


@pytest.mark.slow
def test_an_interrupted_training_says_where_it_resumes(few, tmp_path):
    options = (few, *QUICK, "--epochs", 200, "--out", tmp_path / "run")
    lines, errors, status = start_and_signal(*options, after="epoch  1/", number=signal.SIGINT)
    assert (errors, status) == ("", 130)
    saved = sum(line.startswith("epoch ") for line in lines)
    assert lines[-1] == f"interrupted in training: the same command resumes after epoch {saved}"
    done = train(*options, "--epochs", saved + 1, check=False)
    other = tmp_path / "run"
    expected = f"the unfinished training beside {other} had epochs 200, not {saved + 1}"
    assert f"starting from scratch: {expected}\n" in done.stdout
    assert "resuming" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_training_terminated_in_its_first_epoch_has_saved_nothing(few, tmp_path):
    options = (few, *QUICK, "--out", tmp_path / "run")
    lines, errors, status = start_and_signal(*options, after="fitting", number=signal.SIGTERM)
    assert (errors, status) == ("", 143)
    assert lines[-1] == "interrupted before the end of the first epoch: nothing is saved yet"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_second_training_is_refused_and_a_killed_one_leaves_its_checkpoint_only(tmp_path):
    options = (GLOSSES, *QUICK, "--epochs", 3, "--out", tmp_path / "run")
    command = [sys.executable, "-u", "-m", "glovelite.train", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch  1/"):
                refused = train(*options, check=False)
                process.kill()
    assert f"{tmp_path / 'run'} is being written by process {process.pid}:" in refused.stderr
    assert {path.name for path in tmp_path.iterdir()} == {".run.lock", ".run.training"}
    assert "resuming after epoch" in train(*options).stdout
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("after", "last"),
    [
        ("texts: 60 texts", "interrupted before training started"),
        ("epoch  2/", "interrupted in training: the same command resumes after epoch 2"),
    ],
)
def test_an_interruption_in_a_notebook_is_logged_and_passed_on(tmp_path, after, last):
    texts, labels = [f"{n} animal" for n in range(60)], ["ab"[n % 2] for n in range(60)]
    options = make_options("article", filters=2, max_words=100)
    with interrupted(after) as lines:
        train_classifier(texts, labels, tmp_path / "run", options, vectors=str(SLICE))
    assert lines[-1] == last
    assert not Path(tmp_path / "run").exists()


def test_a_training_on_other_text_starts_from_scratch(tmp_path):
    options = make_options("article", filters=2, max_words=100, max_tokens=4, epochs=3)
    labels, out = ["ab"[n % 2] for n in range(60)], tmp_path / "run"
    for word, last in (("animal", "epoch  1/"), ("bird", "starting from scratch")):
        texts = [f"{n} {word}" for n in range(60)]
        with interrupted(last) as lines:
            train_classifier(texts, labels, out, options, vectors=str(SLICE))
    assert f"starting from scratch: the unfinished training beside {out} had other text" in lines


@pytest.mark.slow
def test_an_interrupted_comparison_says_where_it_resumes(tmp_path):
    options = (write_two_classes(tmp_path), *QUICK, "--compare-scratch", "--epochs", 1)
    options += ("--out", tmp_path / "run")
    lines, errors, status = start_and_signal(*options, after="    250", number=signal.SIGINT)
    assert (errors, status) == ("", 130)
    saved = sum(" texts, " in line and "test accuracy" in line for line in lines)
    assert lines[-1].endswith(f"the same command resumes after {saved} of its trainings")
