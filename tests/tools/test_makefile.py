"""make passes its variables to the commands as they were given."""

import json
import os
import sys

import pytest

from tests.helpers import ROOT, run

PROGRAM = f"""#!{sys.executable}
import json, sys
print(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def make(tmp_path):
    """A function that runs a target and returns the arguments of the command that it runs."""
    for name in ("train", "convert", "run"):
        program = tmp_path / "bin" / f"glovelite-{name}"
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM)
        program.chmod(0o755)
    for name in ("ready", "device-ready"):
        (tmp_path / name).touch()
    fixed = ("BIN=bin", "DEVICE=.", "READY=ready", "DEVICE_READY=device-ready")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def call(*arguments, **environment):
        command = ("make", "-f", ROOT / "Makefile", *fixed, *arguments)
        return json.loads(run(*command, cwd=tmp_path, env={**clean, **environment}).stdout)

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
