"""Compares accuracy with rivals on the same splits, and prints a Markdown table.

    python bench/accuracy.py RIVALS_PYTHON DEVICE_RUN [--preset P]… [--seeds N] [DATASET | CSV]…

For each dataset and seed: `glovelite-train` with each preset, `glovelite-convert` with the recipes
float32 and dynamic, predictions by the device environment's `glovelite-run`; and the rivals
(`rivals.py`) on the same files. Rivals search their settings on the dev text of seed 0 and keep
them for the other seeds. Results in `runs/accuracy` are reused. Writes `results/accuracy.json` and
`results/accuracy.png`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comparison import Predictions, plot, print_comparison, summarize
from datasets import Dataset, choose_datasets, read_labels, write_split
from reporting import BENCH, BIN, RESULTS, read_json, read_jsonl, run_command, write_json

from convert.export import DEVICE_FILES

WORK = Path("runs/accuracy")
RECIPES = ("float32", "dynamic")


def main() -> None:
    """Run what is missing and compare."""
    options = parse_arguments()
    predictions: dict[str, dict[str, list[Predictions]]] = {}
    datasets = choose_datasets(options.datasets)
    for dataset in datasets:
        by_classifier = predictions.setdefault(dataset.name, {})
        for seed in range(min(dataset.seeds, options.seeds)):
            folder = WORK / dataset.name / str(seed)
            split = write_split(dataset, seed, folder / "split")
            results = dict(run_rivals(options.rivals, dataset, seed, folder))
            for preset in options.preset:
                results |= run_glovelite(options.device_run, preset, seed, folder)
            labels = read_labels(split / "test.jsonl")
            for name, result in results.items():
                correct = [a == b for a, b in zip(result["predicted"], labels)]
                by_classifier.setdefault(name, []).append(Predictions(result, correct))
    summary = {each.name: summarize(predictions[each.name], each.draws_test) for each in datasets}
    path = RESULTS / "accuracy.json"
    summary = {**read_json(path, {}), **summary}  # other datasets keep their earlier results
    write_json(path, summary)
    plot(summary, RESULTS / "accuracy.png")
    print_comparison(summary)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*", help="names of datasets, or CSV files")
    parser.add_argument("--preset", action="append", help="of glovelite; may be repeated")
    parser.add_argument("--seeds", type=int, default=5, help="maximum number of seeds")
    options = parser.parse_intermixed_args()
    options.preset = options.preset or ["base", "best"]
    return options


def run_rivals(python: str, dataset: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """Train the rivals and predict test text, or return the earlier result."""
    path = folder / "rivals.json"
    if not path.is_file():
        command = [python, BENCH / "rivals.py", folder / "split", seed]
        first = WORK / dataset.name / "0" / "rivals.json"
        run_command([*command, first] if seed else command, path)
    return read_json(path)


def run_glovelite(
    device_run: str, preset: str, seed: int, folder: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Train, export and predict test text, or yield the earlier results, one for each recipe."""
    split, run = folder / "split", folder / f"run-{preset}"
    if not (run / "metrics.json").is_file():
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl"]
        settings = ["--preset", preset, "--seed", seed, "--out", run]
        run_command([BIN / "glovelite-train", split / "train.jsonl", *held_out, *settings])
    metrics = read_json(run / "metrics.json")
    for recipe in RECIPES:
        bundle, answers = folder / f"{preset}-{recipe}", folder / f"{preset}-{recipe}.jsonl"
        if not (bundle / "manifest.json").is_file():
            export = [BIN / "glovelite-convert", "export", run, "--out", bundle]
            run_command([*export, "--quantize", recipe])
        if not answers.is_file():
            with (split / "test.jsonl").open() as texts:
                run_command([device_run, bundle, "--jsonl"], answers, texts)
        manifest = read_json(bundle / "manifest.json")
        yield (
            f"glovelite {preset} {recipe}",
            {
                "dev": manifest["accuracy"]["dev"]["device"],
                "choice": f"--preset {preset}",
                "bytes": sum((bundle / name).stat().st_size for name in DEVICE_FILES),
                "seconds": metrics["seconds"],
                "calibration_error": metrics["calibration"]["error"]["test"],
                "predicted": [each["prediction"]["label"] for each in read_jsonl(answers)],
            },
        )


if __name__ == "__main__":
    main()
