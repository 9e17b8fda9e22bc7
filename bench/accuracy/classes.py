"""Compares text of 26, 150 and 1,000 classes with rivals; prints a Markdown table.

    python -m bench.accuracy.classes RIVALS DEVICE_RUN [--seeds N] [CLASSES]…

The texts are WordNet's definitions of nouns, labelled by groups of kindred words
(`word_groups.py`). For each number of classes and each seed, which draws the split:
`glovelite-train` and `glovelite-convert` with their defaults, predictions by the device
environment's `glovelite-run`; and the rivals (`class_rivals.py`) on the same files. Results in
`runs/classes` are reused. Writes `results/classes.json`.
"""

import argparse
from pathlib import Path

from bench.accuracy.compare import Ours, compare
from bench.accuracy.summary import Summary, describe_lead
from bench.accuracy.word_groups import write_groups
from bench.datasets import Dataset
from bench.reporting import RESULTS, print_table, read_json, write_json

WORK = Path("runs/classes")
OURS, KEPT = "glovelite", Ours("base", ("--no-gate",))
RIVALS = ("fastText .ftz", "fastText .bin", "TF-IDF + LR")
#: Number of classes -> at most so many texts of each.
TEXTS = {26: 1_000, 150: 150, 1_000: 25}


def main() -> None:
    """Run what is missing and compare."""
    options = parse_arguments()
    path = RESULTS / "classes.json"
    summaries = read_json(path, {})
    for count in options.classes or TEXTS:
        file = WORK / f"{count}.csv"
        if not file.is_file():
            write_groups(file, count, TEXTS[count])
        dataset = Dataset(str(count), str(file))
        found = compare(dataset, WORK, {OURS: KEPT}, options, "class_rivals.py", RIVALS)
        summaries[str(count)] = found
        write_json(path, summaries)
    print_table(*make_table(summaries))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("classes", nargs="*", type=int, choices=TEXTS, help="numbers of classes")
    parser.add_argument("--seeds", type=int, default=3, help="number of splits")
    return parser.parse_intermixed_args()


def make_table(summaries: dict[str, Summary]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table, a number of classes each."""
    header = ["classes", "test texts", "Keras", OURS, *RIVALS, "lead over the best rival"]
    header += ["kB: glovelite", *RIVALS]
    rows = []
    for count, summary in summaries.items():
        ours = summary[OURS]
        best = max(RIVALS, key=lambda rival: summary[rival]["test"])
        scores = (ours["keras"], *(summary[name]["test"] for name in (OURS, *RIVALS)))
        sizes = (f"{summary[name]['bytes'] / 1000:,.0f}" for name in (OURS, *RIVALS))
        texts = f"{ours['test_texts']:,} × {len(ours['test_by_seed'])}"
        lead = describe_lead(ours["lead"][best])
        rows.append([count, texts, *(f"{score:.1%}" for score in scores), lead, *sizes])
    return header, rows


if __name__ == "__main__":
    main()
