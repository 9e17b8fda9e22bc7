"""Trains the rivals on multi-label text, with settings and thresholds chosen on dev text.

    RIVALS_PYTHON -m bench.accuracy.multilabel_rivals SPLIT FOLDER SEED [SETTINGS]

SPLIT holds `train.jsonl`, `dev.jsonl` and `test.jsonl`. Writes into FOLDER the models, which
`multilabel.py` times, and `probabilities.npz`: `NAME/PART`, float32 [texts, labels]. Prints JSON:
the labels, and for each rival its settings, its thresholds, its F1 on dev text and the bytes that a
device needs. SETTINGS is such output of another seed; its settings are used without a search.

Probabilities are calibrated and thresholds chosen on dev text by glovelite's own functions, which
need only numpy and scipy. The settings are those with the highest sum of micro and macro F1 on dev,
and so is whether probabilities are calibrated.

fastText: one-vs-all loss with the dimensions and buckets of its tutorial's section on multi-label
text, on text prepared as its guide recommends; the `.ftz` is the best model, quantized as in the
tutorial. TF-IDF with logistic regression, one for each label: words and pairs, of scikit-learn's
default tokens or of words and punctuation marks.
"""

import json
import pickle
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import fasttext
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bench.accuracy.rivals import THREADS, WORDS_AND_MARKS, prepare_for_fasttext
from glovelite.evaluation.scores import choose_thresholds, score
from glovelite.train.fitting.calibration import fit_calibration, to_probabilities

RATES, EPOCHS, NGRAMS = (0.1, 0.25, 0.5, 1.0), (3, 5, 10, 25), (1, 2)
FASTTEXT_GRID = tuple(product(RATES, EPOCHS, NGRAMS))
FASTTEXT_OPTIONS = {"loss": "ova", "dim": 50, "bucket": 200_000}
TOKENS = {"words": r"(?u)\b\w\w+\b", "words and marks": WORDS_AND_MARKS}
LINEAR_GRID = tuple(product(TOKENS, (1.0, 3.0, 10.0)))  # tokens, C
LINEAR_OPTIONS = {"solver": "liblinear", "max_iter": 1000}  # on dev better than the default
SMALLEST = 1e-7  # a probability of 0 or 1 has no logit


@dataclass(frozen=True)
class Part:
    """Texts and their labels, bool [texts, labels]."""

    texts: list
    targets: np.ndarray


@dataclass(frozen=True)
class Task:
    """What a rival is trained and scored on.

    Attributes:
        labels: names of the labels.
        train: training text.
        dev: dev text, for the choice of settings, the calibration and the thresholds.
        test: test text, for the probabilities.
        folder: for the models.
        seed: of the training.
    """

    labels: list
    train: Part
    dev: Part
    test: Part
    folder: Path
    seed: int


@dataclass(frozen=True)
class Decider:
    """What is chosen on dev text after training.

    Attributes:
        divisors: temperature of each label.
        thresholds: of each label.
        micro_f1: on dev text.
        macro_f1: on dev text.
    """

    divisors: np.ndarray
    thresholds: tuple
    micro_f1: float
    macro_f1: float

    @property
    def f1(self):
        """What is chosen by."""
        return self.micro_f1 + self.macro_f1

    def calibrate(self, probabilities):
        """Return calibrated probabilities."""
        return to_probabilities(to_logits(probabilities) / self.divisors, multi_label=True)


