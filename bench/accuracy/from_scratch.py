"""Prints the gain of GloVe over random vectors as a Markdown table, from a run's `scratch.json`.

python -m bench.accuracy.from_scratch RUN
"""

import sys
from pathlib import Path

from bench.reporting import print_table, read_json


def main(run: Path) -> None:
    """Print test accuracy by number of training texts and kind of vectors."""
    trials = read_json(run / "scratch.json")
    kinds = list(dict.fromkeys(trial["kind"] for trial in trials))
    rows = []
    for size in dict.fromkeys(trial["texts"] for trial in trials):
        by_kind = {trial["kind"]: trial for trial in trials if trial["texts"] == size}
        rows.append([f"{size:,}", *(_describe(by_kind[kind]) for kind in kinds)])
    print_table(["training texts", *kinds], rows)


def _describe(trial: dict) -> str:
    low, high = trial["interval"]
    return f"{trial['accuracy']:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
