"""Test data and the ways tests run the three commands."""

import contextlib
import csv
import importlib
import io
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from glovelite.runtime.logs import log_to

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
GLOSSES = DATA / "glosses.csv"
SLICE = DATA / "glove.6B.100d.slice.txt.gz"
LEGACY_RUN = DATA / "legacy" / "run-1"
LEGACY_BUNDLE = DATA / "legacy" / "bundle-1"

# tflite-runtime's ARM wheels are built with -ffast-math, which flushes subnormal floats to 0.
FLOATS = hypothesis.strategies.floats(allow_subnormal=False)


def run(*command, check=True, **options):
    """Run a command in a process of its own; fail the test with its output if it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, encoding="utf-8", **options
    )
    if check and done.returncode:
        pytest.fail(f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def train(*options, check=True, process=False, **keywords):
    """Run `glovelite-train`."""
    return _run_cli("train", options, check, process, keywords)


def convert(*options, check=True, process=False, **keywords):
    """Run `glovelite-convert`."""
    return _run_cli("convert", options, check, process, keywords)


@contextlib.contextmanager
def interrupted(after):
    """Interrupt a block like Ctrl-C in a notebook, after a line is logged; yield the lines."""
    lines = []

    def write(line):
        lines.append(line)
        if line.startswith(after):
            raise KeyboardInterrupt

    with log_to(write), pytest.raises(KeyboardInterrupt):
        yield lines


def write_user_modules(folder):
    """Write modules that are called like glovelite's packages and raise when they are imported."""
    for name in ("runtime", "data", "evaluation", "scale", "train", "convert"):
        (folder / f"{name}.py").write_text("raise ImportError('a module of the user')\n", "utf-8")


def write_two_classes(folder):
    """Write the glosses of two classes to a CSV file in a folder; return its path."""
    lines = GLOSSES.read_text("utf-8").splitlines()
    chosen = [line for line in lines if line.endswith((",label", ",animal", ",plant"))]
    (folder / "two.csv").write_text("\n".join(chosen) + "\n", "utf-8")
    return folder / "two.csv"


def write_pairs(folder):
    """Write multi-label text to a CSV file in a folder; return its path.

    A text is one gloss or two, its labels their classes; `food` is no label, so that texts without
    any occur.
    """
    with GLOSSES.open(encoding="utf-8", newline="") as file:
        glosses = random.Random(0).sample([*csv.DictReader(file)], 1800)
    rows, start = [["text", "labels"]], 0
    while start < len(glosses):
        pair = glosses[start : start + 1 + start % 2]
        labels = {each["label"] for each in pair} - {"food"}
        rows.append(["; ".join(each["text"] for each in pair), "|".join(sorted(labels))])
        start += len(pair)
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "pairs.csv"


def _run_cli(package, options, check, process, keywords):
    """Run a command line in this process, unless it needs one of its own.

    TensorFlow clashes with tflite-runtime in one process, so only tests that never load an
    interpreter train in process: `make test` gives tests/train a pytest run of its own.
    """
    own_process = process or keywords or (package == "train" and not _trains_in_process())
    if own_process:
        return run(sys.executable, "-m", f"glovelite.{package}", *options, check=check, **keywords)
    done = _call_main(package, [str(option) for option in options])
    if check and done.returncode:
        pytest.fail(f"{package} {done.args} exited with {done.returncode}:\n{done.stderr}")
    return done


def _trains_in_process():
    return "tests/train" in os.environ.get("PYTEST_CURRENT_TEST", "")


def _call_main(package, arguments):
    main = importlib.import_module(f"glovelite.{package}.cli").main
    stdout, stderr = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    argv, status = sys.argv, 0
    sys.argv = [f"glovelite-{package}", *arguments]
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            stderr.write(end.code + "\n")
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, status, stdout.getvalue(), stderr.getvalue())
