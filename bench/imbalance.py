"""Measures what --class-weights balanced does where classes are of very different sizes.

    python bench/imbalance.py [--seeds N] [NAME | CSV]…

Default: emotion as it is (the rarest class one text in 28), and SST-2 of whose negative texts all
but one in twenty are left out, by the seed, in training, dev and test text alike. Each is trained
as it stands, balanced, and balanced with word dropout. What is done already (`runs/imbalance`) is
not done again. Prints the README's table, means over the seeds, and writes
`results/imbalance.json`.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
from accuracy import BIN, call
from corpora import LabelledSet, choose_sets, write_split

WORK = Path("runs/imbalance")
RESULTS = Path(__file__).parent / "results"
RARE, SHARE = "negative", 0.05
BALANCED = ["--class-weights", "balanced"]
WAYS = {
    "as it stands": [],
    "`--class-weights balanced`": BALANCED,
    "the same, `--word-dropout 0.1`": [*BALANCED, "--word-dropout", "0.1"],
}
COLUMNS = ("accuracy", "macro F1", "rarest: precision", "rarest: recall", "calibration error")


def thin(split: Path, folder: Path, seed: int) -> Path:
    """Leave out texts of the class `RARE` until it is `SHARE` of each part; give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev", "test"):
        rows = [json.loads(line) for line in (split / f"{part}.jsonl").open(encoding="utf-8")]
        rare = [row for row in rows if row["label"] == RARE]
        others = [row for row in rows if row["label"] != RARE]
        kept = random.Random(seed).sample(rare, round(len(others) * SHARE / (1 - SHARE)))
        lines = [json.dumps(row) + "\n" for row in [*others, *kept]]
        (folder / f"{part}.jsonl").write_text("".join(lines), "utf-8")
    return folder


def measure(labelled: LabelledSet, seed: int, options: list[str], run: Path) -> list[float]:
    """Train one way, or read what was trained; give the test scores of `COLUMNS`."""
    if not (run / "metrics.json").is_file():
        split = write_split(labelled, seed, run.with_name("split"))
        if labelled.name == "sst2":
            split = thin(split, run.with_name("thinned"), seed)
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl"]
        settings = [*held_out, "--seed", seed, *options, "--out", run]
        call([BIN / "glovelite-train", split / "train.jsonl", *settings])
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    test = metrics["scores"]["test"]
    rarest = min(test["classes"], key=lambda each: each["texts"])
    macro = float(np.mean([each["f1"] for each in test["classes"]]))
    error = metrics["calibration"]["error"]["test"][1]  # with the temperature
    return [test["accuracy"], macro, rarest["precision"], rarest["recall"], error]


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    kept, rows = {}, []
    sets = [each for each in choose_sets(options.sets or ["emotion", "sst2"]) if each.available]
    for labelled in sets:
        name = "sst2, one negative in 20" if labelled.name == "sst2" else labelled.name
        for number, (way, choice) in enumerate(WAYS.items()):
            runs = [
                measure(labelled, seed, choice, WORK / labelled.name / f"{seed}/run-{number}")
                for seed in range(options.seeds)
            ]
            kept[f"{name}, {way}"] = {c: list(r) for c, r in zip(COLUMNS, zip(*runs))}
            cells = " | ".join(f"{each:.1%}" for each in np.mean(runs, axis=0))
            rows.append(f"| {name} | {way} | {cells} |")
    print("| set | trained |", " | ".join(COLUMNS), "|\n" + "|---" * (len(COLUMNS) + 2) + "|")
    print("\n".join(rows))
    (RESULTS / "imbalance.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
