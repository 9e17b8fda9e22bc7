"""Measures what choosing options on dev text would gain, from the trainings of `ablation.py`.

    python -m bench.accuracy.choosing [--seeds N] [--variants N] [DATASET | CSV]…

A search as a user would run it: all variants are trained with one seed, the best two and `base`
with another one; the one with the highest dev accuracy over both is chosen, if it is better than
`base` by more than the standard error of the difference. The gain is that on test text of the model
with the first seed. Means over all ordered pairs of seeds, with 95 % intervals over texts. Prints a
Markdown table.
"""

from collections import Counter
from itertools import permutations

import numpy as np

from bench.accuracy.ablation import (
    BASE,
    Values,
    average_by_text,
    load,
    mean_and_error,
    parse_arguments,
)
from bench.datasets import Dataset
from bench.reporting import print_table

FINALISTS = 2
Score = tuple[float, float]  # mean and standard error


def choose(dataset: Dataset, names: list[str], seeds: tuple[int, int]) -> str:
    """Return the variant that a search chooses."""
    first, second = ({name: load(name, dataset, seed)["dev"] for name in names} for seed in seeds)
    others = [name for name in names if name != BASE]
    finalists = sorted(others, key=lambda name: -first[name].mean())[:FINALISTS]
    same = dataset.dev is not None
    differences = {
        name: average_by_text([run[name] - run[BASE] for run in (first, second)], same)
        for name in finalists
    }
    best = max(finalists, key=lambda name: differences[name].mean())
    mean, error = mean_and_error(differences[best])
    return best if mean > error else BASE


def measure(dataset: Dataset, names: list[str], seeds: int) -> tuple[Score, Counter[str]]:
    """Return what choosing gains on test text, and how often which variant is chosen."""
    chosen = Counter[str]()
    by_seed: dict[int, list[Values]] = {seed: [] for seed in range(seeds)}
    for pair in permutations(range(seeds), 2):
        name = choose(dataset, names, pair)
        chosen[name] += 1
        own, base = (load(option, dataset, pair[0])["test"] for option in (name, BASE))
        by_seed[pair[0]].append(own - base)
    means = [np.mean(runs, axis=0) for runs in by_seed.values()]
    return mean_and_error(average_by_text(means, dataset.test is not None)), chosen


def main() -> None:
    """Print the table."""
    datasets, names, seeds = parse_arguments()
    rows, scores = [], []
    for dataset in datasets:
        score, chosen = measure(dataset, names, seeds)
        shown = ", ".join(f"{name} {count} ×" for name, count in chosen.most_common())
        rows.append([dataset.name, shown, describe(score)])
        scores.append(score)
    pooled = float(np.mean([mean for mean, _ in scores]))
    error = sum(error**2 for _, error in scores) ** 0.5 / len(scores)
    rows.append(["mean", "", describe((pooled, error))])
    print_table(["set", "chosen", "gain on test text"], rows)


def describe(score: Score) -> str:
    """Describe a gain in points with its 95 % interval."""
    return f"{score[0] * 100:+.2f} ± {score[1] * 196:.2f}"


if __name__ == "__main__":
    main()
