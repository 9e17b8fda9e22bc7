"""Compares accuracy with rivals on the same splits, and prints Markdown tables.

    python -m bench.accuracy.compare RIVALS DEVICE_RUN [--preset P]… [--seeds N] [DATASET | CSV]…

For each dataset and seed: `glovelite-train` with each preset, `glovelite-convert` with its
defaults, predictions by the device environment's `glovelite-run`; and the rivals (`rivals.py`) on
the same files. Rivals search their settings on the dev text of seed 0 and keep them for the other
seeds. Results in `runs/accuracy` are reused. Writes `results/accuracy.json` and
`results/accuracy.png`.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.accuracy.summary import (
    RIVALS,
    UNCORRECTED,
    Predictions,
    Summary,
    plot,
    print_comparison,
    print_misspelt,
    print_unknown,
    summarize,
)
from bench.datasets import Dataset, choose_datasets, read_labels, read_texts, write_split
from bench.reporting import BENCH, BIN, RESULTS, read_json, read_jsonl, run_command, write_json
from glovelite.convert.manifest import bundle_bytes
from glovelite.runtime.text.tokenizer import WORDS, Tokenizer

WORK = Path("runs/accuracy")


@dataclass(frozen=True)
class Ours:
    """A classifier of ours.

    Attributes:
        preset: a preset, with other options of training appended: `large--punctuation`.
        export: options of `glovelite-convert export`.
    """

    preset: str
    export: tuple[str, ...] = ()

    @property
    def bundle(self) -> str:
        """The name of its folder."""
        return f"bundle-{self.preset}{''.join(self.export)}"


def main() -> None:
    """Run what is missing and compare."""
    options = parse_arguments()
    ours = {f"glovelite {preset}": Ours(preset) for preset in options.preset}
    ours[UNCORRECTED] = Ours(options.preset[0], ("--no-spelling",))
    path = RESULTS / "accuracy.json"
    summary = read_json(path, {})  # other datasets keep their earlier results
    for dataset in choose_datasets(options.datasets):
        summary[dataset.name] = compare(dataset, WORK, ours, options)
        write_json(path, summary)
    plot(summary, RESULTS / "accuracy.png")
    for print_part in (print_comparison, print_unknown, print_misspelt):
        print_part(summary)
        print()


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*", help="names of datasets, or CSV files")
    parser.add_argument("--preset", action="append", help="of glovelite; may be repeated")
    parser.add_argument("--seeds", type=int, default=5, help="maximum number of seeds")
    options = parser.parse_intermixed_args()
    options.preset = options.preset or ["base"]
    return options


def compare(
    dataset: Dataset,
    work: Path,
    ours: Mapping[str, Ours],
    options: argparse.Namespace,
    script: str = "rivals.py",
    rivals: tuple[str, ...] = RIVALS,
) -> Summary:
    """Train and run every classifier with each seed, and summarize their predictions.

    Args:
        work: holds a folder for each dataset, with one for each seed.
        ours: classifiers of ours, by name.
        options: `rivals`, `device_run` and `seeds` of the command line.
        script: module beside this one that trains the rivals.
        rivals: the classifiers over which ours has a lead.
    """
    runs: dict[str, list[Predictions]] = {}
    for seed in range(min(dataset.seeds, options.seeds)):
        folder = work / dataset.name / str(seed)
        split = write_split(dataset, seed, folder / "split")
        first = work / dataset.name / "0" / "rivals.json" if seed else None
        results = dict(run_rivals(options.rivals, seed, folder, first, script))
        for name, classifier in ours.items():
            results[name] = run_glovelite(options.device_run, classifier, seed, folder)
        for name, result in results.items():
            correct = score_parts(split, result["predicted"])
            runs.setdefault(name, []).append(Predictions(result, correct))
    return summarize(runs, dataset.draws_test, rivals)


def run_rivals(
    python: str, seed: int, folder: Path, settings: Path | None, script: str = "rivals.py"
) -> dict[str, Any]:
    """Train the rivals and predict test text, or return the earlier result.

    Args:
        python: Python that has the rivals.
        seed: of the training.
        folder: holds the split; receives `rivals.json`.
        settings: results whose settings are used; None searches for the best on dev text.
        script: module beside this one that trains them.
    """
    path = folder / "rivals.json"
    if not path.is_file():
        command = [python, BENCH / "accuracy" / script, folder / "split", seed]
        run_command([*command, settings] if settings else command, path)
    return read_json(path)


def save_rivals(python: str, split: Path, settings: Path, models: Path, script: str) -> None:
    """Train the rivals with the settings of earlier results, and save their models."""
    models.mkdir(parents=True, exist_ok=True)
    command = [python, BENCH / "accuracy" / script, split, 0, settings, models]
    run_command(command, models / "rivals.json")


def run_glovelite(device_run: str, ours: Ours, seed: int, folder: Path) -> dict[str, Any]:
    """Train, export and predict every file of test text, or return the earlier results.

    Args:
        device_run: the device environment's `glovelite-run`.
        ours: what is trained and exported.
        seed: of the training.
        folder: holds the split; receives run, bundle and predictions.
    """
    split, run, bundle = folder / "split", folder / f"run-{ours.preset}", folder / ours.bundle
    if not (run / "metrics.json").is_file():
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl"]
        settings = [*preset_options(ours.preset), "--seed", seed, "--out", run]
        run_command([BIN / "glovelite-train", split / "train.jsonl", *held_out, *settings])
    if not (bundle / "manifest.json").is_file():
        run_command([BIN / "glovelite-convert", "export", run, "--out", bundle, *ours.export])
    metrics, manifest = read_json(run / "metrics.json"), read_json(bundle / "manifest.json")
    answers = {}
    for path in test_files(split):
        target = bundle / f"predicted-{path.name}"
        if not target.is_file():
            with path.open() as texts:
                run_command([device_run, bundle, "--jsonl"], target, texts)
        answers[path.stem] = [answer["prediction"] for answer in read_jsonl(target)]
    tokenizer = Tokenizer("--punctuation" in ours.preset)
    lengths = [len(tokenizer.tokenize(text)) for text in read_texts(split / "test.jsonl")]
    unknown = sum(
        count * (1 - found["known"]) for count, found in zip(lengths, answers["test"], strict=True)
    )
    return {
        "dev": manifest["accuracy"]["dev"]["device"],
        "choice": " ".join(preset_options(ours.preset)),
        "bytes": sum(bundle_bytes(bundle).values()),
        "seconds": metrics["seconds"],
        "calibration_error": metrics["calibration"]["error"]["test"],
        "keras": manifest["accuracy"]["test"]["keras"],
        "lost": manifest["accuracy"]["test"]["lost"],
        "won": manifest["accuracy"]["test"]["won"],
        "unknown_words": unknown / sum(lengths),
        "predicted": {name: [found["label"] for found in part] for name, part in answers.items()},
    }


def preset_options(preset: str) -> list[str]:
    """Return options: `"large--punctuation"` -> `["--preset", "large", "--punctuation"]`."""
    name, *flags = preset.split("--")
    return ["--preset", name, *(f"--{flag}" for flag in flags)]


def test_files(split: Path) -> list[Path]:
    """Return the files of test text in a split."""
    return [path for path in sorted(split.glob("*.jsonl")) if path.stem not in ("train", "dev")]


def score_parts(split: Path, predicted: dict[str, list[str]]) -> dict[str, list[bool]]:
    """Return whether each prediction is correct, for each file of test text and for two parts.

    `new words` are the test texts with a word that training text lacks; `whole` is the test text
    together with the texts that training text holds.
    """
    correct = {}
    for path in test_files(split):
        labels = read_labels(path)
        correct[path.stem] = [a == b for a, b in zip(predicted[path.stem], labels, strict=True)]
    known = {token for text in read_texts(split / "train.jsonl") for token in WORDS.tokenize(text)}
    correct["new words"] = [
        right
        for text, right in zip(read_texts(split / "test.jsonl"), correct["test"])
        if not known.issuperset(WORDS.tokenize(text))
    ]
    correct["whole"] = correct["test"] + correct.get("seen", [])
    return correct


if __name__ == "__main__":
    main()
