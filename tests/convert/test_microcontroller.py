"""--emit-c: the C array compiles to the model, and TFLite Micro's support is reported."""

import re
import subprocess
from dataclasses import replace

import pytest

from glovelite.convert.targets.microcontroller import missing_in_micro, write_c
from glovelite.convert.tflite.tflite_file import Contents, OperatorUse, read_contents
from glovelite.runtime.bundle import read_bundle
from tests.c_engine import find_compiler
from tests.helpers import LEGACY_BUNDLE, convert

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


PRINT_THRESHOLDS = """
#include <stdio.h>
#include "model.h"
int main(void) {
  for (int label = 0; label < GLOVELITE_LABELS; label++)
    printf("%s %g\\n", glovelite_labels[label], glovelite_thresholds[label]);
  return 0;
}
"""


def test_export_reports_full_support(integer_bundle):
    bundle, output = integer_bundle
    assert "model.c, model.h: TFLite Micro supports every operator and type in it" in output
    assert missing_in_micro(read_contents(read_bundle(bundle).model)) == []


def test_model_has_one_input_length(integer_bundle):
    bundle, _ = integer_bundle
    loaded = read_bundle(bundle)
    vocabulary = loaded.vocabulary
    assert loaded.fixed_length == vocabulary.max_tokens + vocabulary.trailing_padding
    (input_,) = [tensor for tensor in read_contents(loaded.model).tensors if tensor.name == "ids"]
    assert input_.shape == (1, loaded.fixed_length)


def run_c(main, bundle, folder):
    """Compile a program with a bundle's array, and run it."""
    (folder / "main.c").write_text(main)
    command = [find_compiler(), "-std=c11", "-Wall", "-Werror", f"-I{bundle}", "-o", "program"]
    subprocess.run([*command, "main.c", str(bundle / "model.c")], cwd=folder, check=True)
    return subprocess.run([folder / "program"], capture_output=True, check=True)


def test_array_compiles_to_the_model(integer_bundle, tmp_path):
    bundle, _ = integer_bundle
    done = run_c(MAIN, bundle, tmp_path)
    assert done.stdout == (bundle / "model.tflite").read_bytes()
    length = read_bundle(bundle).fixed_length
    assert done.stderr.decode().split("\n")[0] == f"animal {length}"


def test_array_has_the_thresholds_of_a_multi_label_bundle(tmp_path):
    model = read_bundle(LEGACY_BUNDLE).model
    vocabulary = replace(read_bundle(LEGACY_BUNDLE).vocabulary, multi_label=True)
    write_c(tmp_path, model, read_contents(model), vocabulary, (0.35, 1, 0.5, 1e-5))
    done = run_c(PRINT_THRESHOLDS, tmp_path, tmp_path)
    assert done.stdout.decode() == "animal 0.35\nfood 1\nperson 0.5\nplant 1e-05\n"
    with pytest.raises(ValueError, match="0 thresholds for 4 labels"):
        write_c(tmp_path, model, read_contents(model), vocabulary)


def test_array_of_a_single_label_bundle_has_no_thresholds(integer_bundle):
    assert "glovelite_thresholds" not in (integer_bundle[0] / "model.h").read_text("utf-8")


def test_header_lists_the_operators(integer_bundle):
    bundle, _ = integer_bundle
    header = (bundle / "model.h").read_text("utf-8")
    operators = [operator.name for operator in read_contents(read_bundle(bundle).model).operators]
    assert re.findall(r"^ \*   (\w+)$", header, re.MULTILINE) == operators


def test_missing_in_micro_names_operators_and_types():
    contents = Contents(
        (
            OperatorUse("GATHER", 1, 1, True, ("INT32", "INT8"), ("INT8",)),
            OperatorUse("GATHER", 1, 1, True, ("INT32",), ("INT32",)),
            OperatorUse("REDUCE_MAX", 1, 1, True, ("FLOAT32",)),
            OperatorUse("WHERE", 1, 1, True, ("INT8",)),
            OperatorUse("mine", 1, 1, False, ("INT8",)),
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
