"""What every machine must show: the self-test, and the scores of x86 within the recipe's tolerance.

`tests/userlands.py` asks it of what it has installed; `note` keeps what was found.
"""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import GLOSSES, ROOT

# They install, export or serve: for a workstation.
ELSEWHERE = {f"test_runtime_{name}.py" for name in ("pythons", "explain", "server", "fuzz")}


def read_texts():
    """Give a hundred definitions, of every class."""
    with GLOSSES.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)][::20]


def score(call, bundle):
    """Give the probabilities of the hundred texts, [texts, classes].

    `call` runs `glovelite-run` on the machine in question with the arguments and the standard input
    it is given, and gives its standard output.
    """
    lines = call(bundle, "--json", stdin="\n".join(read_texts())).splitlines()
    answers = [json.loads(line)["prediction"]["probabilities"] for line in lines]
    return np.array([[answer[label] for label in sorted(answer)] for answer in answers])


def prove(call, bundle, reference):
    """Run the self-test, compare the scores with x86's, and tell how far off both are."""
    found = json.loads(call(bundle, "--self-test", "--json"))
    difference = float(np.abs(score(call, bundle) - reference).max())
    if not difference <= found["tolerance"]:
        pytest.fail(f"{bundle}: scores differ by {difference:.4f} from x86's: {found}")
    return {**found, "largest_score_difference": difference}


def list_tests():
    """Give the names of the runtime's tests, those that run wherever the runtime does."""
    names = {path.name for path in ROOT.glob("tests/test_runtime_*.py")}
    return sorted(names - ELSEWHERE)


def command_tests(python, tests, bundles):
    """Give the command that runs the runtime's tests with an environment's own interpreter.

    `tests` is the folder they are in and `bundles` that of the bundles they stand on, there.
    """
    variables = (f"GLOVELITE_TEST_BUNDLES={bundles}", f"GLOVELITE_DEVICE_PYTHON={python}")
    pytest_ = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    return (
        "env",
        "-u",
        "PYTHONPATH",
        *variables,
        *pytest_,
        *(f"{tests}/{name}" for name in list_tests()),
    )


def count_passed(done):
    """Read from what pytest printed how many tests passed."""
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def note(path, system, proof, tests):
    """Note what a machine showed, as `test_runtime_pythons.py` does, for bench/support.py.

    Args:
        path: the file, a JSON object a line.
        system: what the machine is called in the table.
        proof: what `prove` gave for the bundle that the table tells of.
        tests: how many of the runtime's tests passed there.
    """
    found = {"difference": proof["largest_score_difference"], "texts": len(read_texts())}
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps({**proof, **found, "system": system, "tests": tests}) + "\n")
