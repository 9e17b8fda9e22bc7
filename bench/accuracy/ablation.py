"""Measures on dev text what each part of the model contributes, changing one option at a time.

    python -m bench.accuracy.ablation [--seeds N] [DATASET | CSV]…

Test text is not used. Results in `runs/ablation.json` are reused. Writes `results/ablation.json`
and prints a Markdown table: dev accuracy and loss, means over the seeds, each with its own split;
one seed where dev text is published.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets import Dataset, choose_datasets
from bench.reporting import RESULTS, log, print_table, read_json, write_json
from glovelite.data.labelled_text import TextSource
from glovelite.train import TrainingRequest, make_options
from glovelite.train.data.batches import encode_split
from glovelite.train.data.sources import read_inputs
from glovelite.train.fitting.fit import fit
from glovelite.train.trainer import prepare

WORK = Path("runs/ablation.json")
DEFAULT_DATASETS = ["rotten-tomatoes", "trec", "sst2"]
VARIANTS: dict[str, dict[str, Any]] = {
    "`base`": {},
    "`article`": {"preset": "article"},
    "one width, five tokens": {"kernel_sizes": (5,)},
    "widths 1 to 5": {"kernel_sizes": (1, 2, 3, 4, 5)},
    "twice the filters": {"filters": 128},
    "`large`": {"preset": "large"},
    "punctuation tokens": {"punctuation": True},
    "no wide weights": {"wide": False},
    "no adapter": {"adapter": 0},
    "word dropout": {"word_dropout": 1.0},
    "no texts of unknown words": {"unknown_texts": 0.0},
    "dropout of 0.3": {"dropout": 0.3},
    "3,000 tuned words": {"tuned_words": 3_000},
    "no words that training text lacks": {"extra_words": False},
    "learning rate of 0.01": {"learning_rate": 0.01},
}


def measure_dev(dataset: Dataset, seed: int, choices: dict[str, Any]) -> dict[str, float]:
    """Train with these options; return accuracy and loss on dev, and seconds."""
    options = make_options(seed=seed, **choices)
    source = TextSource(dataset.train, None, None, None)
    request = TrainingRequest((source,), Path("unused"), dev=dataset.dev, test=dataset.test)
    inputs = read_inputs([source], dataset.dev, dataset.test)
    data = prepare(inputs, request, options)
    train, dev, _ = encode_split(data.split, data.vocabulary, data.run.options)
    classes = len(data.vocabulary.labels)
    fitted = fit(data.table, train, dev, classes, data.run.options)
    best = fitted.best_epoch - 1
    return {
        "accuracy": fitted.history["val_accuracy"][best],
        "loss": fitted.history["val_loss"][best],
        "seconds": fitted.seconds,
    }


def seeds_of(dataset: Dataset, seeds: int) -> range:
    """Return the seeds that a dataset is trained with."""
    return range(1 if dataset.dev else seeds)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    results = read_json(WORK, {})
    datasets = [e for e in choose_datasets(options.datasets or DEFAULT_DATASETS) if e.available]
    for name, choices in VARIANTS.items():
        for dataset in datasets:
            for seed in seeds_of(dataset, options.seeds):
                key = f"{name}|{dataset.name}|{seed}"
                if key not in results:
                    results[key] = measure_dev(dataset, seed, choices)
                    write_json(WORK, results)
                    log(f"{key} {results[key]['accuracy']:.2%}")
    write_json(RESULTS / "ablation.json", results)
    rows = []
    for name in VARIANTS:
        cells = []
        for dataset in datasets:
            seeds = seeds_of(dataset, options.seeds)
            runs = [results[f"{name}|{dataset.name}|{seed}"] for seed in seeds]
            accuracy, loss = (np.mean([run[key] for run in runs]) for key in ("accuracy", "loss"))
            cells.append(f"{accuracy:.2%} ({loss:.3f})")
        rows.append([name, *cells])
    print_table(["dev accuracy (loss)", *(dataset.name for dataset in datasets)], rows)


if __name__ == "__main__":
    main()
