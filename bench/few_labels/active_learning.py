"""Compares the texts that `glovelite-run --rank uncertain` picks for labelling with random ones.

    python -m bench.few_labels.active_learning DEVICE_RUN [--seeds N] [DATASET]…
    python -m bench.few_labels.active_learning --tune [--seeds N] [DATASET]…

For each dataset and seed: 100 training texts at random make a model; its bundle ranks the other
training texts; a model of the 100 and the 100 ranked first is compared on test text with one of the
100 and 100 more at random. All parts of a seed start from the same 100 texts. Results in
`runs/active` are reused. Writes `results/active.json` and prints a Markdown table.

`--tune` compares settings of the formula in `runtime/scoring/selection.py` on dev text, with seeds
of its own, and prints a table. Test text is not used.
"""

import argparse
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from bench.accuracy.summary import describe_lead
from bench.datasets import Dataset, choose_datasets, write_split
from bench.reporting import (
    RESULTS,
    log,
    print_table,
    read_json,
    read_jsonl,
    run_command,
    write_json,
    write_jsonl,
)
from glovelite import Classifier
from glovelite.convert import ExportOptions, export_bundle
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.scoring.selection import (
    WEIGHTS,
    SelectionWeights,
    TextPool,
    measure_entropy,
    measure_usefulness,
)
from glovelite.train import TrainingRequest, make_options, run_training

WORK = Path("runs/active")
DEFAULT_DATASETS = ["sst2", "emotion", "trec"]
FIRST, NEXT = 100, 100  # labels
MIN_TEXTS = 2  # of each label among the first
MAX_POOL = 10_000  # texts to choose from
FIRST_TUNING_SEED = 1000
SETTINGS = {
    "entropy": SelectionWeights(0, 0, 0),
    "spread 0.25": SelectionWeights(0, 0, 0.25),
    "spread 1": SelectionWeights(0, 0, 1),
    "unknown 0.5, spread 1": SelectionWeights(0.5, 0, 1),
    "unfamiliar 1, spread 1": SelectionWeights(0, 1, 1),
    "as shipped": WEIGHTS,
}
Row = dict[str, Any]


