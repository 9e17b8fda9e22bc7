"""TensorFlow and an interpreter in one process, as in a notebook."""

import json
import os
import sys

import pytest

from tests.helpers import LEGACY_BUNDLE, ROOT, run

PREDICT = """
import json, sys
import tensorflow as tf
tf.constant(1) + 1
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version
with Classifier.load(sys.argv[1]) as classifier:
    print(json.dumps([interpreter_version(), classifier.self_test().goldens]))
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


def test_a_process_with_tensorflow_uses_litert():
    done = run(sys.executable, "-c", PREDICT, LEGACY_BUNDLE, cwd=ROOT)
    version, goldens = json.loads(done.stdout.splitlines()[-1])
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
