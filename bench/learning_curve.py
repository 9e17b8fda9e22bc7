"""Measures what more labelled text would bring: a set trained on ever larger parts of it.

    python bench/learning_curve.py [SET]

SET (SST-2 if none is named) is one whose dev text is published, so that all parts are scored on
the same. Each part holds the one before. Test text is not looked at. What is done already
(`runs/learning_curve.json`) is not done again. Writes `results/learning_curve.json` and `.png` and
prints the README's table.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
from ablation import measure
from corpora import LabelledSet, choose_sets, write_split

matplotlib.use("Agg")
import matplotlib.pyplot as plt

KEPT = Path("runs/learning_curve.json")
PARTS = Path("runs/learning_curve")
RESULTS = Path(__file__).parent / "results"
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
SEED = 0


def write_part(labelled: LabelledSet, rows: int | None) -> LabelledSet:
    """Write a part of the training text, or all of it, beside dev and test; give it as a set."""
    folder = PARTS / labelled.name / str(rows or "all")
    write_split(replace(labelled, rows=rows), SEED, folder)
    files = [str(folder / f"{part}.jsonl") for part in ("train", "dev", "test")]
    return LabelledSet(labelled.name, *files)


def count_rows(labelled: LabelledSet) -> int:
    """Count the texts that are trained on."""
    return sum(1 for _ in Path(labelled.train).open(encoding="utf-8"))


def draw(name: str, curve: list[dict], path: Path) -> None:
    """Draw accuracy and loss on dev against rows."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    rows = [point["rows"] for point in curve]
    for axes, key, scale in ((left, "accuracy", 100), (right, "loss", 1)):
        axes.plot(rows, [scale * point[key] for point in curve], marker="o")
        axes.set_xscale("log", base=2)
        axes.set_xticks(rows, [f"{each:,}" for each in rows])
        axes.set_xlabel("texts trained on")
        axes.set_ylabel("dev accuracy, %" if key == "accuracy" else "dev loss")
        axes.grid(alpha=0.3)
    figure.suptitle(f"Learning curve: {name}")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure what is missing, draw and print the table."""
    (labelled,) = choose_sets(sys.argv[1:] or ["sst2"])
    if labelled.dev is None:
        sys.exit(f"{labelled.name} has no published dev text: parts would differ in theirs")
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else {}
    whole = write_part(labelled, None)
    curve = []
    for share in SHARES:
        rows = round(share * count_rows(whole))
        key = f"{labelled.name}|{rows}"
        if key not in kept:
            kept[key] = measure(write_part(labelled, rows), SEED, {})
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
            print(f"{key} {kept[key]['accuracy']:.2%}", file=sys.stderr, flush=True)
        curve.append({"rows": rows, **kept[key]})
    found = json.dumps({"set": labelled.name, "curve": curve}, indent=1)
    (RESULTS / "learning_curve.json").write_text(found + "\n", "utf-8")
    draw(labelled.name, curve, RESULTS / "learning_curve.png")
    print("| texts trained on | " + " | ".join(f"{point['rows']:,}" for point in curve) + " |")
    print("|---" * (len(curve) + 1) + "|")
    for key, form in (("accuracy", ".2%"), ("loss", ".3f")):
        cells = " | ".join(format(point[key], form) for point in curve)
        print(f"| dev {key} | {cells} |")


if __name__ == "__main__":
    main()
