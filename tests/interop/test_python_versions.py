"""The runtime gives the same predictions on every CPython, interpreter and numpy found here."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import GLOSSES, ROOT, run, write_user_modules
from tools.platforms.python_environments import (
    PIP,
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


@pytest.mark.parametrize("environment", list_environments(), ids=lambda each: each.name)
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
