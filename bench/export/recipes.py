"""Measures bundles of a run: every recipe and layout, and the best within a budget.

    python -m bench.export.recipes RUN BUDGET NAME

Writes `results/convert-NAME.json` and `.png`, and prints a Markdown table. Accuracy is measured on
the device's interpreter (tflite-runtime). Latency is from text to label, on one thread, median, for
texts of several lengths made of the run's dev text, the bundles in turn; and of the interpreter's
invoke() alone at 48 tokens. Memory is private memory of a process that has loaded the bundle and
classified texts of all lengths, above one that has only imported the runtime and the interpreter.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench.datasets import read_texts
from bench.reporting import RESULTS, log, print_table, read_json, write_json
from glovelite.convert import Budget, ExportOptions, export_bundle, export_within_budget
from glovelite.convert.candidates import Candidate
from glovelite.convert.manifest import bundle_bytes
from glovelite.convert.options import RECIPES
from glovelite.convert.search.plot import plot_frontier
from glovelite.data.commands import parse_size
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.logs import log_to

TOKENS = (16, 48, 256)
INTERPRETERS = {"tflite-runtime": "2.14", "ai-edge-litert": "LiteRT"}
ROUNDS = 300

TIME_PREDICTIONS = """
import json, sys, time
import numpy as np
from glovelite import Classifier
from glovelite.runtime.interpreter import find_interpreter
LENGTH = 64  # of 48 tokens and their padding

def open_interpreter(classifier, text):
    interpreter = find_interpreter()[1](model_content=classifier.bundle.model, num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, [1, LENGTH])
    interpreter.allocate_tensors()
    ids = classifier.bundle.vocabulary.encode(text).ids
    interpreter.set_tensor(index, np.array([ids + [0] * (LENGTH - len(ids))], np.int32))
    return interpreter

