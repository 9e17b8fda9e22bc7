"""Measures what each part of the model is worth: one changed at a time, scored on dev text.

    python bench/ablation.py [--seeds N] [SET | CSV]…

Test text is not looked at. What is done already (`runs/ablation.json`) is not done again. Writes
`results/ablation.json` and prints the README's table: accuracy and loss on dev, means over the
seeds, each with a split of its own; one seed where dev text is published.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from corpora import LabelledSet, choose_sets

from train import Request, Source
from train.data.batches import encode_split
from train.fitting.fit import fit
from train.options import choose_settings
from train.trainer import prepare

KEPT = Path("runs/ablation.json")
RESULTS = Path(__file__).parent / "results"
SETS = ["rotten-tomatoes", "trec", "sst2"]
VARIANTS = {
    "`base`": {},
    "`article`": {"preset": "article"},
    "one width, five tokens": {"kernel_sizes": (5,)},
    "widths 1 to 5": {"kernel_sizes": (1, 2, 3, 4, 5)},
    "twice the filters": {"filters": 128},
    "no wide weights": {"wide": False},
    "no adapter": {"adapter": 0},
    "no weight average": {"weight_average": 0.0},
    "word dropout of 0.1": {"word_dropout": 0.1},
    "dropout of 0.2": {"dropout": 0.2},
    "3,000 tuned words": {"tuned_words": 3_000},
    "no words training never saw": {"min_words": 0, "coverage": 1.0},
    "twice the learning rate": {"learning_rate": 2e-3},
}


def measure(labelled: LabelledSet, seed: int, choices: dict) -> dict[str, float]:
    """Train one variant; give its accuracy and loss on dev, and its seconds."""
    settings = choose_settings(seed=seed, **choices)
    source = Source(labelled.train, None, None, None)
    request = Request(source, Path("unused"), dev=labelled.dev, test=labelled.test)
    prepared = prepare(request, settings, lambda _: None)
    train, dev, _ = encode_split(prepared.split, prepared.vocabulary, "conv-pool")
    classes = len(prepared.vocabulary.labels)
    fitted = fit(prepared.table, train, dev, classes, prepared.settings, lambda _: None)
    best = int(np.argmin(fitted.history["val_loss"]))
    return {
        "accuracy": fitted.history["val_accuracy"][best],
        "loss": fitted.history["val_loss"][best],
        "seconds": fitted.seconds,
    }


def seeds_of(labelled: LabelledSet, seeds: int) -> range:
    """Give the seeds a set is trained with."""
    return range(1 if labelled.dev else seeds)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else {}
    sets = [each for each in choose_sets(options.sets or SETS) if each.available]
    for name, choices in VARIANTS.items():
        for labelled in sets:
            for seed in seeds_of(labelled, options.seeds):
                key = f"{name}|{labelled.name}|{seed}"
                if key not in kept:
                    kept[key] = measure(labelled, seed, choices)
                    KEPT.parent.mkdir(parents=True, exist_ok=True)
                    KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
                    print(f"{key} {kept[key]['accuracy']:.2%}", file=sys.stderr, flush=True)
    (RESULTS / "ablation.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    print("| dev accuracy (loss) |", " | ".join(each.name for each in sets), "|")
    print("|---" * (len(sets) + 1) + "|")
    for name in VARIANTS:
        cells = []
        for labelled in sets:
            seeds = seeds_of(labelled, options.seeds)
            runs = [kept[f"{name}|{labelled.name}|{seed}"] for seed in seeds]
            accuracy, loss = (np.mean([run[key] for run in runs]) for key in ("accuracy", "loss"))
            cells.append(f"{accuracy:.2%} ({loss:.3f})")
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