def train(rows: list[Row], held_out: Path, seed: int, folder: Path) -> float:
    """Train on these rows, or read the earlier run; return the accuracy on the held-out text."""
    if not (folder / "metrics.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        source = folder.with_suffix(".jsonl")
        write_jsonl(source, rows)
        request = TrainingRequest(
            (TextSource(str(source), None, None, None),), folder, test=str(held_out)
        )
        run_training(request, make_options(seed=seed))
    accuracy: float = read_json(folder / "metrics.json")["scores"]["test"]["accuracy"]
    log(f"{folder} {accuracy:.2%}")
    return accuracy


def export(run: Path) -> Path:
    """Export a run, or find the earlier bundle; return its folder."""
    bundle = run.with_name(f"{run.name}-bundle")
    if not (bundle / "manifest.json").is_file():
        export_bundle(run, bundle, ExportOptions(max_accuracy_drop=None))
    return bundle


def draw(dataset: Dataset, seed: int, folder: Path) -> tuple[list[Row], list[Row]]:
    """Return the rows of the first labels, and a random sample of the others in random order.

    They are drawn again until the first ones have `MIN_TEXTS` of each label, which training needs.
    """
    split = write_split(dataset, seed, folder / "split")
    rows = list({row["text"]: row for row in read_jsonl(split / "train.jsonl")}.values())
    labels, rng = {row["label"] for row in rows}, random.Random(seed)
    while True:
        rng.shuffle(rows)
        counts = Counter(row["label"] for row in rows[:FIRST])
        if all(counts[label] >= MIN_TEXTS for label in labels):
            break
    return rows[:FIRST], rows[FIRST : FIRST + MAX_POOL]


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("device_run", nargs="?", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.tune:
        names = [options.device_run] * bool(options.device_run) + options.datasets
        tune(choose_datasets(names or DEFAULT_DATASETS), options.seeds)
    else:
        names = options.datasets or DEFAULT_DATASETS
        compare(options.device_run, choose_datasets(names), options.seeds)


def tune(datasets: list[Dataset], seeds: int) -> None:
    """Print the gains of each setting over random texts on dev text, in points."""
    gains: dict[str, list[list[float]]] = {name: [] for name in SETTINGS}
    for dataset in datasets:
        for values in gains.values():
            values.append([])
        for seed in range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + seeds):
            folder = WORK / "tuning" / dataset.name / str(seed)
            first, pool = draw(dataset, seed, folder)
            dev = folder / "split" / "dev.jsonl"
            train(first, dev, seed, folder / "first")
            chance = train(first + pool[:NEXT], dev, seed, folder / "random")
            with Classifier.load(export(folder / "first")) as classifier:
                for name, weights in SETTINGS.items():
                    picked = [pool[i] for i in rank_pool(classifier, pool, weights)[:NEXT]]
                    accuracy = train(first + picked, dev, seed, folder / name.replace(", ", "-"))
                    gains[name][-1].append(100 * (accuracy - chance))
    rows = [
        [name, *(f"{np.mean(each):+.1f}" for each in values), f"{np.mean(values):+.2f}"]
        for name, values in gains.items()
    ]
    print_table(["setting", *(each.name for each in datasets), "mean"], rows)


def rank_pool(classifier: Classifier, pool: list[Row], weights: SelectionWeights) -> list[int]:
    """Return the indices of a pool as the command would rank it with these weights."""
    texts, vocabulary = TextPool(), classifier.bundle.vocabulary
    predictions = classifier.predict(row["text"] for row in pool)
    for row, prediction in zip(pool, predictions, strict=True):
        entropy = measure_entropy([*prediction.probabilities.values()], vocabulary.multi_label)
        encoded, has_levels = vocabulary.encode(row["text"]), vocabulary.familiarity is not None
        usefulness = measure_usefulness(entropy, encoded, has_levels, weights)
        texts.add(vocabulary.tokenize(row["text"]), usefulness)
    return list(texts.order(weights))


def compare(device_run: str, datasets: list[Dataset], seeds: int) -> None:
    """Compare on test text, print the table and write the results."""
    results: dict[str, Any] = {}
    for dataset in (each for each in datasets if each.available):
        runs = [measure(device_run, dataset, seed) for seed in range(seeds)]
        gains = [run["ranked"] - run["random"] for run in runs]
        results[dataset.name] = {
            "by_seed": {name: [run[name] for run in runs] for name in runs[0]},
            "lead": find_interval(gains),
            "won": sum(gain > 0 for gain in gains),
        }
    path = RESULTS / "active.json"
    write_json(path, {**read_json(path, {}), **results})
    rows = [
        [
            name,
            *(f"{np.mean(each['by_seed'][part]):.1%}" for part in ("first", "random", "ranked")),
            describe_lead(each["lead"]),
            f"{each['won']} of {len(each['by_seed']['ranked'])}",
        ]
        for name, each in results.items()
    ]
    header = ["set", f"{FIRST} labels", f"+ {NEXT} at random", f"+ {NEXT} by `--rank uncertain`"]
    print_table([*header, "difference", "seeds won"], rows)


def measure(device_run: str, dataset: Dataset, seed: int) -> dict[str, float]:
    """Return the test accuracy with the first labels, and with more at random and ranked."""
    folder = WORK / "test" / dataset.name / str(seed)
    first, pool = draw(dataset, seed, folder)
    test = folder / "split" / "test.jsonl"
    accuracy = {
        "first": train(first, test, seed, folder / "first"),
        "random": train(first + pool[:NEXT], test, seed, folder / "random"),
    }
    source, target = folder / "pool.jsonl", folder / "next.jsonl"
    if not (folder / "ranked" / "metrics.json").is_file():
        write_jsonl(source, pool)
        files = ["--input", source, "--output", target, "--overwrite"]
        command = [device_run, export(folder / "first"), *files]
        run_command([*command, "--rank", "uncertain", "--count", NEXT])
    picked = [{"text": row["text"], "label": row["label"]} for row in read_jsonl(target)]
    return {**accuracy, "ranked": train(first + picked, test, seed, folder / "ranked")}


def find_interval(differences: list[float]) -> dict[str, float]:
    """Return the mean of paired differences, and Student's 95 % interval over the seeds."""
    mean, error = np.mean(differences), np.std(differences, ddof=1) / np.sqrt(len(differences))
    reach = stats.t.ppf(0.975, len(differences) - 1) * error
    return {"mean": float(mean), "low": float(mean - reach), "high": float(mean + reach)}


if __name__ == "__main__":
    main()
