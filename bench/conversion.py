"""Measures a run's bundles, every recipe and layout and the best within a budget.

    python bench/conversion.py RUN BUDGET NAME

writes bench/results/convert-NAME.json and .png and prints the table of the README. Accuracy is the
device interpreter's (tflite-runtime). Times are from text to label, one thread, median, for texts
of so many tokens made of the run's dev text, the bundles in turn; and of the interpreter's invoke()
alone at 48 tokens. Memory is what is private to a
process that has loaded the bundle and answered texts of every length, over one that has imported
the runtime and the interpreter alone.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

from convert import Budget, Field, Order, export_bundle, export_within_budget
from convert.search.budget import Candidate, parse_size
from convert.search.plot import draw_frontier
from convert.tflite.recipes import RECIPES

TOKENS = (16, 48, 256)
INTERPRETERS = {"tflite-runtime": "2.14", "ai-edge-litert": "LiteRT"}
RESULTS = Path(__file__).parent / "results"
ROUNDS = 300

TIMER = """
import json, sys, time
import numpy as np
from runtime import Classifier
from runtime.interpreter import find_interpreter
LENGTH = 64  # of 48 tokens and their padding

def open_bare(classifier, text):
    interpreter = find_interpreter()[1](model_content=classifier.bundle.model, num_threads=1)
    first = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(first, [1, LENGTH])
    interpreter.allocate_tensors()
    ids = classifier.bundle.vocabulary.encode(text).ids
    interpreter.set_tensor(first, np.array([ids + [0] * (LENGTH - len(ids))], np.int32))
    return interpreter

texts, rounds, paths = json.load(sys.stdin)
classifiers = [Classifier.load(path) for path in paths]
interpreters = [open_bare(classifier, texts[1]) for classifier in classifiers]
taken = [[[] for _ in texts] for _ in classifiers]
invoked = [[] for _ in classifiers]
for _ in range(rounds):
    for classifier, interpreter, by_text, alone in zip(classifiers, interpreters, taken, invoked):
        for text, times in zip(texts, by_text):
            begun = time.perf_counter()
            classifier.predict(text)
            times.append((time.perf_counter() - begun) * 1e6)
        interpreter.invoke()
        begun = time.perf_counter()
        interpreter.invoke()
        alone.append((time.perf_counter() - begun) * 1e6)
