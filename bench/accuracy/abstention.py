"""Measures abstention on text unlike the training text, against the rivals' probabilities.

    python -m bench.accuracy.abstention RIVALS DEVICE_RUN [DATASET]…

Each classifier is trained on one dataset with its published or drawn split, seed 0, and scores its
own test text and up to 1,000 test texts of each other dataset. Prints two Markdown tables:

- Text of another kind: the area under the ROC curve by which a classifier's confidence tells its
  own test text from the other text. glovelite's is `Prediction.confidence`, next to its probability
  alone; the rivals' is the probability of their prediction.
- What abstention does with the bundle's threshold, chosen on dev text: on its own test text, and on
  text of the same kind in another length.

Rivals take the settings that `bench.accuracy.compare` chose on dev text, or search for them.
Results in `runs/abstention` are reused. Writes `results/abstention.json`.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu

from bench.accuracy.compare import Ours, run_glovelite, run_rivals
from bench.datasets import SHARED, Dataset, choose_datasets, write_split
from bench.reporting import RESULTS, print_table, read_jsonl, write_json, write_jsonl
from glovelite.data.labelled_text import TextSource
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import sample

WORK, ACCURACY = Path("runs/abstention"), Path("runs/accuracy")
TRAINED = ("imdb", "rotten-tomatoes", "sst2", "trec", "emotion")
TOPICS = {"imdb": "films", "rotten-tomatoes": "films", "sst2": "films"}
COMMENTS = "goemotions"  # several labels a text, so it is only read
FOREIGN_TEXTS = 1_000
ANSWERED = 0.6  # share at which the same kind of text is also measured
RIVALS = ("fastText .bin", "TF-IDF + LR")
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Separation:
    """How well classifiers trained on one dataset tell another one's text apart.

    Attributes:
        trained: the training dataset.
        text: the other dataset.
        curves: classifier -> area under the ROC curve.
        answered: share of the other text above the bundle's threshold.
    """

    trained: str
    text: str
    curves: dict[str, float]
    answered: float


@dataclass(frozen=True)
class Answered:
    """What a bundle answers of labelled text.

    Attributes:
        trained: the training dataset.
        text: the dataset of the text.
        accuracy: on all texts.
        share: of texts answered with the bundle's threshold.
        answered_accuracy: on those.
        errors_left: share of all errors that are answered.
        errors_left_at_share: the same where the `ANSWERED` most confident texts are answered.
    """

    trained: str
    text: str
    accuracy: float
    share: float
    answered_accuracy: float
    errors_left: float
    errors_left_at_share: float


def write_other_texts(split: Path, trained: Dataset, datasets: list[Dataset]) -> None:
    """Write test text of the other datasets beside a split."""
    for other in datasets:
        path = split / f"other-{other.name}.jsonl"
        if other.name == trained.name or path.is_file():
            continue
        rows = read_jsonl(write_split(other, 0, WORK / other.name / "split") / "test.jsonl")
        write_jsonl(path, draw(list(rows)))
    path = split / f"other-{COMMENTS}.jsonl"
    file = SHARED / COMMENTS / "test.csv"
    if file.is_file() and not path.is_file():
        source = TextSource(str(file), text_column="text", label_column="labels")
        corpus = sample(read_inputs([source]).train, 0, FOREIGN_TEXTS)
        write_jsonl(path, ({"text": text, "label": ""} for text in corpus.texts))


def draw(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return up to `FOREIGN_TEXTS` rows, drawn at random, in their order."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:FOREIGN_TEXTS]
    return [rows[index] for index in sorted(chosen)]


def measure(
    folder: Path, trained: str, rivals: dict[str, Any]
) -> tuple[list[Separation], list[Answered]]:
    """Compare the answers on a dataset's own test text with those on other text."""
    separations, answered = [], []
    own = read_predictions(folder, "test")
    answered.append(score(trained, trained, own, read_rows(folder, "test")))
    for path in sorted((folder / "split").glob("other-*.jsonl")):
        text = path.stem.removeprefix("other-")
        predictions = read_predictions(folder, path.stem)
        if TOPICS.get(text, text) == TOPICS.get(trained, trained):
            answered.append(score(trained, text, predictions, read_rows(folder, path.stem)))
            continue
        curves = {
            "glovelite": curve(values(own, "confidence"), values(predictions, "confidence")),
            "its probability": curve(
                values(own, "probability"), values(predictions, "probability")
            ),
        }
        for rival in RIVALS:
            confidence = rivals[rival]["confidence"]
            curves[rival] = curve(np.array(confidence["test"]), np.array(confidence[path.stem]))
        share = float(np.mean([not prediction["abstained"] for prediction in predictions]))
        separations.append(Separation(trained, text, curves, share))
    return separations, answered


