"""What the device computes: a bundle run by the `runtime` a device uses, in a clean process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DeviceError
from ..worker import child_environment

Scores = npt.NDArray[np.float32]


def run_on_device(bundle: Path, texts: Sequence[str]) -> Scores:
    """Classify texts with a bundle in a process of its own.

    Args:
        bundle: the bundle's folder.
        texts: the texts.

    Returns:
        float32 [texts, classes], in the order of the vocabulary's labels.

    Raises:
        DeviceError: the runtime refused the bundle or died; the message is what it said.
    """
    return time_on_device(bundle, texts)[0]


def time_on_device(bundle: Path, texts: Sequence[str]) -> tuple[Scores, list[float]]:
    """Classify texts with a bundle in a process of its own, one thread, and take the time.

    Args:
        bundle: the bundle's folder.
        texts: the texts.

    Returns:
        float32 [texts, classes], in the order of the vocabulary's labels, and µs from text to
        label, for each text.

    Raises:
        DeviceError: the runtime refused the bundle or died; the message is what it said.
    """
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = _run(bundle, "--jsonl", "--time", stdin=lines)
    answers = done.stdout.split("\n")[:-1]
    if done.returncode or len(answers) != len(texts):
        raise DeviceError(f"the device's interpreter failed on the model: {_complaint(done)}")
    predictions = [json.loads(answer)["prediction"] for answer in answers]
    scores = np.array([list(each["probabilities"].values()) for each in predictions], np.float32)
    return scores, [each["microseconds"] for each in predictions]


def self_test_on_device(bundle: Path) -> dict[str, Any]:
    """Replay a bundle's golden texts in a process of its own.

    Args:
        bundle: the bundle's folder.

    Returns:
        `goldens`, `largest_difference`, `tolerance`, `interpreter` and what else the runtime's
        `--self-test --json` says.

    Raises:
        DeviceError: the runtime refused the bundle, or answers otherwise here.
    """
    done = _run(bundle, "--self-test", "--json")
    if done.returncode:
        raise DeviceError(_complaint(done).removeprefix("glovelite-run: "))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _run(bundle: Path, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", str(bundle.resolve()), *options],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=child_environment(),
    )


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Give the last thing a process said, or its exit status if it said nothing."""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
