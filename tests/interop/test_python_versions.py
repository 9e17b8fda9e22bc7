"""Every CPython here, every interpreter and numpy that goes with it: the same answers."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from helpers import GLOSSES, ROOT, run
from pythons import PIP, find_python, list_surroundings, make_environment

PREDICT = """
import json, sys
from runtime import Classifier
with Classifier.load(sys.argv[1]) as classifier:
    print(json.dumps(classifier.predict_proba(json.load(sys.stdin)).tolist()))
"""
TEXTS = [line.rsplit(",", 1)[0] for line in GLOSSES.read_text("utf-8").splitlines()[1:300]]
SUPPORT = os.environ.get("GLOVELITE_SUPPORT")  # a file to note what ran in, a JSON object a line


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def expected(bundle, device_python):
    return predict(device_python, bundle)


def predict(python, bundle):
    done = run(python, "-c", PREDICT, bundle, input=json.dumps(TEXTS), cwd="/")
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("surroundings", list_surroundings(), ids=lambda each: each.name)
def test_answers_are_the_same_with(surroundings, wheel, bundle, expected):
    python = find_python(surroundings.minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{surroundings.minor} here")
    inside = make_environment(surroundings, python, wheel)
    told = json.loads(run(inside, "-m", "runtime", bundle, "--self-test", "--json", cwd="/").stdout)
    assert told["interpreter"].startswith(surroundings.interpreter)
    assert told["numpy"].split(".")[0] == str(surroundings.numpy)
    assert told["python"].startswith(f"3.{surroundings.minor}.")
    found = predict(inside, bundle)
    assert np.abs(found - expected).max() <= told["tolerance"]
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    if SUPPORT:
        difference = float(np.abs(found - expected).max())
        noted = {**asdict(surroundings), **told, "texts": len(TEXTS), "difference": difference}
        with Path(SUPPORT).open("a", encoding="utf-8") as file:
            file.write(json.dumps(noted) + "\n")
