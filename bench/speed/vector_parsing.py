"""Times the parsing of GloVe 6B 100d against the source article's loop, whole processes in turn.

    python -m bench.speed.vector_parsing [GLOVE.txt]

Without a file, the vectors named glove.6B.100d are first written out as one. Memory is the peak of
resident pages above what the imports need, as a share of the matrix. Prints a Markdown table.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import polars

from bench.reporting import log, print_table
from glovelite.runtime.logs import log_to
from glovelite.train.vectors.sources import DEFAULT_VECTORS, open_vectors

ROUNDS = 5
ARTICLE_LOOP = """
import numpy as np
{start}
embeddings_index = {{}}
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        values = line.split()
        embeddings_index[values[0]] = np.asarray(values[1:], dtype="float32")
matrix = len(embeddings_index) * 400
{end}
"""
GLOVELITE = """
import os
from glovelite.train.vectors.files import open_file
{start}
matrix = open_file(sys.argv[1]).vectors.nbytes
{end}
"""
START = """
import json, re, sys, time
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
base, begin = peak(), time.perf_counter()
"""
END = "print(json.dumps([time.perf_counter() - begin, (peak() - base) / matrix]))"
NAMES = {
    "loop": "the article's loop",
    "parse": "glovelite, first time (writes the cache)",
    "open": "glovelite, from then on",
}


@log_to(log)
def write_text(path: Path) -> None:
    """Write the vectors named glove.6B.100d in Stanford's text format."""
    vectors = open_vectors(DEFAULT_VECTORS)
    frame = polars.from_numpy(vectors.vectors)
    frame.insert_column(0, polars.Series("word", vectors.words))
    frame.write_csv(path, separator=" ", include_header=False, quote_style="never")


def measure(code: str, path: Path, cache: Path) -> tuple[float, float]:
    """Parse once in a new process; return seconds and memory."""
    done = subprocess.run(
        [sys.executable, "-c", code.format(start=START, end=END), str(path)],
        capture_output=True,
        check=True,
        env={"GLOVELITE_CACHE": str(cache), "PATH": ""},
    )
    seconds, share = json.loads(done.stdout)
    return seconds, share


def main(path: Path, folder: Path) -> None:
    """Measure in turn and print the table."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES}
    for turn in range(ROUNDS):
        cache = folder / f"cache-{turn}"
        measured["loop"].append(measure(ARTICLE_LOOP, path, cache))
        measured["parse"].append(measure(GLOVELITE, path, cache))
        measured["open"].append(measure(GLOVELITE, path, cache))
    ratios = [loop[0] / parse[0] for loop, parse in zip(measured["loop"], measured["parse"])]
    rows = []
    for key, name in NAMES.items():
        seconds = statistics.median(run[0] for run in measured[key])
        share = statistics.median(run[1] for run in measured[key])
        speedup = f"{statistics.median(ratios):.1f}× faster" if key == "parse" else ""
        shown = f"{seconds:.2f} s" if seconds > 0.1 else f"{1000 * seconds:.1f} ms"
        rows.append([name, shown, speedup, f"{share:.2f}×"])
    print_table(["glove.6B.100d", "time, median", "against the loop", "peak memory / matrix"], rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(sys.argv[1]) if sys.argv[1:] else Path(temporary) / "glove.txt"
        if not sys.argv[1:]:
            write_text(source)
        main(source, Path(temporary))
