"""Measures what the correction of misspelt words costs: text to label, with and without it.

    DEVICE_PYTHON -m bench.speed.spelling

The bundles are those of `make bench-accuracy`, exported as they are and with `--no-spelling`. Both
are loaded again for every round, as corrected words are remembered, and warmed on other texts.
They take turns. The time of a text is its shortest of all rounds, so that other programs of a busy
machine do not count. Prints a Markdown table.
"""

import math
import statistics
import time
from pathlib import Path

from bench.reporting import RESULTS, print_table, read_jsonl, write_json
from glovelite import Classifier

ACCURACY = Path("runs/accuracy")
ROUNDS, TIMED, WARM_UP = 9, 300, 300
BUNDLES = {"corrected": "bundle-base", "--no-spelling": "bundle-base--no-spelling"}
#: Texts -> dataset of the model, file of the texts.
WORKLOADS = {
    "tweets": ("emotion", "emotion/0/split/test.jsonl"),
    "tweets, 10 % misspelt": ("emotion", "emotion/0/split/misspelt-10.jsonl"),
    "sentences": ("imdb", "rotten-tomatoes/0/split/test.jsonl"),
    "reviews": ("imdb", "imdb/0/split/test.jsonl"),
}


def main() -> None:
    """Time both bundles on every kind of text, write the results and print the table."""
    results = {name: time_bundles(*workload) for name, workload in WORKLOADS.items()}
    write_json(RESULTS / "spelling.json", results)
    rows = []
    for name, found in results.items():
        with_it, without = found["corrected"], found["--no-spelling"]
        cells = (
            f"{with_it[key]:,.0f} / {without[key]:,.0f} µs; {with_it[key] / without[key]:.2f}"
            for key in ("median", "mean")
        )
        rows.append([name, *cells])
    print_table(["corrected / --no-spelling; ratio", "median", "mean"], rows)


def time_bundles(dataset: str, texts: str) -> dict[str, dict[str, float]]:
    """Return the median and the mean µs of a text by each bundle of a dataset."""
    rows = [row["text"] for row in read_jsonl(ACCURACY / texts)]
    timed, others = rows[:TIMED], rows[TIMED : TIMED + WARM_UP]
    shortest = {name: [math.inf] * len(timed) for name in BUNDLES}
    for _ in range(ROUNDS):
        for name, folder in BUNDLES.items():
            with Classifier.load(ACCURACY / dataset / "0" / folder) as classifier:
                time_texts(classifier, others)
                times = time_texts(classifier, timed)
            shortest[name] = [*map(min, shortest[name], times)]
    return {
        name: {"median": statistics.median(times), "mean": statistics.mean(times)}
        for name, times in shortest.items()
    }


def time_texts(classifier: Classifier, texts: list[str]) -> list[float]:
    """Return the µs that each text takes."""
    times = []
    for text in texts:
        start = time.perf_counter_ns()
        classifier.predict(text)
        times.append((time.perf_counter_ns() - start) / 1000)
    return times


if __name__ == "__main__":
    main()