class Linear:
    """TF-IDF and a logistic regression for each label."""

    file = "linear.pickle"

    def __init__(self, task, tokens, strength):
        """Train it."""
        options = {"ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2}
        self._vectorizer = TfidfVectorizer(**options, token_pattern=TOKENS[tokens])
        counts = self._vectorizer.fit_transform(task.train.texts)
        model = LogisticRegression(C=strength, **LINEAR_OPTIONS)
        self._model = OneVsRestClassifier(model).fit(counts, task.train.targets)
        self.choice = f"C {strength:g}, {len(self._vectorizer.vocabulary_):,} n-grams of {tokens}"

    def predict(self, texts):
        """Return probabilities, float [texts, labels]."""
        return self._model.predict_proba(self._vectorizer.transform(texts))

    def save(self, path):
        """Write what a device needs."""
        path.write_bytes(pickle.dumps((self._vectorizer, self._model)))


class FastText:
    """FastText with a sigmoid for each label."""

    file = "model.bin"

    def __init__(self, task, rate, epochs, ngrams):
        """Train it."""
        lines = write_lines(task.folder, task.train)
        options = {**FASTTEXT_OPTIONS, "lr": rate, "epoch": epochs, "wordNgrams": ngrams}
        self._model = fasttext.train_supervised(
            str(lines), **options, seed=task.seed, thread=THREADS, verbose=0
        )
        self._label_count = len(task.labels)
        self.choice = describe_fasttext(rate, epochs, ngrams)

    def predict(self, texts):
        """Return probabilities, float [texts, labels]."""
        probabilities = np.zeros((len(texts), self._label_count))
        for row, text in zip(probabilities, texts):
            names, values = self._model.predict(prepare_for_fasttext(text), k=-1)
            row[[int(name.removeprefix("__label__")) for name in names]] = values
        return probabilities

    def save(self, path):
        """Write what a device needs."""
        self._model.save_model(str(path))


class QuantizedFastText(FastText):
    """The saved fastText model, quantized as in its tutorial."""

    file = "model.ftz"

    def __init__(self, task, rate, epochs, ngrams):
        """Quantize it."""
        self._model = fasttext.load_model(str(task.folder / FastText.file))
        options = {"qnorm": True, "retrain": True, "cutoff": 100_000, "lr": rate, "epoch": epochs}
        lines = write_lines(task.folder, task.train)
        self._model.quantize(str(lines), **options, thread=THREADS)
        self._label_count = len(task.labels)
        self.choice = describe_fasttext(rate, epochs, ngrams)


RIVALS = {
    "fastText .bin": (FastText, FASTTEXT_GRID),
    "fastText .ftz": (QuantizedFastText, None),  # of the `.bin`, with its settings
    "TF-IDF + LR": (Linear, LINEAR_GRID),
}


def describe_fasttext(rate, epochs, ngrams):
    """Describe fastText's settings."""
    return f"lr {rate:g}, {epochs} epochs, {ngrams}-grams"


def write_lines(folder, part):
    """Write texts as fastText reads them, labels by their numbers; return the file."""
    path = folder / "train.txt"
    lines = (
        " ".join([*(f"__label__{n}" for n in np.flatnonzero(row)), prepare_for_fasttext(text)])
        for row, text in zip(part.targets, part.texts)
    )
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def to_logits(probabilities):
    """Return the logits of probabilities, float32."""
    clipped = np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(clipped / (1 - clipped)).astype(np.float32)


def choose_on_dev(task, probabilities):
    """Choose temperatures and thresholds as glovelite does, without temperatures if better."""
    logits, targets = to_logits(probabilities), task.dev.targets
    deciders = []
    for divisors in (fit_calibration(logits, targets).divisors, np.ones(1, np.float32)):
        calibrated = to_probabilities(logits / divisors, multi_label=True)
        thresholds = choose_thresholds(calibrated, targets)
        scores = score(targets, calibrated, task.labels, thresholds)
        deciders.append(Decider(divisors, thresholds, scores.micro_f1, scores.macro_f1))
    return max(deciders, key=lambda row: row.f1)


def search(task, rival, grid):
    """Train a rival with each of these settings; return the best with its settings and decider."""
    best = None
    for settings in grid:
        model = rival(task, *settings)
        decider = choose_on_dev(task, model.predict(task.dev.texts))
        print(f"  {model.choice}: {decider.micro_f1:.2%} {decider.macro_f1:.2%}", file=sys.stderr)
        if best is None or decider.f1 > best[-1].f1:
            best = settings, model, decider
    return best


def read_task(split, folder, seed):
    """Read the split."""
    rows = {
        name: [json.loads(line) for line in (split / f"{name}.jsonl").open(encoding="utf-8")]
        for name in ("train", "dev", "test")
    }
    labels = sorted({label for row in rows["train"] for label in row["labels"]})
    parts = {
        name: Part(
            [row["text"] for row in records],
            np.array([[label in row["labels"] for label in labels] for row in records]),
        )
        for name, records in rows.items()
    }
    return Task(labels, **parts, folder=folder, seed=seed)


def main(split, folder, seed, earlier=None):
    """Train every rival, write models and probabilities, and print the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    task = read_task(split, folder, seed)
    results, probabilities = {}, {}
    for name, (rival, grid) in RIVALS.items():
        settings = (earlier or results).get(name if grid else "fastText .bin", {}).get("settings")
        settings, model, decider = search(task, rival, [settings] if settings else grid)
        model.save(folder / model.file)
        for part in ("dev", "test"):
            raw = model.predict(getattr(task, part).texts)
            probabilities[f"{name}/{part}"] = decider.calibrate(raw)
        results[name] = {
            "choice": model.choice + ", calibrated" * (len(decider.divisors) > 1),
            "settings": list(settings),
            "dev": {"micro_f1": decider.micro_f1, "macro_f1": decider.macro_f1},
            "bytes": (folder / model.file).stat().st_size,
            "thresholds": dict(zip(task.labels, decider.thresholds)),
        }
    np.savez_compressed(folder / "probabilities.npz", **probabilities)
    print(json.dumps(results))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[4]).read_text("utf-8")) if len(sys.argv) > 4 else None
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), given)
