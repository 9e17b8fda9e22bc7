"""Measures training with few labelled texts, many unlabelled ones and a teacher.

    python -m bench.few_labels.teacher TEACHER DEVICE_RUN [--seeds N] [DATASET]…
    python -m bench.few_labels.teacher TEACHER DEVICE_RUN --dev [--seeds N] [DATASET]…

Each seed draws 200 labelled texts, a tenth of them as dev text; up to 16,000 others are unlabelled.
The teacher is `sentence_teacher.py`, fitted to the labelled texts without dev text. Results in
`runs/teacher` are reused. Prints a Markdown table of test scores on the device's interpreter and
writes `results/teacher.json`.

With --dev: compares weights and temperatures of the teacher on published dev text, or on text held
out of the training text, and writes `results/teacher_options.json`. Test text is not read.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets import SMALL_ROWS, Dataset, choose_datasets, make_records, read_labels
from bench.reporting import (
    BENCH,
    BIN,
    RESULTS,
    log,
    print_table,
    read_json,
    read_jsonl,
    run_command,
    write_json,
    write_jsonl,
)
from glovelite.convert.manifest import bundle_bytes
from glovelite.data.labelled_text import TextSource
from glovelite.evaluation.scores import calibration_error
from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.logs import log_to
from glovelite.train.data.corpus import Corpus
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import sample

WORK = Path("runs/teacher")
TEACHER = BENCH / "few_labels/sentence_teacher.py"
TEST_SETS = ("sst2", "emotion")
DEV_SETS = ("sst2", "emotion", "trec", "rotten-tomatoes")
UNLABELLED_ROWS = 16_000
CLASS_ROWS = 4  # labelled texts of a class at least: dev text takes one
DEV_SHARE = 0.1  # of the labelled texts of each class
HELD_OUT_ROWS, HELD_OUT_SEED = 1_000, 0  # of sets without published dev text
POOL_SEED = 0  # all seeds have one pool of texts, so that each text is embedded once
ALONE, SELF, SOFT = "200 labels alone", "self-training", "teacher's probabilities"
BOTH = "mean of teacher and self-training"
SELF_TRAINING = ("--self-training",)
WEIGHT, TEMPERATURE = "--teacher-weight", "--teacher-temperature"
#: Choices of options: whether the teacher's scores are given, and further options.
DEV_VARIANTS: dict[str, tuple[bool, tuple[str, ...]]] = {
    SELF: (False, SELF_TRAINING),
    "self-training, temperature 0.7": (False, (*SELF_TRAINING, TEMPERATURE, "0.7")),
    SOFT: (True, ()),
    "weight 0.3": (True, (WEIGHT, "0.3")),
    "temperature 0.7": (True, (TEMPERATURE, "0.7")),
    "temperature 1.5": (True, (TEMPERATURE, "1.5")),
    BOTH: (True, SELF_TRAINING),
    "mean, temperature 0.7": (True, (*SELF_TRAINING, TEMPERATURE, "0.7")),
}


@dataclass(frozen=True)
class Score:
    """What one classifier reaches on a set's texts.

    Attributes:
        accuracy: share classified correctly.
        calibration_error: expected calibration error, 0 to 1.
        bytes: what the classifier takes.
    """

    accuracy: float
    calibration_error: float
    bytes: int


@dataclass(frozen=True)
class Task:
    """One draw of labelled text from a dataset.

    Attributes:
        folder: holds `train.jsonl`, `dev.jsonl`, `unlabelled.jsonl` and `scored.jsonl`; receives
            the runs.
        seed: of the draw and of the training.
        teacher: Python that has the sentence encoder.
        device_run: the device environment's `glovelite-run`.
    """

    folder: Path
    seed: int
    teacher: str
    device_run: str

    def file(self, name: str) -> Path:
        """Return one of its JSONL files."""
        return self.folder / f"{name}.jsonl"


@log_to(log)
def write_texts(dataset: Dataset, seed: int, folder: Path, scored: str | None) -> None:
    """Write labelled, unlabelled and scored text of a dataset, unless they exist.

    Args:
        dataset: the dataset.
        seed: draws the labelled texts; the others of the pool are unlabelled.
        folder: the folder to write.
        scored: file of the texts that are scored; None holds some out of the training text, the
            same for all seeds.
    """
    if (folder / "unlabelled.jsonl").is_file():  # written last
        return
    inputs = read_inputs([TextSource(dataset.train, None, None, None)], None, scored)
    rest, held_out = inputs.train, inputs.test
    if held_out is None:
        held_out = sample(rest, HELD_OUT_SEED, HELD_OUT_ROWS)
        rest = without(rest, held_out)
    pool = sample(rest, POOL_SEED, SMALL_ROWS + UNLABELLED_ROWS)
    train, dev = draw_labelled(pool, seed)
    for name, part in (("train", train), ("dev", dev), ("scored", held_out)):
        write_jsonl(folder / f"{name}.jsonl", make_records(part))
    others = without(without(pool, train), dev)
    write_jsonl(folder / "unlabelled.jsonl", ({"text": text} for text in others.texts))


def draw_labelled(corpus: Corpus, seed: int) -> tuple[Corpus, Corpus]:
    """Draw `SMALL_ROWS` texts stratified by class, at least `CLASS_ROWS` of each: train and dev."""
    rows = np.random.default_rng(seed).permutation(len(corpus))
    targets = corpus.targets[rows]
    sizes = np.bincount(targets) * SMALL_ROWS / len(corpus)
    counts = np.maximum(np.round(sizes).astype(int), CLASS_ROWS)
    counts[sizes.argmax()] += SMALL_ROWS - counts.sum()
    train, dev = list[Longs](), list[Longs]()
    for target, count in enumerate(counts):
        held_out = max(1, round(count * DEV_SHARE))
        chosen = rows[targets == target][:count]
        dev.append(chosen[:held_out])
        train.append(chosen[held_out:])
    first, second = (corpus.select(np.sort(np.concatenate(part))) for part in (train, dev))
    return first, second


def without(corpus: Corpus, others: Corpus) -> Corpus:
    """Return the texts of a corpus that are not among others."""
    return corpus.select(np.flatnonzero(~np.isin(corpus.hashes, others.hashes)))


def run_teacher(task: Task) -> dict[str, Any]:
    """Fit the teacher to training text and return its output; see `sentence_teacher.py`."""
    path = task.folder / "teacher.json"
    if not path.is_file():
        cache = WORK / f"embeddings-{task.folder.parent.name}.npz"
        files = [task.file("train"), cache, task.file("unlabelled"), task.file("scored")]
        run_command([task.teacher, TEACHER, *files], path)
    return dict(read_json(path))


def train(task: Task, name: str, options: Sequence[object]) -> Path:
    """Train on the labelled texts with further options; return the run folder."""
    run = task.folder / f"run-{re.sub('[^a-z0-9.]+', '-', name)}"
    if not (run / "metrics.json").is_file():
        held_out = ["--dev", task.file("dev"), "--test", task.file("scored")]
        settings = ["--seed", task.seed, *options, "--out", run]
        run_command([BIN / "glovelite-train", task.file("train"), *held_out, *settings])
    return run


def predict(task: Task, run: Path) -> tuple[Path, Floats]:
    """Export a run and classify the scored texts on the device's interpreter.

    Returns:
        The bundle, and probabilities, float32 [texts, classes].
    """
    bundle = run.with_name(run.name.replace("run-", "bundle-", 1))
    if not (bundle / "manifest.json").is_file():
        run_command([BIN / "glovelite-convert", "export", run, "--out", bundle])
    target = bundle.with_name(f"scored-{bundle.name}.jsonl")
    if not target.is_file():
        with task.file("scored").open() as texts:
            run_command([task.device_run, bundle, "--jsonl"], target, texts)
    labels = find_labels(task)
    rows = [row["prediction"]["probabilities"] for row in read_jsonl(target)]
    return bundle, np.array([[row[label] for label in labels] for row in rows], np.float32)


def find_labels(task: Task) -> list[str]:
    """Return the labels of a task, sorted."""
    return sorted(set(read_labels(task.file("train"))))


def score(task: Task, probabilities: Floats, size: int) -> Score:
    """Score probabilities of the scored texts, float32 [texts, classes]."""
    labels = find_labels(task)
    targets = np.array([labels.index(label) for label in read_labels(task.file("scored"))])
    accuracy = float(np.mean(probabilities.argmax(axis=1) == targets))
    return Score(accuracy, calibration_error(probabilities, targets), size)


def write_scores(task: Task, probabilities: Floats) -> tuple[Path, Path]:
    """Write the teacher's probabilities of the unlabelled texts, and its most probable labels."""
    soft, hard, labels = task.file("soft"), task.file("hard"), find_labels(task)
    rows = probabilities.tolist()
    write_jsonl(soft, ({"probabilities": dict(zip(labels, row))} for row in rows))
    write_jsonl(hard, ({"label": labels[row.argmax()]} for row in probabilities))
    return soft, hard


