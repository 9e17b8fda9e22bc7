"""What people bring to a bundle in their first hour: foreign text, tables, damaged files."""

import functools
import shutil

import pytest

from tests import helpers
from tests.helpers import GLOSSES, convert, read_csv, write_csv


@pytest.fixture
def classify(tmp_path, monkeypatch):
    """A function that runs `glovelite-run` in an empty folder and returns what it did."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(helpers.classify, check=False)


def refusal(done):
    """Return the one line that a command was refused with."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


def test_foreign_text_is_not_relied_on(classify, bundle):
    done = classify(bundle, "--abstain", "der schnelle braune Fuchs springt")
    assert done.returncode == 0
    assert done.stdout.startswith("?")


def test_a_table_on_standard_input_is_taken_for_lines_with_a_hint(classify, bundle):
    done = classify(bundle, stdin="text,label\na bird,animal\n")
    assert done.returncode == 0
    assert "--input" in done.stderr


def test_a_table_with_further_columns_is_scored(classify, bundle, tmp_path):
    rows = [(n, row["text"]) for n, row in enumerate(read_csv(GLOSSES)[:50])]
    write_csv(tmp_path / "new.csv", rows, ("id", "text"))
    done = classify(bundle, "--input", "new.csv", "--output", "scored.csv")
    assert done.returncode == 0
    assert [row["id"] for row in read_csv(tmp_path / "scored.csv")] == [str(n) for n in range(50)]


def test_a_damaged_bundle_is_refused_in_one_line(classify, bundle, tmp_path):
    model = shutil.copytree(bundle, tmp_path / "bundle") / "model.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert "copy the bundle again" in refusal(classify("bundle", "a bird"))


def test_a_run_folder_is_refused_with_the_next_step(classify, run_folder):
    assert "export" in refusal(classify(run_folder, "a bird"))


def test_evaluation_refuses_a_label_that_training_never_saw(bundle, tmp_path):
    path = write_csv(tmp_path / "new.csv", [("a bird", "animal"), ("a bird", "unheard of")])
    assert "unheard of" in refusal(convert("evaluate", bundle, path, check=False))
