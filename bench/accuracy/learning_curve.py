"""Measures the value of more labelled text: a dataset trained on increasing parts of it.

    python -m bench.accuracy.learning_curve [DATASET]

The dataset (default: sst2) must have published dev text, so that all parts are scored on the same
texts. Each part contains the smaller ones. Test text is not used. Results in
`runs/learning_curve.json` are reused. Writes `results/learning_curve.json` and `.png`, and prints a
Markdown table.
"""

import sys
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from bench.accuracy.ablation import measure
from bench.datasets import Dataset, choose_datasets, write_split
from bench.reporting import RESULTS, log, print_table, read_json, read_jsonl, write_json

WORK = Path("runs/learning_curve.json")
PARTS = Path("runs/learning_curve")
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
SEED = 0


def write_part(dataset: Dataset, rows: int | None) -> Dataset:
    """Write a part of the training text (None: all) with dev and test; return it as a dataset."""
    folder = PARTS / dataset.name / str(rows or "all")
    write_split(replace(dataset, rows=rows), SEED, folder)
    files = [str(folder / f"{part}.jsonl") for part in ("train", "dev", "test")]
    return Dataset(dataset.name, *files)


def plot(name: str, curve: dict[int, float], path: Path) -> None:
    """Plot accuracy on dev against the number of training texts."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(list(curve), [100 * accuracy for accuracy in curve.values()], marker="o")
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(curve), [f"{count:,}" for count in curve])
    axes.set(title=f"Learning curve: {name}", xlabel="training texts", ylabel="dev accuracy, %")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure what is missing, plot, and print the table."""
    (dataset,) = choose_datasets(sys.argv[1:] or ["sst2"])
    if dataset.dev is None:
        sys.exit(f"{dataset.name} has no published dev text, so parts would differ in theirs")
    known: dict[str, float] = read_json(WORK, {})
    total = len(read_jsonl(Path(write_part(dataset, None).train)))
    curve = dict[int, float]()
    for share in SHARES:
        rows = round(share * total)
        key = f"{dataset.name}|{rows}"
        if key not in known:
            known[key] = float(measure(write_part(dataset, rows), SEED, {})["dev"].mean())
            write_json(WORK, known)
            log(f"{key} {known[key]:.2%}")
        curve[rows] = known[key]
    write_json(RESULTS / "learning_curve.json", {"set": dataset.name, "curve": curve})
    plot(dataset.name, curve, RESULTS / "learning_curve.png")
    header = ["training texts", *(f"{rows:,}" for rows in curve)]
    print_table(header, [["dev accuracy", *(f"{accuracy:.2%}" for accuracy in curve.values())]])


if __name__ == "__main__":
    main()
