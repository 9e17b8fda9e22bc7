"""Measures on dev text what each part of the model contributes, changing one option at a time.

    python -m bench.accuracy.ablation [--seeds N] [--variants N] [DATASET | CSV]…

Each seed trains another model, on another split where dev text is not published. Results in
`runs/ablation` are reused. Writes `results/ablation.json` and prints a Markdown table: mean dev
accuracy (of multi-label text F1), and below the first row the difference to it with its 95 %
interval over texts.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.datasets import (
    DATASETS,
    GOEMOTIONS,
    Dataset,
    choose_datasets,
    language_dataset,
    read_dataset,
)
from bench.reporting import RESULTS, log, print_table, write_json
from glovelite.data.labelled_text import TextSource
from glovelite.evaluation.scores import choose_thresholds
from glovelite.runtime.aliases import Floats
from glovelite.train import TrainingRequest, make_options
from glovelite.train.data.batches import encode_split
from glovelite.train.data.inputs import InputTexts
from glovelite.train.fitting.calibration import to_probabilities
from glovelite.train.fitting.fit import fit, plan_training, run_model
from glovelite.train.fitting.ngrams import fit_beside
from glovelite.train.options import NO_VECTORS, TrainingOptions
from glovelite.train.trainer import prepare

WORK = Path("runs/ablation")
LANGUAGES = ("zh_thucnews", "tr_movies", "fr_xlmt")
ALL = (*DATASETS, *map(language_dataset, LANGUAGES), GOEMOTIONS)
MORE_EPOCHS = "times as many epochs"
BASE = "`base`"
VARIANTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "twice the filters": {"filters": 128},
    "no texts of unknown words": {"unknown_texts": 0.0},
    "no wide weights": {"wide": False},
    "punctuation tokens": {"punctuation": True},
    "dropout of 0.3": {"dropout": 0.3},
    "1.5 times the epochs": {MORE_EPOCHS: 1.5},
    "`large`": {"preset": "large"},
    "`article`": {"preset": "article"},
    "one width, five tokens": {"kernel_sizes": (5,)},
    "widths 1 to 5": {"kernel_sizes": (1, 2, 3, 4, 5)},
    "no adapter": {"adapter": 0},
    "word dropout": {"word_dropout": 1.0},
    "3,000 tuned words": {"tuned_words": 3_000},
    "no words that training text lacks": {"extra_words": False},
    "learning rate of 0.01": {"learning_rate": 0.01},
}
Values = npt.NDArray[np.float32]


def measure(dataset: Dataset, seed: int, choices: dict[str, Any]) -> dict[str, Values]:
    """Train with these options; return the score of each dev and test text, 0 to 1."""
    choices = dict(choices)
    factor = choices.pop(MORE_EPOCHS, 1)
    options = make_options(seed=seed, **choices)
    source = TextSource(dataset.train, None, None, None)
    vectors = NO_VECTORS if dataset.name in LANGUAGES else None
    request = TrainingRequest((source,), Path("unused"), dataset.dev, dataset.test, vectors)
    return train_and_score(read_dataset(dataset, seed), request, options, factor)


def train_and_score(
    inputs: InputTexts, request: TrainingRequest, options: TrainingOptions, factor: float
) -> dict[str, Values]:
    """Train with `factor` times the usual epochs and score each dev and test text."""
    data = prepare(inputs, request, options)
    train, dev, test = encode_split(data.split, data.vocabulary, data.run.options)
    options = data.run.options
    if factor != 1:
        epochs = round(factor * plan_training(len(train), options).epochs)
        options = replace(options, epochs=epochs)
    fitted = fit(data.table, train, dev, len(data.vocabulary.labels), options)
    logits = {"dev": run_model(fitted.model, dev), "test": run_model(fitted.model, test)}
    if options.ngrams and (beside := fit_beside(data.split, train, logits["dev"], options)):
        texts = {"dev": data.split.dev.texts, "test": data.split.test.texts}
        logits = {name: values + beside.logits(texts[name]) for name, values in logits.items()}
    multi_label = train.multi_label
    found = {name: to_probabilities(values, multi_label) for name, values in logits.items()}
    targets = {"dev": dev.targets, "test": test.targets}
    if not multi_label:
        return {
            name: (values.argmax(1) == targets[name]).astype(np.float32)
            for name, values in found.items()
        }
    limits = np.asarray(choose_thresholds(found["dev"], dev.targets))
    return {
        name: score_label_sets(values >= limits, targets[name]) for name, values in found.items()
    }


def score_label_sets(decided: npt.NDArray[np.bool_], targets: Floats) -> Values:
    """Return the F1 of each text: 1 where all its labels are right and no other is named."""
    wanted = targets >= 0.5
    both = (decided & wanted).sum(1)
    total = decided.sum(1) + wanted.sum(1)
    scores: Values = np.where(total == 0, 1, 2 * both / np.maximum(total, 1)).astype(np.float32)
    return scores


def load(name: str, dataset: Dataset, seed: int) -> dict[str, Values]:
    """Return the scores of a training, which runs unless it has run before."""
    words = "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
    path = WORK / dataset.name / f"{words}-{seed}.npz"
    if not path.is_file():
        scores = measure(dataset, seed, VARIANTS[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **scores)  # type: ignore[arg-type]
        log(f"{name} | {dataset.name} | {seed}: {scores['dev'].mean():.2%} on dev")
    with np.load(path) as archive:
        return dict(archive)


def average_by_text(runs: list[Values], same_texts: bool) -> Values:
    """Return the scores by text: means over the seeds if all have the same texts."""
    return np.mean(runs, axis=0) if same_texts else np.concatenate(runs)


def mean_and_error(values: Values) -> tuple[float, float]:
    """Return the mean over texts and its standard error."""
    return float(values.mean()), float(values.std()) / len(values) ** 0.5


def parse_arguments() -> tuple[list[Dataset], list[str], int]:
    """Return the datasets, the names of the variants and the number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="the first N")
    options = parser.parse_intermixed_args()
    datasets = choose_datasets(options.datasets, ALL)
    return datasets, list(VARIANTS)[: options.variants], options.seeds


def main() -> None:
    """Measure what is missing and print the table."""
    datasets, names, count = parse_arguments()
    seeds = range(count)
    for seed in seeds:
        for dataset in datasets:
            for name in names:
                load(name, dataset, seed)
    results: dict[str, dict[str, Any]] = {}
    rows = []
    for name in names:
        cells = []
        for dataset in datasets:
            same = dataset.dev is not None
            base = average_by_text([load(BASE, dataset, seed)["dev"] for seed in seeds], same)
            own = average_by_text([load(name, dataset, seed)["dev"] for seed in seeds], same)
            difference, error = mean_and_error(own - base)
            results.setdefault(name, {})[dataset.name] = {
                "dev": float(own.mean()),
                "difference": difference,
                "interval": 1.96 * error,
            }
            shown = f"{difference * 100:+.1f} ± {error * 196:.1f}"
            cells.append(f"{own.mean():.1%}" if name == BASE else shown)
        rows.append([name, *cells])
    write_json(RESULTS / "ablation.json", results)
    print_table(["dev accuracy", *(dataset.name for dataset in datasets)], rows)


if __name__ == "__main__":
    main()
