"""Times the parsing of GloVe 6B 100d against the article's loop, whole processes in turn.

    python bench/glove.py [GLOVE.txt]

Without a file, the vectors known as glove.6B.100d are written out as one first. Memory is the
peak of resident pages above what the imports hold, as a share of the matrix.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import polars

from train.vectors.sources import open_glove

ROUNDS = 5
LOOP = """
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
OURS = """
import os
from train.vectors.text_format import open_text
{start}
glove = open_text(sys.argv[1], lambda _: None)
matrix = glove.vectors.nbytes
{end}
"""
START = """
import json, re, sys, time
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
base, begun = peak(), time.perf_counter()
"""
END = "print(json.dumps([time.perf_counter() - begun, (peak() - base) / matrix]))"


def write_text(path: Path) -> None:
    """Write the vectors known as glove.6B.100d as Stanford's text."""
    glove = open_glove("glove.6B.100d", lambda line: print(line, file=sys.stderr))
    frame = polars.from_numpy(glove.vectors)
    frame.insert_column(0, polars.Series("word", glove.words))
    frame.write_csv(path, separator=" ", include_header=False, quote_style="never")


def measure(code: str, path: Path, cache: Path) -> tuple[float, float]:
    """Run one parse in a process of its own; give seconds and memory."""
    code = code.format(start=START, end=END)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        check=True,
        env={"GLOVELITE_CACHE": str(cache), "PATH": ""},
    )
    seconds, share = json.loads(done.stdout)
    return seconds, share


def main(path: Path, folder: Path) -> None:
    """Measure in turn and print a Markdown table."""
    measured: dict[str, list[tuple[float, float]]] = {"loop": [], "parse": [], "open": []}
    for turn in range(ROUNDS):
        cache = folder / f"cache-{turn}"
        measured["loop"].append(measure(LOOP, path, cache))
        measured["parse"].append(measure(OURS, path, cache))
        measured["open"].append(measure(OURS, path, cache))
    ratios = [a[0] / b[0] for a, b in zip(measured["loop"], measured["parse"])]
    names = {
        "loop": "the article's loop",
        "parse": "glovelite, first time (writes the cache)",
        "open": "glovelite, from then on",
    }
    print("| glove.6B.100d | time, median | against the loop | peak memory, of the matrix |")
    print("|---|---|---|---|")
    for key, name in names.items():
        seconds = statistics.median(each[0] for each in measured[key])
        share = statistics.median(each[1] for each in measured[key])
        against = f"{statistics.median(ratios):.1f}× faster" if key == "parse" else ""
        shown = f"{seconds:.2f} s" if seconds > 0.1 else f"{1000 * seconds:.1f} ms"
        print(f"| {name} | {shown} | {against} | {share:.2f}× |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(sys.argv[1]) if sys.argv[1:] else Path(temporary) / "glove.txt"
        if not sys.argv[1:]:
            write_text(source)
        main(source, Path(temporary))
