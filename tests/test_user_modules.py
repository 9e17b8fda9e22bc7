"""A user's own modules may be called like glovelite's packages."""

import json
import sys

import pytest

from tests.helpers import GLOSSES, SLICE, run, write_two_classes, write_user_modules

SCRIPT = f"""
from glovelite import Classifier
from glovelite.convert import ExportOptions, evaluate_bundle, export_bundle
from glovelite.train import TextSource, make_options, train_classifier

if __name__ == "__main__":
    rows = [line.rsplit(",", 1) for line in open({str(GLOSSES)!r}, encoding="utf-8")][1:]
    texts, labels = zip(*(row for row in rows if row[1].strip() in ("animal", "plant")))
    options = make_options("tiny", epochs=3)
    run = train_classifier(texts, labels, "run", options, vectors={str(SLICE)!r})
    export_bundle(run.path, "bundle", ExportOptions(max_accuracy_drop=None))
    evaluate_bundle("bundle", TextSource("run/test.jsonl"))
    print(Classifier.load("bundle").predict("a small wild bird")[0].label)
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with modules that raise when they are imported."""
    write_user_modules(tmp_path)
    return tmp_path


def test_commands_ignore_them(folder):
    source = write_two_classes(folder)
    options = ("--preset", "tiny", "--epochs", 3, "--glove", SLICE, "--out", "run")
    python = (sys.executable, "-m")
    run(*python, "glovelite.train", source, *options, cwd=folder)
    run(*python, "glovelite.convert", "export", "run", "--out", "b", "--no-gate", cwd=folder)
    run(*python, "glovelite.convert", "evaluate", "b", "run/test.jsonl", cwd=folder)
    run(*python, "glovelite.convert", "verify", "b", cwd=folder)
    done = run(*python, "glovelite.runtime", "b", "a small wild bird", "--json", cwd=folder)
    assert json.loads(done.stdout)["prediction"]["label"] == "animal"


@pytest.mark.slow
def test_the_api_and_its_child_processes_ignore_them(folder):
    (folder / "script.py").write_text(SCRIPT, "utf-8")
    done = run(sys.executable, "script.py", cwd=folder)
    assert done.stdout.splitlines()[-1] == "animal"
