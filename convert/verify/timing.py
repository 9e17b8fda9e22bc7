"""Times bundles in a clean process that has loaded all of them: text to label, in turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from glovelite.runtime.classifier import Classifier
from glovelite.runtime.errors import DeviceError

from .device import device_environment, last_line

ROUNDS = 5


def time_bundles(bundles: Sequence[Path], texts: Sequence[str]) -> list[float]:
    """Measure the latency of bundles on one thread.

    The bundles take turns with every text, several times, so that a machine that slows down slows
    all of them down.

    Returns:
        For each bundle the median over the texts in µs; for each text the fastest of its rounds.

    Raises:
        DeviceError: the runtime rejected a bundle or died; the message is its last output.
    """
    done = subprocess.run(
        [sys.executable, "-m", "glovelite.convert.verify.timing"],
        input=json.dumps([[str(path.resolve()) for path in bundles], list(texts)]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=device_environment(),
    )
    if done.returncode:
        problem = last_line(done.stderr, done.returncode)
        raise DeviceError(f"the device's interpreter failed on a model: {problem}")
    medians: list[float] = json.loads(done.stdout.splitlines()[-1])
    return medians


def main() -> None:
    """Time the bundles and texts that arrive on standard input as JSON."""
    paths, texts = json.load(sys.stdin)
    classifiers = [Classifier.load(path) for path in paths]
    fastest = [[float("inf")] * len(texts) for _ in classifiers]
    for turn in range(ROUNDS + 1):
        for column, text in enumerate(texts):
            for classifier, times in zip(classifiers, fastest):
                start = time.perf_counter()
                classifier.predict(text)
                elapsed = time.perf_counter() - start
                if turn:  # the first round warms up
                    times[column] = min(times[column], elapsed)
    print(json.dumps([statistics.median(times) * 1e6 for times in fastest]))


if __name__ == "__main__":
    main()
