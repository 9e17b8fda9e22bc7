"""The runtime gives the same predictions on every CPython, interpreter and numpy found here."""

import json
import os
import site
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import GLOSSES, ROOT, run, write_user_modules
from tools.platforms.python_environments import (
    PIP,
    Environment,
    find_python,
    list_environments,
    make_environment,
)

PREDICT = """
import json, sys
from glovelite import Classifier
with Classifier.load(sys.argv[1]) as classifier:
    print(json.dumps(classifier.predict_proba(json.load(sys.stdin)).tolist()))
"""
TEXTS = [line.rsplit(",", 1)[0] for line in GLOSSES.read_text("utf-8").splitlines()[1:300]]
#: A file that records each environment that passed, a JSON object per line.
RECORD = os.environ.get("GLOVELITE_SUPPORT")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def expected(hashed_bundle, device_python, folder):
    return predict(device_python, folder, hashed_bundle)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with modules of the user that are called like glovelite's packages."""
    folder = tmp_path_factory.mktemp("user")
    write_user_modules(folder)
    (folder / "predict.py").write_text(PREDICT, "utf-8")
    return folder


def predict(python, folder, bundle):
    done = run(python, "predict.py", bundle, input=json.dumps(TEXTS), cwd=folder)
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("environment", list_environments(), ids=lambda path: path.name)
def test_predictions_match_the_device_environment(
    environment, wheel, hashed_bundle, expected, folder
):
    python = find_python(environment.python_minor)
    if python is None:
        pytest.skip(f"no Python 3.{environment.python_minor} found")
    own_python = make_environment(environment, python, wheel)
    command = (own_python, "-m", "glovelite.runtime", hashed_bundle, "--self-test", "--json")
    self_test = json.loads(run(*command, cwd=folder).stdout)
    assert self_test["interpreter"].startswith(environment.interpreter)
    assert self_test["numpy"].split(".")[0] == str(environment.numpy_major)
    assert self_test["python"].startswith(f"3.{environment.python_minor}.")
    scores = predict(own_python, folder, hashed_bundle)
    assert np.abs(scores - expected).max() <= self_test["tolerance"]
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    if RECORD:
        difference = float(np.abs(scores - expected).max())
        row = {**asdict(environment), **self_test, "texts": len(TEXTS), "difference": difference}
        with Path(RECORD).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


# `pip install pandas` does that: tflite-runtime 2.14, built against numpy 1, accepts numpy 2.


@pytest.fixture(scope="module")
def numpy_2_python(wheel):
    """The Python of an environment that holds tflite-runtime 2.14 and numpy 2."""
    python = find_python(11)
    if python is None:
        pytest.skip("no Python 3.11 found")
    return make_environment(Environment(11, "tflite-runtime", 2), python, wheel)


@pytest.fixture
def numpy_2_training(numpy_2_python, tmp_path):
    """A function that runs a command there, with TensorFlow and the rest of this environment."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the packages of this environment are not Python 3.11's")
    content = f"import sys\nsys.path += {site.getsitepackages()!r}\n"
    (tmp_path / "sitecustomize.py").write_text(content, "utf-8")

    def call(*command):
        variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return run(numpy_2_python, *command, cwd=tmp_path, env=variables)

    return call


def test_numpy_2_skips_tflite_runtime_in_one_line(
    numpy_2_python, hashed_bundle, expected, folder, monkeypatch
):
    done = run(numpy_2_python, "-m", "glovelite.runtime", hashed_bundle, "a bird", cwd=folder)
    assert done.stdout.startswith("animal")
    (line,) = done.stderr.splitlines()
    assert line.startswith("interpreter skipped: tflite-runtime 2.14.0 does not run with numpy 2.")
    assert line.endswith(": pip install ai-edge-litert, or 'numpy<2'")
    assert np.abs(predict(numpy_2_python, folder, hashed_bundle) - expected).max() <= 0.02
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "tflite-runtime")
    command = (numpy_2_python, "-m", "glovelite.runtime", hashed_bundle, "a bird")
    selected = run(*command, cwd=folder, check=False)
    assert (selected.returncode, selected.stdout) == (1, "")
    (line,) = selected.stderr.splitlines()
    assert line.endswith("or 'numpy<2', or unset GLOVELITE_INTERPRETER")


def test_an_export_with_numpy_2_takes_the_next_interpreter(numpy_2_training, run_folder, tmp_path):
    glovelite_convert = ("-m", "glovelite.convert")
    exported = numpy_2_training(*glovelite_convert, "export", run_folder, "--out", tmp_path / "b")
    warning = "warning: interpreter skipped: tflite-runtime 2.14.0 does not run with numpy 2."
    (line,) = (line for line in exported.stdout.splitlines() if "tflite-runtime" in line)
    assert line.startswith(warning)
    assert line.endswith(": pip install 'numpy<2'")
    assert "dev and test texts on ai-edge-litert" in exported.stdout
    verified = numpy_2_training(*glovelite_convert, "verify", tmp_path / "b").stdout
    assert warning in verified
    assert "replayed on ai-edge-litert" in verified
    assert "replayed on numpy engine (numpy 2." in verified
