"""Compares our search for training options with fastText's, in equal time and bytes.

    python -m bench.autotune.compare RIVALS DEVICE_RUN [--time 3m] [--seeds N] [DATASET]…

fastText searches with `-autotune-duration`, `-autotune-modelsize` and the dev text; ours is
`glovelite-train --autotune --max-size`, exported with `--max-size` and scored by the device
environment's `glovelite-run`. `default` is our training without a search, exported the same way.
Results in `runs/autotune` are reused, for the same time. Prints a Markdown table with the p-value
of McNemar's test and writes `results/autotune.json`.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from bench.datasets import choose_datasets, read_labels, write_split
from bench.reporting import (
    BIN,
    RESULTS,
    print_table,
    read_json,
    read_jsonl,
    run_command,
    write_json,
)
from glovelite.convert.manifest import bundle_bytes
from glovelite.data.commands import parse_duration, parse_size, show_size

WORK = Path("runs/autotune")
NAMES = ["trec", "sst2", "emotion", "rotten-tomatoes", "sst2-200", "emotion-200"]
SIZE = "500kB"
FASTTEXT, DEFAULT, TUNED = "fastText", "glovelite default", "glovelite autotune"


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--time", default="3m", help="of each search, such as 3m")
    parser.add_argument("--size", default=SIZE, help="of each model, such as 500kB")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_intermixed_args()
    seconds, size = parse_duration(options.time), parse_size(options.size)
    summary: dict[str, Any] = {}
    for dataset in choose_datasets(options.datasets or NAMES):
        if not dataset.available:
            continue
        runs = []
        for seed in range(options.seeds):
            split = write_split(dataset, seed, WORK / dataset.name / str(seed) / "split")
            folder = split.with_name(f"{seconds:g}s-{show_size(size)}")
            runs.append(
                {
                    FASTTEXT: run_fasttext(options.rivals, split, seed, seconds, size, folder),
                    DEFAULT: run_glovelite(options.device_run, split, seed, None, size, folder),
                    TUNED: run_glovelite(options.device_run, split, seed, seconds, size, folder),
                }
            )
        summary[dataset.name] = summarize(runs)
    path = RESULTS / "autotune.json"
    write_json(path, {"seconds": seconds, "bytes": size, "datasets": summary})
    print_summary(summary)


def run_fasttext(
    python: str, split: Path, seed: int, seconds: float, size: int, folder: Path
) -> dict[str, Any]:
    """Search with fastText and predict test text, or return the earlier result."""
    path = folder / "fasttext.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        module = [python, "-m", "bench.autotune.rival"]
        run_command([*module, split, seed, seconds, size], path)
    return with_correct(read_json(path), split)


def run_glovelite(
    device_run: str, split: Path, seed: int, seconds: float | None, size: int, folder: Path
) -> dict[str, Any]:
    """Train, export and predict test text, or return the earlier result.

    Args:
        device_run: the device environment's glovelite-run.
        split: the texts.
        seed: of the training.
        seconds: of a search; None for none.
        size: of the bundle, in bytes.
        folder: receives run and bundle.
    """
    name = "default" if seconds is None else "tuned"
    run, bundle = folder / f"run-{name}", folder / f"bundle-{name}"
    if not (run / "metrics.json").is_file():
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl", "--seed", seed]
        search = ["--autotune", f"{seconds:g}s", "--max-size", f"{size}B"] if seconds else []
        run_command(
            [BIN / "glovelite-train", split / "train.jsonl", *held_out, *search, "--out", run]
        )
    if not (bundle / "manifest.json").is_file():
        export = ["export", run, "--max-size", f"{size}B", "--out", bundle]
        run_command([BIN / "glovelite-convert", *export])
    answers = bundle / "predicted.jsonl"
    if not answers.is_file():
        with (split / "test.jsonl").open() as texts:
            run_command([device_run, bundle, "--jsonl"], answers, texts)
    metrics = read_json(run / "metrics.json")
    search = metrics.get("autotune", {})
    result = {
        "predicted": [row["prediction"]["label"] for row in read_jsonl(answers)],
        "bytes": sum(bundle_bytes(bundle).values()),
        "seconds": round(search.get("seconds", 0.0) + metrics["seconds"], 1),
        "trials": search.get("trials", 1),
        "chosen": search.get("chosen", 0),
    }
    return with_correct(result, split)


def with_correct(result: dict[str, Any], split: Path) -> dict[str, Any]:
    """Add whether each prediction is correct, in place of the predictions."""
    labels = read_labels(split / "test.jsonl")
    correct = [a == b for a, b in zip(result["predicted"], labels, strict=True)]
    return {
        **{name: value for name, value in result.items() if name != "predicted"},
        "correct": correct,
    }


def summarize(runs: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the mean accuracy of each classifier, and how the searches compare."""
    pooled = {
        name: np.concatenate([np.array(run[name]["correct"]) for run in runs]) for name in runs[0]
    }
    classifiers = {
        name: {
            "accuracy": float(pooled[name].mean()),
            **{key: [run[name][key] for run in runs] for key in ("bytes", "seconds", "trials")},
        }
        for name in pooled
    }
    return {
        "texts": len(pooled[TUNED]),
        "classifiers": classifiers,
        "chosen": [run[TUNED]["chosen"] for run in runs],
        "p_fasttext": mcnemar(pooled[TUNED], pooled[FASTTEXT]),
        "p_default": mcnemar(pooled[TUNED], pooled[DEFAULT]),
    }


def mcnemar(ours: Any, other: Any) -> float:
    """Return the exact p-value of McNemar's test of two classifiers on the same texts."""
    won, lost = int((ours & ~other).sum()), int((other & ~ours).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def print_summary(summary: dict[str, Any]) -> None:
    """Print the Markdown table."""
    rows = []
    for name, result in summary.items():
        found = result["classifiers"]
        cells = [
            f"{found[name]['accuracy']:.1%} ({np.mean(found[name]['trials']):.0f})"
            for name in (FASTTEXT, TUNED)
        ]
        kilobytes = " / ".join(
            f"{np.mean(found[name]['bytes']) / 1000:.0f}" for name in (FASTTEXT, TUNED)
        )
        default = f"{found[DEFAULT]['accuracy']:.1%}"
        p_values = (f"{result['p_fasttext']:.2g}", f"{result['p_default']:.2g}")
        rows.append([name, cells[0], cells[1], p_values[0], default, p_values[1], kilobytes])
    header = ["set", "fastText (trials)", "glovelite (trials)", "p", "without search", "p", "kB"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
