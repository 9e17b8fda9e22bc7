"""Runs a function in a process of its own, because TensorFlow's converter can crash its process.

The parent stays free of TensorFlow, whose libraries also clash with the device interpreter's.
A child that dies is an error message with the signal's name and the last thing it said.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import runtime
from runtime.errors import GloveliteError

from .errors import ConversionError

#: Where the packages lie, so that a child imports the very code its parent runs.
ROOT = Path(runtime.__file__).resolve().parent.parent


def call(function: str, **arguments: Any) -> Any:
    """Call a function in a child process.

    Args:
        function: `"module:name"`.
        **arguments: its arguments, plain JSON types.

    Returns:
        What it returned, as plain JSON types.

    Raises:
        GloveliteError: the function raised one; it has the same message.
        ConversionError: it raised anything else, or the process died.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        done = subprocess.run(
            [sys.executable, "-m", "convert.worker", function, str(answer)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            env=child_environment(),
        )
        if not answer.exists():
            raise ConversionError(
                f"the converter {_manner_of_death(done.returncode)}: {_last_words(done.stderr)}"
            )
        content = json.loads(answer.read_text("utf-8"))
    if "error" in content:
        raise (GloveliteError if content["ours"] else ConversionError)(content["error"])
    return content["result"]


def child_environment() -> dict[str, str]:
    """Give the environment of a child process: our code first, TensorFlow's chatter off."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main(function: str, answer: str) -> None:
    """Be the child: call the function, write its answer whole."""
    module, name = function.split(":")
    content: dict[str, Any]
    try:
        arguments = json.load(sys.stdin)
        content = {"result": getattr(importlib.import_module(module), name)(**arguments)}
    except GloveliteError as error:
        content = {"error": str(error), "ours": True}
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        content = {"error": f"the converter failed: {reason:.400}", "ours": False}
    partial = Path(answer + ".partial")
    partial.write_text(json.dumps(content), "utf-8")
    partial.rename(answer)


def _manner_of_death(status: int) -> str:
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _last_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


if __name__ == "__main__":
    main(*sys.argv[1:])
