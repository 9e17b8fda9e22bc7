"""What the device computes: a bundle run by the `runtime` a device uses, in a clean process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .child import child_environment
from .errors import DeviceError

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fidelity:
    """How the device compares with Keras on one set of texts.

    Attributes:
        texts: how many.
        keras: accuracy of the float model, 0 to 1.
        device: accuracy of the bundle on the device's interpreter, 0 to 1.
        agreement: share of texts given the same label by both, 0 to 1.
        largest_difference: of any probability.
    """

    texts: int
    keras: float
    device: float
    agreement: float
    largest_difference: float


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
    done = subprocess.run(
        [sys.executable, "-m", "runtime", str(bundle.resolve()), "--jsonl"],
        input="".join(json.dumps({"text": text}) + "\n" for text in texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=child_environment(),
    )
    answers = done.stdout.split("\n")[:-1]
    if done.returncode or len(answers) != len(texts):
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise DeviceError(f"the device's interpreter failed on the model: {said[-1]}")
    rows = [list(json.loads(answer)["probabilities"].values()) for answer in answers]
    return np.array(rows, np.float32)


def compare(targets: npt.NDArray[np.int64], keras: Scores, device: Scores) -> Fidelity:
    """Compare the device's scores with Keras's.

    Args:
        targets: int64 [texts], true classes.
        keras: float32 [texts, classes].
        device: float32 [texts, classes].

    Returns:
        The comparison.
    """
    by_keras, by_device = keras.argmax(axis=1), device.argmax(axis=1)
    return Fidelity(
        texts=len(targets),
        keras=float(np.mean(by_keras == targets)),
        device=float(np.mean(by_device == targets)),
        agreement=float(np.mean(by_keras == by_device)),
        largest_difference=float(np.abs(keras - device).max()),
    )