def compare_on_test(task: Task) -> dict[str, Score]:
    """Train every variant of a task and score it on the device's interpreter."""
    about = run_teacher(task)
    soft, hard = write_scores(task, np.array(about["scores"]["unlabelled"], np.float32))
    texts = ["--unlabelled", task.file("unlabelled")]
    variants: dict[str, list[object]] = {
        ALONE: [],
        SELF: [*texts, *SELF_TRAINING],
        "teacher's labels": [*texts, "--teacher", hard],
        SOFT: [*texts, "--teacher", soft],
        BOTH: [*texts, "--teacher", soft, *SELF_TRAINING],
    }
    scores = {}
    for name, options in variants.items():
        bundle, probabilities = predict(task, train(task, name, options))
        scores[name] = score(task, probabilities, sum(bundle_bytes(bundle).values()))
    teacher = np.array(about["scores"]["scored"], np.float32)
    return {**scores, "the teacher itself": score(task, teacher, about["bytes"])}


def compare_on_dev(task: Task) -> dict[str, float]:
    """Return the accuracy of every choice of options, by Keras on text that is not test text."""
    about = run_teacher(task)
    soft, _ = write_scores(task, np.array(about["scores"]["unlabelled"], np.float32))
    variants: dict[str, list[object]] = {ALONE: []}
    for name, (taught, options) in DEV_VARIANTS.items():
        teacher = ["--teacher", soft] if taught else []
        variants[name] = ["--unlabelled", task.file("unlabelled"), *teacher, *options]
    runs = {name: train(task, name, source) for name, source in variants.items()}
    metrics = {name: read_json(run / "metrics.json") for name, run in runs.items()}
    return {name: content["scores"]["test"]["accuracy"] for name, content in metrics.items()}


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", help="Python that has the sentence encoder")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--dev", action="store_true", help="compare options on dev text")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_intermixed_args()
    names = options.datasets or list(DEV_SETS if options.dev else TEST_SETS)
    scores: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.seeds):  # all sets of a seed first: each seed is a result
        for dataset in (dataset for dataset in choose_datasets(names) if dataset.available):
            folder = WORK / ("dev" if options.dev else "test") / dataset.name / str(seed)
            write_texts(dataset, seed, folder, dataset.dev if options.dev else dataset.test)
            task = Task(folder, seed, options.teacher, options.device_run)
            done = compare_on_dev(task) if options.dev else compare_on_test(task)
            scores.setdefault(dataset.name, []).append(done)
            for name, accuracy in done.items():
                log(f"{dataset.name}, seed {seed}, {name}: {accuracy}")
    if options.dev:
        print_accuracies(scores)
        write_json(RESULTS / "teacher_options.json", scores)
    else:
        print_scores(scores)
        records = {
            name: {variant: [asdict(run[variant]) for run in runs] for variant in runs[0]}
            for name, runs in scores.items()
        }
        write_json(RESULTS / "teacher.json", records)


