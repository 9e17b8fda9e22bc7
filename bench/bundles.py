"""Measures a run's bundles, a recipe and layout a row, and prints the table of the README.

    python bench/bundles.py RUN DEVICE_PYTHON

Accuracy is the device interpreter's on the run's test texts; time is text → label in the
environment of DEVICE_PYTHON, one thread, median over the same texts, recipes in turn.
"""

import json
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

from convert import Order, export_bundle
from convert.recipes import RECIPES

TIMER = """
import json, statistics, sys, time
from runtime import Classifier
texts = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8")][:500]
classifiers = [Classifier.load(path) for path in sys.argv[2:]]
taken = [[] for _ in classifiers]
for text in texts + texts:
    for classifier, times in zip(classifiers, taken):
        begun = time.perf_counter()
        classifier.predict(text)
        times.append(time.perf_counter() - begun)
print(json.dumps([statistics.median(times[len(texts):]) * 1e6 for times in taken]))
"""


def main(run: Path, device_python: str) -> None:
    """Export by every recipe in every layout, measure, print a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        exports = {}
        for recipe, layout in product(RECIPES, ("conv", "folded")):
            target = Path(folder) / f"{recipe}-{layout}"
            order = Order(run, target, recipe, layout, max_accuracy_drop=None)
            exports[recipe, layout] = export_bundle(order, say=lambda _: None)
        command = [device_python, "-c", TIMER, str(run / "test.jsonl")]
        command += [str(export.bundle) for export in exports.values()]
        times = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    print("| recipe | layout | all device bytes | Keras | device | same label | µs |")
    print("|---|---|---|---|---|---|---|")
    for ((recipe, layout), export), microseconds in zip(exports.items(), times):
        test = export.fidelity["test"]
        print(
            f"| `{recipe}` | {layout} | {export.total_bytes:,} | {test.keras:.2%} "
            f"| {test.device:.2%} | {test.agreement:.2%} | {microseconds:,.0f} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
