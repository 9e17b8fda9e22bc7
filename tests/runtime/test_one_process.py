"""TensorFlow and an interpreter in one process, as in a notebook."""

import os

import pytest

from glovelite.convert.worker import run_in_child
from tests.helpers import LEGACY_BUNDLE, ROOT, read_json, run

PREDICT = """
import json
import tensorflow as tf
tf.constant(1) + 1
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version
with Classifier.load(bundle) as classifier:
    found = [interpreter_version(), classifier.self_test().goldens]
path.write_text(json.dumps(found))
"""
WITH_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys  # stands for a loaded TensorFlow; none is imported
from glovelite import InterpreterError
from glovelite.runtime.interpreter import find_interpreter
try:
    print(find_interpreter())
except InterpreterError as error:
    print(error)
"""


@pytest.mark.usefixtures("_conversion_workers")
def test_a_process_with_tensorflow_uses_litert(tmp_path):
    run_in_child(exec, PREDICT, {"bundle": LEGACY_BUNDLE, "path": tmp_path / "found.json"})
    version, goldens = read_json(tmp_path / "found.json")
    assert version.startswith("ai-edge-litert ")
    assert goldens == 13


def test_a_process_with_tensorflow_refuses_tflite_runtime(device_python):
    environment = {**os.environ, "GLOVELITE_INTERPRETER": "tflite-runtime"}
    done = run(device_python, "-c", WITH_TENSORFLOW, env=environment, cwd=ROOT)
    assert "TensorFlow is loaded in this process" in done.stdout
    assert "pip install ai-edge-litert, and unset GLOVELITE_INTERPRETER" in done.stdout


def test_a_process_with_tensorflow_but_without_litert_uses_numpy(device_python):
    done = run(device_python, "-c", WITH_TENSORFLOW, cwd=ROOT)
    if "ai_edge_litert" in done.stdout:
        pytest.skip("the device environment has ai-edge-litert")
    assert "'numpy'" in done.stdout
