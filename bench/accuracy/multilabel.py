"""Compares classifiers of multi-label text: glovelite, fastText and TF-IDF on GoEmotions.

    python -m bench.accuracy.multilabel RIVALS DEVICE_RUN [--preset P]… [--seeds N]

For each seed: `glovelite-train` with each preset, `glovelite-convert` with its defaults,
predictions by the device environment's `glovelite-run`; and the rivals (`multilabel_rivals.py`) on
the same files. Rivals search their settings on dev text with seed 0 and keep them for the other
seeds. Every classifier's thresholds are chosen on dev text by the same rule. Then the models of
seed 0 are timed. Results in `runs/multilabel` are reused, except the times. Writes
`results/multilabel.json` and prints a Markdown table.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.accuracy.compare import Ours, run_glovelite
from bench.accuracy.summary import describe_lead
from bench.datasets import GOEMOTIONS, read_texts, write_split
from bench.reporting import (
    RESULTS,
    log,
    print_table,
    read_json,
    read_jsonl,
    run_command,
    write_json,
)
from bench.speed.latency import Contender, describe_latency, time_in_turn
from glovelite.evaluation.scores import Scores, Thresholds, decide, f1_score, score
from glovelite.runtime.aliases import Bools, Floats

WORK = Path("runs/multilabel")
BOOTSTRAP_SAMPLES = 1_000
TIMED_TEXTS, TIMED_ROUNDS = 300, 7
RIVALS = {  # name -> function of `latency_worker.py`, file of the model
    "fastText .bin": ("fasttext_all_labels", "model.bin"),
    "fastText .ftz": ("fasttext_all_labels", "model.ftz"),
    "TF-IDF + LR": ("linear_all_labels", "linear.pickle"),
}
F1_SCORES = ("micro_f1", "macro_f1")
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """One classifier's answers on the test text.

    Attributes:
        about: its `bytes`, `choice` and F1 on `dev`.
        probabilities: float32 [texts, labels].
        thresholds: of each label.
    """

    about: dict[str, Any]
    probabilities: Floats
    thresholds: Thresholds


def main() -> None:
    """Run what is missing, compare and time."""
    options = parse_arguments()
    if not GOEMOTIONS.available:
        sys.exit(f"{GOEMOTIONS.train} does not exist (SHARED_DATA sets its folder)")
    split = write_split(GOEMOTIONS, 0, WORK / "0" / "split")
    labels = sorted({label for row in read_jsonl(split / "train.jsonl") for label in row["labels"]})
    answers: dict[str, list[Answers]] = {}
    for seed in range(options.seeds):
        folder = WORK / str(seed)
        write_split(GOEMOTIONS, seed, folder / "split")  # published, so the same for every seed
        results = run_rivals(options.rivals, seed, folder, labels)
        for preset in options.preset:
            name = f"glovelite {preset}"
            results[name] = run_preset(options.device_run, preset, seed, folder, labels)
        for name, result in results.items():
            answers.setdefault(name, []).append(result)
    targets = read_targets(split / "test.jsonl", labels)
    summary = summarize(answers, targets, labels)
    for name, latency in time_classifiers(options, read_texts(split / "test.jsonl")).items():
        summary[name]["microseconds"] = latency
    write_json(RESULTS / "multilabel.json", {"test_texts": len(targets), "classifiers": summary})
    print_summary(summary, len(targets))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("--preset", action="append", help="of glovelite; may be repeated")
    parser.add_argument("--seeds", type=int, default=GOEMOTIONS.seeds, help="number of seeds")
    options = parser.parse_args()
    options.preset = options.preset or ["base", "large--punctuation"]
    return options


def run_rivals(python: str, seed: int, folder: Path, labels: Sequence[str]) -> dict[str, Answers]:
    """Train the rivals and predict test text, or read the earlier results.

    Args:
        python: Python that has the rivals.
        seed: of the training; 0 searches for settings, others take those of seed 0.
        folder: holds the split; receives `rivals.json` and the folder `rivals`.
        labels: names of the labels, sorted.
    """
    path = folder / "rivals.json"
    if not path.is_file():
        script = [python, "-m", "bench.accuracy.multilabel_rivals"]
        settings = [WORK / "0" / "rivals.json"] if seed else []
        run_command([*script, folder / "split", folder / "rivals", seed, *settings], path)
    with np.load(folder / "rivals" / "probabilities.npz") as probabilities:
        return {
            name: Answers(
                about,
                probabilities[f"{name}/test"],
                [about["thresholds"][label] for label in labels],
            )
            for name, about in read_json(path).items()
        }


def run_preset(
    device_run: str, preset: str, seed: int, folder: Path, labels: Sequence[str]
) -> Answers:
    """Train, export and predict test text, or read the earlier results."""
    result = run_glovelite(device_run, Ours(preset), seed, folder)
    bundle = folder / f"bundle-{preset}"
    dev = read_json(folder / f"run-{preset}" / "metrics.json")["scores"]["dev"]
    thresholds = read_json(bundle / "manifest.json")["thresholds"]
    about = {
        "choice": result["choice"],
        "dev": {"micro_f1": dev["multi_label"]["micro_f1"], "macro_f1": dev["macro_f1"]},
        "bytes": result["bytes"],
        "thresholds": thresholds,
    }
    rows = [row["prediction"] for row in read_jsonl(bundle / "predicted-test.jsonl")]
    probabilities = np.array(
        [[row["probabilities"][label] for label in labels] for row in rows], np.float32
    )
    return Answers(about, probabilities, [thresholds[label] for label in labels])


def read_targets(path: Path, labels: Sequence[str]) -> Bools:
    """Return the labels of a JSONL file's texts, bool [texts, labels]."""
    targets: Bools = np.array(
        [[label in row["labels"] for label in labels] for row in read_jsonl(path)]
    )
    return targets


