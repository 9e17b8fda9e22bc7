"""Runs a bundle with the `runtime` that a device uses, in a clean process.

Of several interpreters that are installed, bundles are measured on tflite-runtime: it is what the
runtime installs with Python up to 3.11, and its kernels round more. `verify` replays the golden
texts on all of them. Those that cannot run here are skipped with a warning.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from glovelite.runtime.aliases import Bools, Floats
from glovelite.runtime.errors import DeviceError
from glovelite.runtime.interpreter import (
    TFLITE_RUNTIME,
    VARIABLE,
    find_interpreter,
    interpreter_version,
    list_interpreters,
)

from ..worker import child_environment

_LOGGER = logging.getLogger(__name__)
_PRINT_PROBLEM = """
import sys
from glovelite.runtime.interpreter import interpreter_problem
print(interpreter_problem(sys.argv[1]) or "")
"""


@dataclass(frozen=True)
class DeviceSelfTest:
    """A passed self-test.

    Attributes:
        interpreter: name and version of the interpreter.
        goldens: number of golden texts.
        largest_difference: largest difference of a probability from the manifest's.
    """

    interpreter: str
    goldens: int
    largest_difference: float


@dataclass(frozen=True)
class DevicePredictions:
    """A device's answers.

    Attributes:
        scores: float32 [texts, classes], in the order of the vocabulary's labels.
        abstained: bool [texts], whether the device marks the prediction as not to be relied on.
    """

    scores: Floats
    abstained: Bools


def device_interpreter() -> str:
    """Return the name of the interpreter that bundles are measured on.

    Raises:
        InterpreterError: the selected one is unknown or not installed.
    """
    preferred = not os.environ.get(VARIABLE) and TFLITE_RUNTIME in list_interpreters()
    return TFLITE_RUNTIME if preferred and _can_run(TFLITE_RUNTIME) else find_interpreter()[0]


def runnable_interpreters() -> list[str]:
    """List the interpreters that run here, or the selected one."""
    selected = os.environ.get(VARIABLE)
    return [selected] if selected else [name for name in list_interpreters() if _can_run(name)]


@cache
def _can_run(interpreter: str) -> bool:
    """Try an interpreter in a process of its own, which TensorFlow is not loaded in."""
    command = [sys.executable, "-c", _PRINT_PROBLEM, interpreter]
    done = subprocess.run(command, capture_output=True, text=True, env=child_environment())
    problem = done.stdout.strip() or (
        last_line(done.stderr, done.returncode) if done.returncode else ""
    )
    if problem:
        _LOGGER.warning("interpreter skipped: %s", problem)
    return not problem


def device_version() -> str:
    """Return name and version of the interpreter that bundles are measured on.

    Raises:
        InterpreterError: the selected one is unknown or not installed.
    """
    return interpreter_version(device_interpreter())


def device_environment(interpreter: str | None = None) -> dict[str, str]:
    """Return the environment of a process that runs bundles on an interpreter.

    None is the interpreter that bundles are measured on.
    """
    return {**child_environment(), VARIABLE: interpreter or device_interpreter()}


def run_on_device(bundle: Path, texts: Sequence[str]) -> Floats:
    """Return the scores of `predict_on_device`."""
    return predict_on_device(bundle, texts).scores


def predict_on_device(bundle: Path, texts: Sequence[str]) -> DevicePredictions:
    """Classify texts with a bundle in a process of its own.

    Raises:
        DeviceError: the runtime rejected the bundle or died; the message is its last output.
    """
    scores, abstained = list[Floats](), list[bool]()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as given, tempfile.TemporaryFile() as log:
        given.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        given.seek(0)
        with subprocess.Popen(
            _command(bundle, "--jsonl"),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env=device_environment(),
        ) as device:
            assert device.stdout is not None
            # One at a time: all answers about thousands of classes would take gigabytes.
            for answer in device.stdout:
                if answer.endswith("\n"):  # the last one of a process that died may not
                    prediction = json.loads(answer)["prediction"]
                    scores.append(np.array([*prediction["probabilities"].values()], np.float32))
                    abstained.append(prediction["abstained"])
        if device.returncode or len(scores) != len(texts):
            log.seek(0)
            problem = last_line(log.read().decode("utf-8", "replace"), device.returncode)
            raise DeviceError(f"the device's interpreter failed on the model: {problem}")
    return DevicePredictions(np.array(scores, np.float32), np.array(abstained, np.bool_))


def self_test_on_device(bundle: Path, interpreter: str) -> DeviceSelfTest:
    """Replay a bundle's golden texts on an interpreter, in a process of its own.

    Raises:
        DeviceError: the runtime rejected the bundle, or its predictions differ here.
    """
    done = subprocess.run(
        _command(bundle, "--self-test", "--json"),
        capture_output=True,
        encoding="utf-8",
        env=device_environment(interpreter),
    )
    if done.returncode:
        problem = last_line(done.stderr, done.returncode)
        raise DeviceError(problem.removeprefix("glovelite-run: "))
    result = json.loads(done.stdout)
    return DeviceSelfTest(result["interpreter"], result["goldens"], result["largest_difference"])


def _command(bundle: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "glovelite.runtime", str(bundle.resolve()), *options]


def last_line(errors: str, status: int) -> str:
    """Return the last line that a process wrote to standard error, or its exit status."""
    return (errors.strip().splitlines() or [f"exit status {status}"])[-1]