def microseconds(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e6

texts, rounds, paths = json.load(sys.stdin)
classifiers = [Classifier.load(path) for path in paths]
interpreters = [open_interpreter(classifier, texts[1]) for classifier in classifiers]
predict_times = [[[] for _ in texts] for _ in classifiers]
invoke_times = [[] for _ in classifiers]
for _ in range(rounds):
    for bundle, classifier in enumerate(classifiers):
        for text, times in zip(texts, predict_times[bundle]):
            times.append(microseconds(lambda: classifier.predict(text)))
        interpreters[bundle].invoke()
        invoke_times[bundle].append(microseconds(interpreters[bundle].invoke))
print(json.dumps([predict_times, invoke_times]))
"""
MEASURE_MEMORY = """
import json, sys
import glovelite.runtime.interpreter
from glovelite import Classifier
glovelite.runtime.interpreter.find_interpreter()
def private_bytes():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024
texts, path = json.load(sys.stdin)
before = private_bytes()
classifier = Classifier.load(path)
classifier.predict(texts)
print(private_bytes() - before)
"""


@dataclass(frozen=True)
class Measurement:
    """A measured bundle.

    Attributes:
        name: recipe and layout, or the budget.
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        dimensions: of the word vectors.
        words: listed words.
        hashed_words: words in the index of hashed words.
        bytes: size of all files that a device needs.
        accuracy: from the manifest.
        microseconds: interpreter -> tokens -> median latency from text to label.
        invoke_microseconds: interpreter -> median latency of invoke() at 48 tokens.
        private_bytes: interpreter -> memory.
    """

    name: str
    recipe: str
    layout: str
    dimensions: int
    words: int
    hashed_words: int
    bytes: int
    accuracy: dict[str, Any]
    microseconds: dict[str, dict[str, float]]
    invoke_microseconds: dict[str, float]
    private_bytes: dict[str, int]

    @property
    def within_budget(self) -> bool:
        """Whether a search chose it."""
        return self.name.startswith("≤")


def run_program(program: str, request: object, interpreter: str) -> Any:
    """Run a program in a clean process on one of the interpreters."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, "GLOVELITE_INTERPRETER": interpreter},
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@log_to(log)
def export_all(run: Path, budget: str, folder: Path) -> dict[str, Path]:
    """Export with every recipe and layout, and the best bundle within the budget."""
    bundles = {}
    for recipe, layout in product(RECIPES, ("conv", "folded")):
        bundle = bundles[f"{recipe}|{layout}"] = folder / f"{recipe}-{layout}"
        options = ExportOptions(recipe=recipe, layout=layout, max_accuracy_drop=None)
        export_bundle(run, bundle, options)
    bundle = bundles[f"≤ {budget}"] = folder / "budget"
    options = ExportOptions(max_accuracy_drop=None)
    export_within_budget(run, bundle, Budget(parse_size(budget)), options)
    return bundles


def measure(run: Path, bundles: dict[str, Path]) -> list[Measurement]:
    """Measure every bundle."""
    words = " ".join(read_texts(run / "dev.jsonl")).split(" ")
    texts = [" ".join(words[1000 : 1000 + count]) for count in TOKENS]
    all_lengths = [" ".join(words[:count]) for count in range(4, 400, 12)]
    times = {}
    for interpreter in INTERPRETERS:
        log(f"timing on {interpreter}")
        request = [texts, ROUNDS, [str(path) for path in bundles.values()]]
        times[interpreter] = run_program(TIME_PREDICTIONS, request, interpreter)
    measurements = []
    for index, (name, path) in enumerate(bundles.items()):
        manifest = read_json(path / "manifest.json")
        vocabulary = read_bundle(path).vocabulary
        predict_medians = {
            interpreter: {
                str(count): round(statistics.median(values), 1)
                for count, values in zip(TOKENS, predict_times[index])
            }
            for interpreter, (predict_times, _) in times.items()
        }
        invoke_medians = {
            interpreter: round(statistics.median(invoke_times[index]), 1)
            for interpreter, (_, invoke_times) in times.items()
        }
        memory = {
            interpreter: run_program(MEASURE_MEMORY, [all_lengths, str(path)], interpreter)
            for interpreter in INTERPRETERS
        }
        measurements.append(
            Measurement(
                name=name,
                recipe=manifest["recipe"],
                layout=manifest["layout"],
                dimensions=manifest["dimensions"],
                words=len(vocabulary.tokens),
                hashed_words=vocabulary.hashed_count,
                bytes=sum(bundle_bytes(path).values()),
                accuracy=manifest["accuracy"],
                microseconds=predict_medians,
                invoke_microseconds=invoke_medians,
                private_bytes=memory,
            )
        )
    return measurements


def print_measurements(measurements: list[Measurement]) -> None:
    """Print a Markdown table, the Keras model first."""
    header = ["recipe", "layout", "device bytes", "dev", "test", "same label"]
    for short in INTERPRETERS.values():
        header += [*(f"µs at {count}, {short}" for count in TOKENS), f"invoke, {short}"]
    header.append("private MB")
    accuracy = measurements[0].accuracy
    keras = ["Keras", "", "", *(f"{accuracy[part]['keras']:.2%}" for part in ("dev", "test"))]
    rows = [keras + [""] * (len(header) - len(keras))]
    print_table(header, rows + [_cells(measurement) for measurement in measurements])


def _cells(measurement: Measurement) -> list[str]:
    times = []
    for interpreter in INTERPRETERS:
        times += [f"{measurement.microseconds[interpreter][str(count)]:.0f}" for count in TOKENS]
        times.append(f"{measurement.invoke_microseconds[interpreter]:.1f}")
    name = size = ""
    if measurement.within_budget:
        name = f" {measurement.name}"
        size = f", {measurement.words:,} × {measurement.dimensions}"
    return [
        f"`{measurement.recipe}`{name}",
        f"{measurement.layout}{size}",
        f"{measurement.bytes:,}",
        f"{measurement.accuracy['dev']['device']:.2%}",
        f"{measurement.accuracy['test']['device']:.2%}",
        f"{measurement.accuracy['dev']['agreement']:.2%}",
        *times,
        f"{measurement.private_bytes['tflite-runtime'] / 1e6:.1f}",
    ]


def plot(measurements: list[Measurement], budget: str, path: Path) -> None:
    """Plot size against accuracy on dev, with latency at 48 tokens as color."""
    candidates = [
        Candidate(
            recipe=measurement.recipe,
            layout=measurement.layout,
            words=measurement.words,
            hashed_words=measurement.hashed_words,
            dimensions=measurement.dimensions,
            bytes=measurement.bytes,
            accuracy=measurement.accuracy["dev"]["device"],
            agreement=measurement.accuracy["dev"]["agreement"],
            difference=0.0,
            microseconds=measurement.microseconds["tflite-runtime"]["48"],
        )
        for measurement in measurements
    ]
    plot_frontier(candidates, candidates[-1], Budget(parse_size(budget)), path)


def main(run: Path, budget: str, name: str) -> None:
    """Measure, write the results and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        measurements = measure(run, export_all(run, budget, Path(folder)))
    path = RESULTS / f"convert-{name}.json"
    write_json(path, [asdict(measurement) for measurement in measurements])
    plot(measurements, budget, path.with_suffix(".png"))
    print_measurements(measurements)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
