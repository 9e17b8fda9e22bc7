"""Measures cold start and memory of a bundle against the least a program could have.

    python bench/footprint.py DEVICE_PYTHON BUNDLE…

Cold start is a process's life from its start to its first answer, over one that imports numpy and
the interpreter and reads the model's file; the two take turns. Memory is what is private to a
process that has answered texts of every length, over one that has imported numpy and the
interpreter and opened the model's file in it; beside that, what the interpreter itself takes to run
the model once on 16 ids. All on tflite-runtime and, in this environment, on LiteRT. Writes
`results/footprint.json` and prints the README's table.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
STARTS = 25
IMPORT = """
import sys, numpy
if sys.argv[2] == "tflite-runtime":
    from tflite_runtime.interpreter import Interpreter
else:
    from ai_edge_litert.interpreter import Interpreter
content = open(sys.argv[1] + "/model.tflite", "rb").read()
"""
ANSWER = """
import sys
from runtime import Classifier
classifier = Classifier.load(sys.argv[1])
classifier.predict("A moving, funny, beautifully acted film.")
"""
TELL = """
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024)
"""
OPEN = IMPORT + "interpreter = Interpreter(model_content=content)\n"
INVOKE = (
    OPEN
    + """
first = interpreter.get_input_details()[0]["index"]
interpreter.resize_tensor_input(first, [1, 16])
interpreter.allocate_tensors()
interpreter.set_tensor(first, numpy.zeros((1, 16), numpy.int32))
interpreter.invoke()
"""
)
EVERY_LENGTH = """
word = classifier.bundle.vocabulary.tokens[2]
for count in range(1, classifier.bundle.vocabulary.max_tokens + 1, 3):
    classifier.predict(" ".join([word] * count))
"""


def run(python: str, program: str, bundle: Path, interpreter: str) -> str:
    """Run a program in a clean process."""
    done = subprocess.run(
        [python, "-c", program, str(bundle), interpreter],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOVELITE_INTERPRETER": interpreter, "PYTHONPATH": str(BENCH.parent)},
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def time_start(python: str, bundle: Path, interpreter: str) -> dict[str, float]:
    """Give the medians of both starts, ms."""
    taken: dict[str, list[float]] = {"import": [], "answer": []}
    for _ in range(STARTS):
        for name, program in (("import", IMPORT), ("answer", ANSWER)):
            begun = time.perf_counter()
            run(python, program, bundle, interpreter)
            taken[name].append((time.perf_counter() - begun) * 1e3)
    return {name: float(np.median(times)) for name, times in taken.items()}


def weigh(python: str, bundle: Path, interpreter: str) -> dict[str, int]:
    """Give private bytes: the file opened, the model run bare, after one answer, after all."""
    programs = {
        "imported": IMPORT.partition("content")[0],  # the file neither read nor opened
        "opened": OPEN,
        "invoked": INVOKE,
        "one answer": ANSWER,
        "every length": ANSWER + EVERY_LENGTH,
    }
    return {
        name: int(run(python, program + TELL, bundle, interpreter))
        for name, program in programs.items()
    }


def main() -> None:
    """Measure every bundle on both interpreters and print the table."""
    device, *bundles = sys.argv[1:]
    rows = []
    for path in map(Path, bundles):
        manifest = json.loads((path / "manifest.json").read_text("utf-8"))
        files = ("model.tflite", "vocab.json", "manifest.json")
        size = sum((path / name).stat().st_size for name in files)
        for python, interpreter in ((device, "tflite-runtime"), (sys.executable, "ai-edge-litert")):
            print(f"measuring {path} on {interpreter}", file=sys.stderr)
            rows.append(
                {
                    "bundle": str(path),
                    **{key: manifest[key] for key in ("recipe", "layout")},
                    "interpreter": interpreter,
                    "bytes": size,
                    "milliseconds": time_start(python, path, interpreter),
                    "private_bytes": weigh(python, path, interpreter),
                }
            )
    (RESULTS / "footprint.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(
        "| bundle | device MB | interpreter | start to import, ms | start to answer, ms | ratio "
        "| private MB over the file opened: one answer | 1.5 × bundle + 2 | the bare model's run "
        "| every length |"
    )
    print("|---" * 10 + "|")
    for row in rows:
        times, private, size = row["milliseconds"], row["private_bytes"], row["bytes"] / 1e6
        one, bare, every = (
            (private[name] - private["opened"]) / 1e6
            for name in ("one answer", "invoked", "every length")
        )
        print(
            f"| {row['bundle']}, `{row['recipe']}` {row['layout']} | {size:.2f} "
            f"| {row['interpreter']} | {times['import']:.0f} | {times['answer']:.0f} "
            f"| {times['answer'] / times['import']:.2f} | {one:.1f} | {1.5 * size + 2:.1f} "
            f"| {bare:.1f} | {every:.1f} |"
        )


if __name__ == "__main__":
    main()
