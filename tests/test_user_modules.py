"""A user's own modules may be called like glovelite's packages."""

import json
import sys

import pytest

from tests.helpers import GLOSSES, LEGACY_BUNDLE, SLICE, run, write_user_modules

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


@pytest.fixture
def call(folder):
    """A function that runs a package as a command in that folder."""

    def call(package, *options):
        return run(sys.executable, "-m", f"glovelite.{package}", *options, cwd=folder)

    return call


@pytest.mark.parametrize("package", ["train", "convert"])
def test_help_ignores_them(call, package):
    assert "Usage" in call(package, "--help").stdout


def test_conversion_ignores_them(call, monkeypatch):
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "numpy")  # one child process is enough
    call("convert", "verify", LEGACY_BUNDLE)


def test_the_runtime_ignores_them(call):
    done = call("runtime", LEGACY_BUNDLE, "a small wild bird", "--json")
    assert json.loads(done.stdout)["prediction"]["label"] == "animal"


@pytest.mark.slow
def test_the_api_and_its_child_processes_ignore_them(folder):
    (folder / "script.py").write_text(SCRIPT, "utf-8")
    done = run(sys.executable, "script.py", cwd=folder)
    assert done.stdout.splitlines()[-1] == "animal"
