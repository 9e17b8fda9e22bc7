"""Measures `glovelite-corpus` on one core and on all cores, for several numbers of texts.

    python -m bench.speed.corpora [--rows N]…

Texts are the labelled glosses of tests/data, each with a number, every tenth a copy, in one Parquet
file. Times are those of the whole command, with its start and that of Ray. Both folders must be the
same. Runs in the environment of `make test-scale`. Writes `results/corpora.json` and prints a
Markdown table.
"""

import argparse
import csv
import filecmp
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
CHUNK_ROWS = 100_000
COPY_EVERY = 10
ROWS_PER_TASK = 50_000


@dataclass(frozen=True)
class Measured:
    """A corpus folder made in both ways.

    Attributes:
        rows: number of texts.
        seconds: on one core.
        ray_seconds: on all cores.
        bytes: memory that the process took at most on one core, with Python and its libraries.
    """

    rows: int
    seconds: float
    ray_seconds: float
    bytes: int


def make_rows() -> Iterator[tuple[str, str]]:
    """Yield glosses with a number and their labels, every tenth twice, without end."""
    with (ROOT / "tests/data/glosses.csv").open(encoding="utf-8", newline="") as file:
        glosses = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    for number in itertools.count():
        for index, (text, label) in enumerate(glosses):
            yield f"{text} {number}", label
            if index % COPY_EVERY == 0:
                yield f"{text} {number}", label


def write_rows(path: Path, rows: int) -> None:
    """Write a Parquet file of texts and labels."""
    made = make_rows()
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, CHUNK_ROWS):
            texts, labels = zip(*itertools.islice(made, min(CHUNK_ROWS, rows - start)))
            writer.write_table(pa.table({"text": texts, "label": labels}, schema=schema))


def run(source: Path, out: Path, *options: str) -> tuple[float, int]:
    """Return the seconds of the command, and the bytes that its process took at most."""
    command = [sys.executable, "-m", "glovelite.scale.corpora.cli", source, out, *options]
    command += ["--rows-per-file", str(ROWS_PER_TASK)]
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def measure(rows: int) -> Measured:
    """Make a corpus folder in both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "texts.parquet", rows)
        seconds, taken = run(folder / "texts.parquet", folder / "one")
        ray_seconds, _ = run(folder / "texts.parquet", folder / "ray", "--address", "local")
        files = [
            str(path.relative_to(folder / "one"))
            for path in (folder / "one").rglob("*")
            if path.is_file()
        ]
        same, *others = filecmp.cmpfiles(folder / "one", folder / "ray", files, shallow=False)
        assert len(same) == len(files), others
    return Measured(rows, seconds, ray_seconds, taken)


def main() -> None:
    """Measure every number of texts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 4_000_000])
    options = parser.parse_args()
    found = []
    for rows in options.rows:
        found.append(measure(rows))
        print(found[-1], file=sys.stderr)
    content = json.dumps([asdict(result) for result in found], indent=1)
    (RESULTS / "corpora.json").write_text(content + "\n")
    print("| texts | one core, texts/s | two cores on Ray, texts/s | memory on one core, MB |")
    print("|---|---|---|---|")
    for result in found:
        print(
            f"| {result.rows:,} | {result.rows / result.seconds:,.0f} | "
            f"{result.rows / result.ray_seconds:,.0f} | {result.bytes / 1e6:.0f} |"
        )


if __name__ == "__main__":
    main()
