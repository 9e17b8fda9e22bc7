"""Measures `glovelite-score` on all cores against plain processes, for several numbers of texts.

    python -m bench.speed.bulk BUNDLE [--rows N]…

Texts are the glosses of tests/data, each with a number, in one Parquet file. Two plain processes
read, classify and write half of the rows each with the same code and without Ray. Times start when
the first rows are read: neither has the start-up of its processes in it. The memory is that of the
driver, above what it takes before the job. Runs in the environment of `make test-scale`. Writes
`results/bulk.json` and `results/bulk.png`, and prints a Markdown table.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.runtime.classifier import Classifier
from glovelite.scale.files import list_inputs, locate
from glovelite.scale.parts import divide
from glovelite.scale.scoring.job import BulkOptions, BulkProgress, score_files
from glovelite.scale.scoring.worker import Work, score_part

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
PROCESSES = 2
CHUNK_ROWS = 100_000
PLAIN = "plain"
BILLION, CLUSTER_CORES = 1_000_000_000, 64


@dataclass(frozen=True)
class Measured:
    """A number of texts scored in both ways.

    Attributes:
        rows: number of texts.
        seconds: of the job on Ray, after start-up.
        total_seconds: of the same, with start-up and shutdown.
        plain_seconds: of the plain processes, after start-up.
        driver_bytes: private memory that the driver took for the job, at its end.
    """

    rows: int
    seconds: float
    total_seconds: float
    plain_seconds: float
    driver_bytes: int


def make_texts() -> Iterator[str]:
    """Yield glosses with a number, without end."""
    with (ROOT / "tests/data/glosses.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    number = 0
    while True:
        for text in texts:
            yield f"{text} {number}"
            number += 1


def write_texts(path: Path, rows: int) -> None:
    """Write a Parquet file of texts."""
    texts = make_texts()
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, CHUNK_ROWS):
            ids = range(start, min(start + CHUNK_ROWS, rows))
            columns = {"id": ids, "text": [next(texts) for _ in ids]}
            writer.write_table(pa.table(columns, schema=schema))


def run_plain(bundle: str, source: str, out: str, half: int) -> None:
    """Score half of the parts without Ray; print the seconds."""
    classifier = Classifier.load(bundle)
    classifier.self_test()  # as every worker does
    parts = divide(list_inputs([source]), BulkOptions().rows_per_file)
    if len(parts) < PROCESSES:
        parts = divide(list_inputs([source]), -(-pq.ParquetFile(source).metadata.num_rows // 2))
    folder = locate(out)
    folder.system.create_dir(folder.path)
    work = Work(classifier, tuple(parts), folder, BulkOptions())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    start = time.monotonic()
    for part in parts[half::PROCESSES]:
        score_part(work, part)
    print(time.monotonic() - start)


def time_plain(bundle: str, source: Path, folder: Path) -> float:
    """Return the seconds of two plain processes that start together."""
    command = [sys.executable, "-m", "bench.speed.bulk", PLAIN, bundle, source, folder / "plain"]
    processes = [
        subprocess.Popen(
            [*command, str(half)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for half in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in processes)


def measure(bundle: str, rows: int) -> Measured:
    """Score a number of texts in both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "texts.parquet"
        write_texts(source, rows)
        classifier, driver = Classifier.load(bundle), psutil.Process()
        peak: list[int] = []

        def show(_: BulkProgress) -> None:
            peak.append(driver.memory_full_info().uss)

        start = time.monotonic()
        options = BulkOptions(rows_per_file=min(BulkOptions().rows_per_file, -(-rows // PROCESSES)))
        done = score_files(classifier, [str(source)], str(folder / "ray"), options, show=show)
        total = time.monotonic() - start
        assert done.rows == rows
        plain = time_plain(bundle, source, folder)
        return Measured(rows, done.seconds, total, plain, peak[-1] - peak[0])


def main() -> None:
    """Measure every number of texts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    found = []
    for rows in options.rows:
        found.append(measure(options.bundle, rows))
        print(found[-1], file=sys.stderr)
    (RESULTS / "bulk.json").write_text(
        json.dumps([asdict(result) for result in found], indent=1) + "\n"
    )
    plot(found)
    print_table(found)


def print_table(found: list[Measured]) -> None:
    """Print the Markdown table, and what a billion texts would take."""
    header = ("texts", "Ray, texts/s", "two plain processes, texts/s", "ratio")
    print(f"| {' | '.join(header)} | Ray with start-up, s | driver MB |")
    print("|---|---|---|---|---|---|")
    for result in found:
        rate, plain = result.rows / result.seconds, result.rows / result.plain_seconds
        print(
            f"| {result.rows:,} | {rate:,.0f} | {plain:,.0f} | {rate / plain:.2f} | "
            f"{result.total_seconds:.0f} | {result.driver_bytes / 1e6:.1f} |"
        )
    hours = BILLION / (found[-1].rows / found[-1].seconds) * PROCESSES / 3600
    print(
        f"\nExtrapolated from the last row, a billion such texts take {hours:.0f} core hours: "
        f"{hours / CLUSTER_CORES * 60:.0f} minutes on {CLUSTER_CORES} such cores, if the storage "
        "keeps up."
    )


def plot(found: list[Measured]) -> None:
    """Draw the rates against the number of texts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    rows = [result.rows for result in found]
    for name, seconds in (
        ("Ray, after start-up", [result.seconds for result in found]),
        ("Ray, with start-up", [result.total_seconds for result in found]),
        ("two plain processes", [result.plain_seconds for result in found]),
    ):
        axes.plot(rows, [n / s for n, s in zip(rows, seconds)], "o-", label=name)
    axes.set(xscale="log", xlabel="texts", ylabel="texts a second", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(RESULTS / "bulk.png", dpi=110)


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAIN]:
        run_plain(*sys.argv[2:5], int(sys.argv[5]))
    else:
        main()