print(json.dumps([taken, invoked]))
"""
MEMORY = """
import json, sys
import runtime.interpreter
from runtime import Classifier
runtime.interpreter.find_interpreter()
def private():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024
texts, path = json.load(sys.stdin)
before = private()
classifier = Classifier.load(path)
classifier.predict(texts)
print(private() - before)
"""


def ask(program: str, question: object, interpreter: str) -> object:
    """Run a program in a clean process on one of the interpreters."""
    environment = {**os.environ, "GLOVELITE_INTERPRETER": interpreter}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, input=json.dumps(question), capture_output=True, text=True, env=environment
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def say(line: str) -> None:
    """Show progress where the table does not go."""
    print(line, file=sys.stderr)


def export_all(run: Path, budget: str, folder: Path) -> dict[str, Path]:
    """Export by every recipe and layout, and what a search finds within the budget."""
    bundles = {}
    for recipe, layout in product(RECIPES, ("conv", "folded")):
        bundles[f"{recipe}|{layout}"] = folder / f"{recipe}-{layout}"
        order = Order(run, bundles[f"{recipe}|{layout}"], recipe, layout, max_accuracy_drop=None)
        export_bundle(order, say)
    bundles[f"≤ {budget}"] = folder / "budget"
    order = Order(run, folder / "budget", max_accuracy_drop=None)
    export_within_budget(order, Field(), Budget(parse_size(budget)), say)
    return bundles


def measure(run: Path, bundles: dict[str, Path]) -> list[dict[str, object]]:
    """Measure every bundle."""
    dev = [json.loads(line)["text"] for line in (run / "dev.jsonl").open(encoding="utf-8")]
    words = " ".join(dev).split(" ")
    texts = [" ".join(words[1000 : 1000 + count]) for count in TOKENS]
    times = {}
    for interpreter in INTERPRETERS:
        say(f"timing on {interpreter}")
        question = [texts, ROUNDS, [str(path) for path in bundles.values()]]
        times[interpreter] = ask(TIMER, question, interpreter)
    rows = []
    for place, (name, path) in enumerate(bundles.items()):
        manifest = json.loads((path / "manifest.json").read_text("utf-8"))
        files = ("model.tflite", "vocab.json", "manifest.json")
        every_length = [" ".join(words[:count]) for count in range(4, 400, 12)]
        rows.append(
            {
                "name": name,
                **{key: manifest[key] for key in ("recipe", "layout", "dimensions")},
                "words": len(json.loads((path / "vocab.json").read_text("utf-8"))["tokens"]),
                "bytes": sum((path / file).stat().st_size for file in files),
                "accuracy": manifest["accuracy"],
                "microseconds": {
                    interpreter: {
                        str(count): round(statistics.median(values), 1)
                        for count, values in zip(TOKENS, taken[place])
                    }
                    for interpreter, (taken, _) in times.items()
                },
                "invoke_microseconds": {
                    interpreter: round(statistics.median(invoked[place]), 1)
                    for interpreter, (_, invoked) in times.items()
                },
                "private_bytes": {
                    interpreter: ask(MEMORY, [every_length, str(path)], interpreter)
                    for interpreter in INTERPRETERS
                },
            }
        )
    return rows


def table(rows: list[dict]) -> str:
    """Give the rows in Markdown."""
    heads = [
        head
        for short in INTERPRETERS.values()
        for head in (*(f"µs at {count}, {short}" for count in TOKENS), f"invoke, {short}")
    ]
    lines = [
        "| recipe | layout | device bytes | dev | test | same label | "
        + " | ".join(heads)
        + " | private MB |",
        "|" + "---|" * (7 + len(heads)),
    ]
    for row in rows:
        times = []
        for interpreter in INTERPRETERS:
            times += [f"{row['microseconds'][interpreter][str(count)]:.0f}" for count in TOKENS]
            times.append(f"{row['invoke_microseconds'][interpreter]:.1f}")
        layout = row["layout"]
        if row["name"].startswith("≤"):
            layout += f", {row['words']:,} × {row['dimensions']}"
        memory = row["private_bytes"]["tflite-runtime"] / 1e6
        lines.append(
            f"| `{row['recipe']}`{' ' + row['name'] if row['name'].startswith('≤') else ''} "
            f"| {layout} | {row['bytes']:,} | {row['accuracy']['dev']['device']:.2%} "
            f"| {row['accuracy']['test']['device']:.2%} "
            f"| {row['accuracy']['dev']['agreement']:.2%} | {' | '.join(times)} | {memory:.1f} |"
        )
    keras = rows[0]["accuracy"]
    lines.insert(
        2,
        f"| Keras | | | {keras['dev']['keras']:.2%} | {keras['test']['keras']:.2%} |"
        + " |" * (2 + len(heads)),
    )
    return "\n".join(lines)


def draw(rows: list[dict], budget: str, path: Path) -> None:
    """Draw size against accuracy on dev, time at 48 tokens as colour."""
    candidates = [
        Candidate(
            *(row["recipe"], row["layout"], row["words"], row["dimensions"], row["bytes"]),
            accuracy=row["accuracy"]["dev"]["device"],
            agreement=row["accuracy"]["dev"]["agreement"],
            difference=0.0,
            microseconds=row["microseconds"]["tflite-runtime"]["48"],
        )
        for row in rows
    ]
    draw_frontier(candidates, candidates[-1], Budget(parse_size(budget)), path)


def main(run: Path, budget: str, name: str) -> None:
    """Measure, write, print."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(run, export_all(run, budget, Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"convert-{name}.json"
    target.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draw(rows, budget, target.with_suffix(".png"))
    print(table(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
