"""What every machine must show: a passing self-test and x86's scores within the tolerance."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import GLOSSES, ROOT

#: Test files that need TensorFlow, a server or many processes: for a workstation.
WORKSTATION_ONLY = {f"test_{name}.py" for name in ("explain", "http_server", "fuzz", "one_process")}


def read_texts():
    """Return a hundred definitions, of every class."""
    with GLOSSES.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)][::20]


def score(call, bundle):
    """Return the probabilities of the hundred texts, [texts, classes].

    `call` runs `glovelite-run` on the machine in question with arguments and standard input, and
    returns its standard output.
    """
    lines = call(bundle, "--json", stdin="\n".join(read_texts())).splitlines()
    answers = [json.loads(line)["prediction"]["probabilities"] for line in lines]
    return np.array([[answer[label] for label in sorted(answer)] for answer in answers])


def check_bundle(call, bundle, reference):
    """Run the self-test and compare the scores with x86's; return both differences."""
    self_test = json.loads(call(bundle, "--self-test", "--json"))
    difference = float(np.abs(score(call, bundle) - reference).max())
    if not difference <= self_test["tolerance"]:
        pytest.fail(f"{bundle}: scores differ by {difference:.4f} from x86's: {self_test}")
    return {**self_test, "largest_score_difference": difference}


def list_tests():
    """Return the runtime's test files that run wherever the runtime does, relative to tests/."""
    names = {path.name for path in ROOT.glob("tests/runtime/test_*.py")}
    return sorted(f"runtime/{name}" for name in names - WORKSTATION_ONLY)


def pytest_command(python, tests, bundles):
    """Return the command that runs the runtime's tests with an environment's interpreter.

    `tests` and `bundles` are the folders of the tests and of their bundles, on that machine.
    """
    variables = (f"GLOVELITE_TEST_BUNDLES={bundles}", f"GLOVELITE_DEVICE_PYTHON={python}")
    root = ("--rootdir", f"{tests}/..")
    options = ("--import-mode=importlib", "-o", "markers=slow", "-m", "not slow")
    options += ("-o", f"pythonpath={tests}/..")
    pytest_ = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *root, *options)
    files = [f"{tests}/{name}" for name in list_tests()]
    return ("env", "-u", "PYTHONPATH", *variables, *pytest_, *files)


def count_passed(done):
    """Return how many tests passed, from pytest's output."""
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def record(path, system, result, tests):
    """Append what a machine showed to a file, a JSON object per line, for support_table.py.

    Args:
        path: the file.
        system: the machine's name in the table.
        result: what `check_bundle` returned for the bundle in the table.
        tests: how many of the runtime's tests passed there.
    """
    more = {"difference": result["largest_score_difference"], "texts": len(read_texts())}
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps({**result, **more, "system": system, "tests": tests}) + "\n")
