"""make passes its variables on as they were given, and makes what a target needs and no more."""

import json
import os
import re
import sys

import pytest

from bench.__main__ import BENCHMARKS
from tests.helpers import ROOT, run

PROGRAM = f"""#!{sys.executable}
import json, sys
print(json.dumps(sys.argv[1:]))
"""


#: What make sets for the commands it runs, such as these tests, is not for the make they start.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@pytest.fixture
def make(tmp_path):
    """A function that runs a target and returns the arguments of the command that it runs."""
    for name in ("train", "convert", "run"):
        program = tmp_path / "bin" / f"glovelite-{name}"
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM)
        program.chmod(0o755)
    fixed = ("BIN=bin", "DEVICE=.", "--old-file=.venv", "--old-file=.venv-device")

    def call(*arguments, **environment):
        command = ("make", "-f", ROOT / "Makefile", *fixed, *arguments)
        return json.loads(run(*command, cwd=tmp_path, env={**CLEAN, **environment}).stdout)

    return call


TEXTS = [
    "a $5 film",
    "it's \"fine\", isn't it?",
    "100 % $(HOME) `x` \\ $( )",
    "two\nlines",
    "--top",
]


@pytest.mark.parametrize("text", TEXTS)
def test_run_classifies_the_text_as_it_was_given(make, text):
    expected = ["bundles/mine", "--", text]
    assert make("run", "BUNDLE=bundles/mine", f"TEXT={text}") == expected
    assert make("run", "BUNDLE=bundles/mine", TEXT=text) == expected


def test_folders_may_have_spaces(make):
    assert make("run", "RUN=my runs/some mails", "TEXT=a") == ["bundles/some mails", "--", "a"]
    arguments = make("train", "DATA=my data/a b.csv", "OUT=my runs/it's")
    assert arguments == ["my data/a b.csv", "--out", "my runs/it's"]
    arguments = make("convert", "RUN=my runs/a b", "RECIPE=int4")
    assert arguments == ["export", "my runs/a b", "--out", "bundles/a b", "--quantize", "int4"]


def planned(*arguments):
    """Return the environments that make would create if there were none."""
    command = ("make", "--dry-run", "--always-make", *arguments)
    commands = run(*command, cwd=ROOT, env=CLEAN).stdout
    return set(re.findall(r"environment\.sh \S+ (\S+)/ready-", commands))


def test_deploy_needs_no_tensorflow():
    assert planned("deploy", "HOST=pi", "DRY=1") == {".venv-build"}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_gets_the_environments_whose_programs_it_runs(name):
    arguments = {part for step in BENCHMARKS[name].steps() for part in step.command}
    used = {folder for part in arguments for folder in re.findall(r"\.venv[a-z-]*(?=/bin/)", part)}
    assert used == set(BENCHMARKS[name].needs)


def test_make_knows_the_environments_of_benchmarks():
    needs = {environment for benchmark in BENCHMARKS.values() for environment in benchmark.needs}
    assert planned(*needs) == needs


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_modules_that_exist(name):
    for step in BENCHMARKS[name].steps():
        if "-m" in step.command:
            module = step.command[step.command.index("-m") + 1]
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_an_unknown_benchmark_is_named():
    done = run("make", "bench-nothing", cwd=ROOT, env=CLEAN, check=False)
    assert "no benchmark nothing: make bench" in done.stderr
