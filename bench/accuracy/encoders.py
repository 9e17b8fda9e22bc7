"""Compares with a sentence encoder, static embeddings and character n-grams, on the same splits.

    python -m bench.accuracy.encoders TEACHER DEVICE_RUN [--seeds N] [DATASET | CSV]…

Our bundles and their splits are those of `compare.py`, which makes them if they are missing; the
rivals are those of `encoder_rivals.py`. Results in `runs/accuracy` are reused. Writes
`results/encoders.json` and prints a Markdown table.
"""

import argparse
from pathlib import Path

import numpy as np

from bench.accuracy.compare import WORK, Ours, run_glovelite, score_parts
from bench.accuracy.summary import Predictions, Summary, describe_lead, summarize
from bench.datasets import Dataset, choose_datasets, write_split
from bench.reporting import RESULTS, print_table, read_json, run_command, write_json

CACHE = Path("runs/encoders")
OURS = "glovelite base"
RIVALS = ("encoder + LR", "static embeddings + LR", "TF-IDF characters + LR")
PARTS = {"test": "as written", "misspelt-10": "10 % misspelt"}
DEFAULT_SETS = ("rotten-tomatoes", "sst2", "trec", "emotion", "definitions", "sst2-200")


def measure(dataset: Dataset, options: argparse.Namespace) -> Summary:
    """Train and run every classifier with each seed, and summarize their predictions."""
    runs: dict[str, list[Predictions]] = {}
    for seed in range(min(dataset.seeds, options.seeds)):
        folder = WORK / dataset.name / str(seed)
        split = write_split(dataset, seed, folder / "split")
        path = folder / "encoders.json"
        if not path.is_file():
            module = ("-m", "bench.accuracy.encoder_rivals")
            run_command([options.teacher, *module, split, seed, CACHE], path)
        results = read_json(path)
        results[OURS] = run_glovelite(options.device_run, Ours("base"), seed, folder)
        for name, result in results.items():
            correct = score_parts(split, result["predicted"])
            runs.setdefault(name, []).append(Predictions(result, correct))
    return summarize(runs, dataset.draws_test, RIVALS)


def rows_of(name: str, classifiers: Summary) -> list[list[str]]:
    """Return the rows of a dataset: text as written, and misspelt."""
    rows = []
    for part, shown in PARTS.items():
        scores = [classifiers[key]["parts"].get(part) for key in (OURS, *RIVALS)]
        if None in scores:
            continue
        ours, *others = scores
        leads = [describe_lead(classifiers[OURS]["lead"][rival]) for rival in RIVALS]
        rows.append(
            [
                name,
                shown,
                f"**{ours:.1%}**",
                *(f"{score:.1%}" for score in others),
                *(leads if part == "test" else [""] * len(leads)),
                " / ".join(f"{classifiers[key]['bytes'] / 1e6:.1f}" for key in (OURS, *RIVALS))
                if part == "test"
                else "",
            ]
        )
    return rows


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", help="Python that has the encoder and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_intermixed_args()
    path = RESULTS / "encoders.json"
    summary: dict[str, Summary] = read_json(path, {})
    for dataset in choose_datasets(options.datasets or list(DEFAULT_SETS)):
        summary[dataset.name] = measure(dataset, options)
        write_json(path, summary)
    rows = [row for name, classifiers in summary.items() for row in rows_of(name, classifiers)]
    for part, shown in PARTS.items():
        means = [
            np.mean([found[key]["parts"][part] for found in summary.values()])
            for key in (OURS, *RIVALS)
        ]
        rows.append(["mean", shown, *(f"{mean:.1%}" for mean in means), *[""] * len(RIVALS), ""])
    leads = [f"lead over {rival}" for rival in RIVALS]
    print_table(["set", "words", "glovelite", *RIVALS, *leads, "MB"], rows)


if __name__ == "__main__":
    main()
