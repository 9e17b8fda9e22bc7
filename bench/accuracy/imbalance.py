"""Measures --class-weights balanced on datasets with classes of very different sizes.

    python -m bench.accuracy.imbalance [--seeds N] [DATASET | CSV]…

Default: emotion as it is (the smallest class is one text in 28), and SST-2 with only so many
negative texts that they are one text in 20, in training, dev and test text alike. Each is trained
without weights and with them. Results in `runs/imbalance` are reused.
Prints a Markdown table, means over the seeds, and writes `results/imbalance.json`.
"""

import argparse
import random
from pathlib import Path

import numpy as np

from bench.datasets import Dataset, choose_datasets, write_split
from bench.reporting import (
    BIN,
    RESULTS,
    print_table,
    read_json,
    read_jsonl,
    run_command,
    write_json,
    write_jsonl,
)

WORK = Path("runs/imbalance")
RARE_LABEL, RARE_SHARE = "negative", 0.05
VARIANTS = {
    "as it stands": [],
    "`--class-weights balanced`": ["--class-weights", "balanced"],
}
COLUMNS = ("accuracy", "macro F1", "rarest: precision", "rarest: recall", "calibration error")


def reduce_rare_class(split: Path, folder: Path, seed: int) -> Path:
    """Drop texts of `RARE_LABEL` until they are `RARE_SHARE` of each part; return the folder."""
    for part in ("train", "dev", "test"):
        rows = read_jsonl(split / f"{part}.jsonl")
        rare = [row for row in rows if row["label"] == RARE_LABEL]
        others = [row for row in rows if row["label"] != RARE_LABEL]
        count = round(len(others) * RARE_SHARE / (1 - RARE_SHARE))
        kept = random.Random(seed).sample(rare, count)
        write_jsonl(folder / f"{part}.jsonl", [*others, *kept])
    return folder


def measure(dataset: Dataset, seed: int, options: list[str], run: Path) -> list[float]:
    """Train, or read the earlier run; return the test scores named in `COLUMNS`."""
    if not (run / "metrics.json").is_file():
        split = write_split(dataset, seed, run.with_name("split"))
        if dataset.name == "sst2":
            split = reduce_rare_class(split, run.with_name("thinned"), seed)
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl"]
        settings = [*held_out, "--seed", seed, *options, "--out", run]
        run_command([BIN / "glovelite-train", split / "train.jsonl", *settings])
    metrics = read_json(run / "metrics.json")
    test = metrics["scores"]["test"]
    rarest = min(test["classes"], key=lambda row: row["texts"])
    macro_f1 = float(np.mean([row["f1"] for row in test["classes"]]))
    error = metrics["calibration"]["error"]["test"][1]  # with the temperature
    return [test["accuracy"], macro_f1, rarest["precision"], rarest["recall"], error]


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    results, rows = {}, []
    names = options.datasets or ["emotion", "sst2"]
    for dataset in (dataset for dataset in choose_datasets(names) if dataset.available):
        name = "sst2, one negative in 20" if dataset.name == "sst2" else dataset.name
        for number, (variant, choice) in enumerate(VARIANTS.items()):
            runs = [
                measure(dataset, seed, choice, WORK / dataset.name / f"{seed}/run-{number}")
                for seed in range(options.seeds)
            ]
            results[f"{name}, {variant}"] = {c: list(r) for c, r in zip(COLUMNS, zip(*runs))}
            rows.append([name, variant, *(f"{mean:.1%}" for mean in np.mean(runs, axis=0))])
    print_table(["set", "trained", *COLUMNS], rows)
    write_json(RESULTS / "imbalance.json", results)


if __name__ == "__main__":
    main()