def summarize(
    answers: dict[str, list[Answers]], targets: Bools, labels: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return each classifier's scores, means over the seeds, and glovelite's leads."""
    generator, texts = np.random.default_rng(0), len(targets)
    drawn = generator.multinomial(texts, np.full(texts, 1 / texts), size=BOOTSTRAP_SAMPLES)
    weights = drawn.astype(np.float64)
    summary, resampled = {}, {}
    for name, runs in answers.items():
        given = [decide(run.probabilities, run.thresholds) for run in runs]
        resampled[name] = np.mean(
            [resample_f1(targets, labels_given, weights) for labels_given in given], axis=0
        )
        scores = [score(targets, run.probabilities, labels, run.thresholds) for run in runs]
        summary[name] = {
            **{key: value for key, value in runs[0].about.items() if key != "thresholds"},
            "bytes": int(np.mean([run.about["bytes"] for run in runs])),
            "dev": {
                key: float(np.mean([run.about["dev"][key] for run in runs])) for key in F1_SCORES
            },
            **summarize_scores(scores),
        }
    for name in (name for name in summary if name.startswith("glovelite")):
        summary[name]["lead"] = {
            rival: {
                key: describe_difference(
                    summary[name][key] - summary[rival][key],
                    resampled[name][number] - resampled[rival][number],
                )
                for number, key in enumerate(F1_SCORES)
            }
            for rival in RIVALS
        }
    return summary


def summarize_scores(runs: Sequence[Scores]) -> dict[str, Any]:
    """Return the means of scores over the seeds, and what they are by seed."""
    by_seed = {
        "micro_f1": [run.multi_label.micro_f1 for run in runs],
        "macro_f1": [run.macro_f1 for run in runs],
        "mean_average_precision": [run.multi_label.mean_average_precision for run in runs],
        "labels_given_per_text": [run.multi_label.labels_per_text[1] for run in runs],
    }
    label_f1 = np.mean([[row.f1 for row in scores.classes] for scores in runs], axis=0)
    return {
        **{key: float(np.mean(values)) for key, values in by_seed.items()},
        "by_seed": by_seed,
        "label_f1": dict(zip((row.label for row in runs[0].classes), label_f1.tolist())),
    }


def resample_f1(targets: Bools, given: Bools, weights: Doubles) -> Doubles:
    """Return micro and macro F1 of samples of the texts, float64 [2, samples].

    Args:
        targets: bool [texts, labels].
        given: bool [texts, labels].
        weights: how often each sample holds each text, float64 [samples, texts].
    """
    right, true, found = (
        weights @ mask.astype(np.float64) for mask in (targets & given, targets, given)
    )
    micro = f1_score(right.sum(axis=1), true.sum(axis=1), found.sum(axis=1))
    present = (true > 0) | (found > 0)
    return np.stack([micro, f1_score(right, true, found).sum(axis=1) / present.sum(axis=1)])


def describe_difference(mean: float, samples: Doubles) -> dict[str, float]:
    """Return a difference and its 95 % bootstrap interval."""
    low, high = np.quantile(samples, (0.025, 0.975))
    return {"mean": mean, "low": float(low), "high": float(high)}


def time_classifiers(
    options: argparse.Namespace, texts: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the µs from text to labels of the models of seed 0."""
    folder, device = WORK / "0", str(Path(options.device_run).with_name("python"))
    contenders = [
        Contender(name, options.rivals, kind, folder / "rivals" / file)
        for name, (kind, file) in RIVALS.items()
    ]
    for preset in options.preset:
        bundle = folder / f"bundle-{preset}"
        name = f"glovelite {preset}"
        contenders.append(Contender(name, device, "glovelite", bundle, "tflite-runtime"))
    log(f"timing {len(contenders)} classifiers")
    return time_in_turn(contenders, list(texts[:TIMED_TEXTS]), TIMED_ROUNDS)


def print_summary(summary: dict[str, dict[str, Any]], texts: int) -> None:
    """Print the summary as a Markdown table, the presets of glovelite first; leads of the last."""
    ours = [name for name in summary if name.startswith("glovelite")]
    best = ours[-1]
    leads = [f"lead of {best}: {f1}" for f1 in ("micro F1", "macro F1")]
    rows = []
    for name in (*ours, *RIVALS):
        result = summary[name]
        rows.append(
            [
                name,
                f"{result['bytes']:,}",
                describe_latency(result["microseconds"]),
                f"{result['micro_f1']:.2%}",
                f"{result['macro_f1']:.2%}",
                f"{result['mean_average_precision']:.2%}",
                *(
                    describe_lead(summary[best]["lead"][name][key]) if name in RIVALS else ""
                    for key in F1_SCORES
                ),
            ]
        )
    header = [f"GoEmotions, {texts:,} test texts", "device bytes", "µs, median (99th percentile)"]
    print_table([*header, "micro F1", "macro F1", "mean average precision", *leads], rows)


if __name__ == "__main__":
    main()