def read_predictions(folder: Path, part: str) -> list[dict[str, Any]]:
    """Return the device's predictions for a file of the split."""
    rows = read_jsonl(folder / "bundle-base" / f"predicted-{part}.jsonl")
    return [row["prediction"] for row in rows]


def read_rows(folder: Path, part: str) -> list[str]:
    """Return the labels of a file of the split."""
    return [row["label"] for row in read_jsonl(folder / "split" / f"{part}.jsonl")]


def values(predictions: list[dict[str, Any]], field: str) -> Floats:
    """Return a field of predictions as an array."""
    return np.array([prediction[field] for prediction in predictions], np.float64)


def curve(own: Floats, other: Floats) -> float:
    """Return the area under the ROC curve: the chance that own text has the higher confidence."""
    return float(mannwhitneyu(own, other).statistic / (len(own) * len(other)))


def score(
    trained: str, text: str, predictions: list[dict[str, Any]], labels: list[str]
) -> Answered:
    """Measure what a bundle answers of labelled text."""
    right = np.array([p["label"] == label for p, label in zip(predictions, labels, strict=True)])
    answers = np.array([not prediction["abstained"] for prediction in predictions])
    order = np.argsort(-values(predictions, "confidence"), kind="stable")
    most = np.isin(np.arange(len(order)), order[: round(ANSWERED * len(order))])
    errors = max(1, int((~right).sum()))
    return Answered(
        trained=trained,
        text=text,
        accuracy=float(right.mean()),
        share=float(answers.mean()),
        answered_accuracy=float(right[answers].mean()) if answers.any() else 0.0,
        errors_left=float((~right & answers).sum() / errors),
        errors_left_at_share=float((~right & most).sum() / errors),
    )


def main() -> None:
    """Train what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("datasets", nargs="*", help="datasets to train on")
    options = parser.parse_args()
    datasets = [dataset for dataset in choose_datasets([]) if dataset.rows is None]
    trained = [dataset for dataset in datasets if dataset.name in (options.datasets or TRAINED)]
    separations, answered = [], []
    for dataset in trained:
        folder = WORK / dataset.name
        write_other_texts(write_split(dataset, 0, folder / "split"), dataset, datasets)
        earlier = ACCURACY / dataset.name / "0" / "rivals.json"
        rivals = run_rivals(options.rivals, 0, folder, earlier if earlier.is_file() else None)
        run_glovelite(options.device_run, Ours("base"), 0, folder)
        for results, found in zip((separations, answered), measure(folder, dataset.name, rivals)):
            results.extend(found)
    print_results(separations, answered)


def print_results(separations: list[Separation], answered: list[Answered]) -> None:
    """Write the results and print the tables."""
    write_json(
        RESULTS / "abstention.json",
        {
            "separations": [asdict(separation) for separation in separations],
            "answered": [asdict(result) for result in answered],
        },
    )
    names = list(separations[0].curves)
    print_table(
        ["trained on", "other text", *names, "answered"],
        [
            (
                separation.trained,
                separation.text,
                *(emphasize(separation.curves[name], separation.curves.values()) for name in names),
                f"{separation.answered:.0%}",
            )
            for separation in separations
        ],
    )
    print()
    print_table(
        [
            "trained on",
            "test text",
            "accuracy",
            "answered",
            "accuracy of those",
            "errors left",
            f"errors left if {ANSWERED:.0%} are answered",
        ],
        [
            (
                result.trained,
                result.text,
                f"{result.accuracy:.1%}",
                f"{result.share:.0%}",
                f"{result.answered_accuracy:.1%}",
                f"{result.errors_left:.0%}",
                f"{result.errors_left_at_share:.0%}",
            )
            for result in answered
        ],
    )


def emphasize(value: float, all_values: Any) -> str:
    """Format an area under the curve, the largest in bold."""
    return f"**{value:.3f}**" if value == max(all_values) else f"{value:.3f}"


if __name__ == "__main__":
    main()
