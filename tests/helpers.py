"""Test data and the ways tests run the three commands."""

import contextlib
import csv
import importlib
import io
import json
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
PAGE_DRIVER = ROOT / "tests" / "page" / "driver.mjs"
LEGACY_RUN = DATA / "legacy" / "run-1"
LEGACY_BUNDLE = DATA / "legacy" / "bundle-1"
#: An option of exports without what costs most of their time, the fit of a reduced model.
ALL_DIMENSIONS = ("--dimensions", 100)
#: Name of a command -> where its `main` is.
COMMAND_MODULES = {
    "train": "glovelite.train.cli",
    "convert": "glovelite.convert.cli",
    "run": "glovelite.runtime.cli.main",
    "score": "glovelite.scale.scoring.cli",
    "corpus": "glovelite.scale.corpora.cli",
}
#: `glovelite-train`, run by `exec`.
TRAIN = """
from glovelite.train.cli import command
command.main(options, standalone_mode=False)
"""

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


def train(*options, **keywords):
    """Run `glovelite-train` in a process of its own."""
    return run(sys.executable, "-m", "glovelite.train", *options, **keywords)


def train_in_child(*options):
    """Run `glovelite-train` in a child process of conversions, which may have TensorFlow loaded."""
    from glovelite.convert.worker import run_in_child  # not installed on devices

    run_in_child(exec, TRAIN, {"options": [str(option) for option in options]})


def convert(*options, check=True, **keywords):
    """Run `glovelite-convert` in this process, or in one of its own that has these keywords."""
    if keywords:
        return run(sys.executable, "-m", "glovelite.convert", *options, check=check, **keywords)
    return call_main("convert", options, check)


def classify(bundle, *options, check=True, stdin=""):
    """Run `glovelite-run` in this process."""
    return call_main("run", (bundle, *options), check, stdin)


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


def read_json(path):
    """Return the content of a JSON file."""
    return json.loads(path.read_text("utf-8"))


def read_json_lines(path):
    """Return the objects of a file of JSON lines."""
    with path.open(encoding="utf-8", newline="\n") as lines:  # as text may hold other line ends
        return [json.loads(line) for line in lines]


def read_csv(path):
    """Return the rows of a CSV file as dictionaries."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path, rows, header=("text", "label")):
    """Write a CSV file, and its folder; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def write_json_lines(path, records):
    """Write a file of JSON lines; return its path."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


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
    glosses = random.Random(0).sample(read_csv(GLOSSES), 1800)
    rows, start = [], 0
    while start < len(glosses):
        pair = glosses[start : start + 1 + start % 2]
        labels = {row["label"] for row in pair} - {"food"}
        rows.append(["; ".join(row["text"] for row in pair), "|".join(sorted(labels))])
        start += len(pair)
    return write_csv(folder / "pairs.csv", rows, ("text", "labels"))


def call_main(name, options, check=True, stdin=""):
    """Run a command in this process; fail the test as `run` does.

    Args:
        name: a name in `COMMAND_MODULES`.
        options: its arguments.
        check: whether the test fails if the command does.
        stdin: text or bytes.
    """
    main = importlib.import_module(COMMAND_MODULES[name]).main
    arguments = [str(option) for option in options]
    content = stdin if isinstance(stdin, bytes) else stdin.encode()
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2)]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    argv, standard_input, status = sys.argv, sys.stdin, 0
    sys.argv = [f"glovelite-{name}", *arguments]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)), "utf-8")
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            streams[1].write(end.code + "\n")
    finally:
        sys.argv, sys.stdin = argv, standard_input
        for number, handler in handlers.items():
            signal.signal(number, handler)
    done = subprocess.CompletedProcess(arguments, status, *map(_written, streams))
    if check and done.returncode:
        pytest.fail(f"{name} {done.args} exited with {done.returncode}:\n{done.stderr}")
    return done


def _written(stream):
    """Return the text that was written to a stream."""
    stream.flush()
    return stream.buffer.getvalue().decode()
