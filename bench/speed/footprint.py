"""Measures cold start and memory of bundles against the minimum for any program.

    python -m bench.speed.footprint DEVICE_PYTHON BUNDLE…

Cold start is the life of a process from its start to its first prediction, against one that imports
numpy and the interpreter and reads the model file; the two take turns. Memory is private memory of
a process that has classified texts of all lengths, above one that has imported numpy and the
interpreter and opened the model in it; for comparison, what the interpreter itself needs to run the
model once on 16 ids. All on tflite-runtime, in this environment on LiteRT, and on the numpy engine
(where the import is that of numpy and the engine). Writes
`results/footprint.json` and prints a Markdown table.
"""

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.reporting import BENCH, RESULTS, log, print_table, read_json, write_json
from glovelite.convert.manifest import bundle_bytes

STARTS = 25
IMPORT = """
import sys, numpy
if sys.argv[2] == "tflite-runtime":
    from tflite_runtime.interpreter import Interpreter
elif sys.argv[2] == "numpy":
    from glovelite.runtime.numpy_engine.interpreter import Interpreter
else:
    from ai_edge_litert.interpreter import Interpreter
content = open(sys.argv[1] + "/model.tflite", "rb").read()
"""
PREDICT = """
import sys
from glovelite import Classifier
classifier = Classifier.load(sys.argv[1])
classifier.predict("A moving, funny, beautifully acted film.")
"""
PRINT_PRIVATE_BYTES = """
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024)
"""
OPEN = IMPORT + "interpreter = Interpreter(model_content=content)\n"
INVOKE = (
    OPEN
    + """
index = interpreter.get_input_details()[0]["index"]
interpreter.resize_tensor_input(index, [1, 16])
interpreter.allocate_tensors()
interpreter.set_tensor(index, numpy.zeros((1, 16), numpy.int32))
interpreter.invoke()
"""
)
ALL_LENGTHS = """
word = classifier.bundle.vocabulary.tokens[2]
for count in range(1, classifier.bundle.vocabulary.max_tokens + 1, 3):
    classifier.predict(" ".join([word] * count))
"""


@dataclass(frozen=True)
class Footprint:
    """A measured bundle on one interpreter.

    Attributes:
        bundle: its path.
        recipe: name of its recipe.
        layout: `"conv"` or `"folded"`.
        interpreter: name of the interpreter.
        bytes: size of all files that a device needs.
        milliseconds: median cold start of both programs, `import` and `answer`.
        private_bytes: memory of each program.
    """

    bundle: str
    recipe: str
    layout: str
    interpreter: str
    bytes: int
    milliseconds: dict[str, float]
    private_bytes: dict[str, int]


def run(python: str, program: str, bundle: Path, interpreter: str) -> str:
    """Run a program in a clean process."""
    done = subprocess.run(
        [python, "-c", program, str(bundle), interpreter],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "GLOVELITE_INTERPRETER": interpreter,
            "PYTHONPATH": str(BENCH.parent / "src"),
        },
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def time_starts(python: str, bundle: Path, interpreter: str) -> dict[str, float]:
    """Return the median duration of both programs in ms."""
    times: dict[str, list[float]] = {"import": [], "answer": []}
    for _ in range(STARTS):
        for name, program in (("import", IMPORT), ("answer", PREDICT)):
            start = time.perf_counter()
            run(python, program, bundle, interpreter)
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


def measure_memory(python: str, bundle: Path, interpreter: str) -> dict[str, int]:
    """Return private bytes of each program."""
    programs = {
        "imported": IMPORT.partition("content")[0],  # without reading the file
        "opened": OPEN,
        "invoked": INVOKE,
        "one answer": PREDICT,
        "every length": PREDICT + ALL_LENGTHS,
    }
    return {
        name: int(run(python, program + PRINT_PRIVATE_BYTES, bundle, interpreter))
        for name, program in programs.items()
    }


def measure(path: Path, python: str, interpreter: str) -> Footprint:
    """Measure a bundle on one interpreter."""
    log(f"measuring {path} on {interpreter}")
    manifest = read_json(path / "manifest.json")
    return Footprint(
        bundle=str(path),
        recipe=manifest["recipe"],
        layout=manifest["layout"],
        interpreter=interpreter,
        bytes=sum(bundle_bytes(path).values()),
        milliseconds=time_starts(python, path, interpreter),
        private_bytes=measure_memory(python, path, interpreter),
    )


def main() -> None:
    """Measure every bundle on all interpreters and print the table."""
    device, *bundles = sys.argv[1:]
    footprints = [
        measure(Path(bundle), python, interpreter)
        for bundle in bundles
        for python, interpreter in (
            (device, "tflite-runtime"),
            (sys.executable, "ai-edge-litert"),
            (device, "numpy"),
        )
    ]
    write_json(RESULTS / "footprint.json", [asdict(footprint) for footprint in footprints])
    header = ["bundle", "device MB", "interpreter", "start to import, ms", "start to answer, ms"]
    header += ["ratio", "private MB over the file opened: one answer", "1.5 × bundle + 2"]
    header += ["the bare model's run", "every length"]
    print_table(header, map(_cells, footprints))


def _cells(footprint: Footprint) -> list[str]:
    imported, answered = footprint.milliseconds["import"], footprint.milliseconds["answer"]
    megabytes = footprint.bytes / 1e6
    one, bare, every = (
        (footprint.private_bytes[name] - footprint.private_bytes["opened"]) / 1e6
        for name in ("one answer", "invoked", "every length")
    )
    return [
        f"{footprint.bundle}, `{footprint.recipe}` {footprint.layout}",
        f"{megabytes:.2f}",
        footprint.interpreter,
        f"{imported:.0f}",
        f"{answered:.0f}",
        f"{answered / imported:.2f}",
        f"{one:.1f}",
        f"{1.5 * megabytes + 2:.1f}",
        f"{bare:.1f}",
        f"{every:.1f}",
    ]


if __name__ == "__main__":
    main()