def print_scores(scores: dict[str, list[dict[str, Score]]]) -> None:
    """Print mean and range over the seeds, a row for each set and variant."""
    rows = []
    for name, runs in scores.items():
        for variant in runs[0]:
            accuracies = [run[variant] for run in runs]
            accuracy = describe([100 * score.accuracy for score in accuracies])
            error = describe([100 * score.calibration_error for score in accuracies])
            size = int(np.mean([score.bytes for score in accuracies]))
            rows.append([name, variant, len(runs), accuracy, error, f"{size:,}"])
    header = ["set", "trained on", "draws", "accuracy", "calibration error", "bytes"]
    print_table(header, rows)


def print_accuracies(scores: dict[str, list[dict[str, float]]]) -> None:
    """Print the mean accuracy over the seeds, a row for each choice and a column for each set."""
    rows = []
    for variant in next(iter(scores.values()))[0]:
        means = [np.mean([run[variant] for run in runs]) for runs in scores.values()]
        rows.append([variant, *(f"{mean:.1%}" for mean in means)])
    draws = min(map(len, scores.values()))
    print_table([f"draws: {draws}", *scores], rows)


def describe(values: Sequence[float]) -> str:
    """Describe percentages: `70.1% (68.0–72.2)`."""
    return f"{np.mean(values):.1f}% ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
