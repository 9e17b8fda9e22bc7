"""--emit-c: the C array compiles to the model, and TFLite Micro's support is reported."""

import json
import re
import shutil
import subprocess

import pytest
from helpers import convert

from convert.targets.microcontroller import missing_in_micro
from convert.tflite.tflite_file import Contents, Operator, read_contents
from runtime.bundle import read_bundle

MAIN = """
#include <stdio.h>
#include "model.h"
int main(void) {
  if ((unsigned long)glovelite_model % 16) return 1;
  fwrite(glovelite_model, 1, glovelite_model_bytes, stdout);
  for (int label = 0; label < GLOVELITE_LABELS; label++)
    fprintf(stderr, "%s %d\\n", glovelite_labels[label], GLOVELITE_INPUT_LENGTH);
  return 0;
}
"""


@pytest.fixture(scope="module")
def emitted(run_folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("micro") / "bundle"
    done = convert("export", run_folder, "--out", target, "--quantize", "int8", "--emit-c")
    return target, done.stdout


def test_export_reports_full_support(emitted):
    bundle, output = emitted
    assert "model.c, model.h: TFLite Micro supports every operator and type in it" in output
    assert missing_in_micro(read_contents(read_bundle(bundle).model)) == []


def test_model_has_one_input_length(emitted):
    bundle, _ = emitted
    loaded = read_bundle(bundle)
    vocabulary = loaded.vocabulary
    assert loaded.fixed_length == vocabulary.max_tokens + vocabulary.trailing_padding
    (input_,) = [each for each in read_contents(loaded.model).tensors if each.name == "ids"]
    assert input_.shape == (1, loaded.fixed_length)


def test_array_compiles_to_the_model(emitted, tmp_path):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler is installed")
    bundle, _ = emitted
    (tmp_path / "main.c").write_text(MAIN)
    command = [compiler, "-std=c11", "-Wall", "-Werror", f"-I{bundle}", "-o", "program"]
    subprocess.run([*command, "main.c", str(bundle / "model.c")], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, check=True)
    assert done.stdout == (bundle / "model.tflite").read_bytes()
    length = read_bundle(bundle).fixed_length
    assert done.stderr.decode().split("\n")[0] == f"animal {length}"


def test_header_lists_the_operators(emitted):
    bundle, _ = emitted
    header = (bundle / "model.h").read_text("utf-8")
    operators = [each.name for each in read_contents(read_bundle(bundle).model).operators]
    assert re.findall(r"^ \*   (\w+)$", header, re.MULTILINE) == operators


def test_missing_in_micro_names_operators_and_types():
    contents = Contents(
        (
            Operator("GATHER", 1, 1, True, ("INT32", "INT8"), ("INT8",)),
            Operator("GATHER", 1, 1, True, ("INT32",), ("INT32",)),
            Operator("REDUCE_MAX", 1, 1, True, ("FLOAT32",)),
            Operator("WHERE", 1, 1, True, ("INT8",)),
            Operator("mine", 1, 1, False, ("INT8",)),
        ),
        (),
        "2.0",
    )
    assert missing_in_micro(contents) == [
        *("GATHER of INT32", "REDUCE_MAX of FLOAT32", "WHERE of INT8", "mine of INT8")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--emit-c",), "--emit-c needs --quantize int8"),
        (("--emit-c", "--quantize", "int8", "--mediapipe"), "make two bundles"),
    ],
)
def test_export_rejects_contradictory_options(run_folder, tmp_path, options, message):
    done = convert("export", run_folder, "--out", tmp_path / "b", *options, check=False)
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.slow
def test_json_reports_missing_operators(run_folder, tmp_path):
    done = convert(
        *("export", run_folder, "--out", tmp_path / "b", "--quantize", "int8", "--emit-c"),
        *("--integer-output", "--json"),
    )
    assert json.loads(done.stdout)["missing_in_micro"] == []
