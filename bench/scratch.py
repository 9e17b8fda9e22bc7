"""Prints what GloVe brings as a Markdown table, from a run's scratch.json.

python bench/scratch.py RUN
"""

import json
import sys
from pathlib import Path


def main(run: Path) -> None:
    """Print test accuracy by training-set size and kind of vectors."""
    trials = json.loads((run / "scratch.json").read_text("utf-8"))
    kinds = list(dict.fromkeys(trial["kind"] for trial in trials))
    print("| training texts |", " | ".join(kinds), "|\n" + "|---" * (len(kinds) + 1) + "|")
    for size in dict.fromkeys(trial["texts"] for trial in trials):
        row = {trial["kind"]: trial for trial in trials if trial["texts"] == size}
        cells = [
            f"{row[kind]['accuracy']:.1%} ({row[kind]['interval'][0]:.1%} to "
            f"{row[kind]['interval'][1]:.1%})"
            for kind in kinds
        ]
        print(f"| {size:,} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
