"""Trains the rivals on a split, chooses their settings on dev text, and predicts test text.

    RIVALS_PYTHON bench/accuracy/rivals.py SPLIT SEED [SETTINGS [MODELS]]

SPLIT holds `train.jsonl`, `dev.jsonl`, `test.jsonl` and other files of test text. Prints JSON: for
each rival its settings, its accuracy on dev, the bytes that a device needs, its predictions for
each file of test text and, where it has probabilities, those of the predictions. SETTINGS is such
output of another seed; its settings are used without a search. MODELS is a folder for
`model.ftz` and `linear.pickle`, which `latency.py` times. Runs where glovelite is not installed.

Text for fastText is prepared as its guide recommends: lowercase, with punctuation separated. The
grid is that of its tutorial on supervised models: learning rate, epochs, word n-grams. The `.ftz`
file is the best model, quantized as in the tutorial (`qnorm`, `retrain`, `cutoff` 100,000).
Subwords are those of fastText's word vectors, of three to six letters, in the `.bin` file.
NB-SVM is that of Wang and Manning (2012): a linear SVM on words and pairs, present or not, scaled
by their log-count ratio, its weights interpolated with their mean.
"""

import json
import pickle
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import fasttext
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

THREADS = 2
FASTTEXT_GRID = tuple(product((0.1, 0.5, 1.0), (5, 25), (1, 2)))  # rate, epochs, word n-grams
LOGISTIC_GRID = (1.0, 3.0, 10.0, 30.0)  # inverse strength of regularization
SVM_GRID = (0.01, 0.1, 1.0)  # the same
SUBWORDS = {"minn": 3, "maxn": 6}  # the letters of fastText's own subwords
MANY_WORDS = 1_000_000  # of training text, with which fastText keeps its default of 5 epochs
INTERPOLATION = 0.25  # share of a weight that is its own; the rest is the mean, as in the paper
WORDS_AND_MARKS = r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]"
fasttext.FastText.eprint = lambda *_: None  # its notice of an API change


@dataclass(frozen=True)
class Part:
    """Labelled texts."""

    texts: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Task:
    """What a rival is trained and scored on.

    Attributes:
        train: training text.
        dev: dev text, for the choice of settings.
        tests: files of test text, for predictions.
        seed: of the training.
        settings: earlier output, whose settings are used; None searches for them.
        models: folder for the trained models, or None.
    """

    train: Part
    dev: Part
    tests: dict[str, Part]
    seed: int
    settings: dict | None
    models: Path | None


def read_part(path):
    """Return the texts and labels of a JSONL file."""
    records = [json.loads(line) for line in path.open(encoding="utf-8")]
    return Part([row["text"] for row in records], [row["label"] for row in records])


def prepare_for_fasttext(text):
    """Lowercase and separate punctuation, as fastText's guide does: "Ah!" → "ah !"."""
    return " ".join(re.sub(r"([.!?,'/()\"])", r" \1 ", text.lower()).split())


def accuracy(predicted, labels):
    """Return the share of correct predictions."""
    return sum(map(str.__eq__, predicted, labels)) / len(labels)


def majority(task):
    """Predict the most frequent label."""
    label = Counter(task.train.labels).most_common(1)[0][0]
    predicted = {name: [label] * len(part.labels) for name, part in task.tests.items()}
    yield "majority class", {"bytes": 0, "predicted": predicted}


WORD_PAIRS = {"ngram_range": (1, 2)}
MANY_CLASSES = 500  # beyond, each has a regression of its own: one of all takes hours


def logistic_regression(task, name="TF-IDF + LR", units=WORD_PAIRS):
    """Logistic regression on TF-IDF of words and word pairs, or of other units."""
    min_count = 2 if len(task.train.texts) > 1000 else 1  # rare n-grams matter in small sets
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=min_count, **units)
    counts = vectorizer.fit_transform(task.train.texts)
    dev_counts = vectorizer.transform(task.dev.texts)
    best = None
    for strength in [task.settings[name]["settings"]] if task.settings else LOGISTIC_GRID:
        model = LogisticRegression(C=strength, max_iter=1000)
        if len(set(task.train.labels)) > MANY_CLASSES:
            model = OneVsRestClassifier(LogisticRegression(C=strength, solver="liblinear"))
        model.fit(counts, task.train.labels)
        dev_accuracy = accuracy(model.predict(dev_counts), task.dev.labels)
        if best is None or dev_accuracy > best[0]:
            best = dev_accuracy, strength, model
    dev_accuracy, strength, model = best
    pickled = pickle.dumps((vectorizer, model))
    if task.models:
        (task.models / "linear.pickle").write_bytes(pickled)
    yield (
        name,
        {
            "dev": dev_accuracy,
            "choice": f"C {strength:g}, {len(vectorizer.vocabulary_):,} n-grams",
            "settings": strength,
            "bytes": len(pickled),
            "predicted": {
                part: model.predict(vectorizer.transform(test.texts)).tolist()
                for part, test in task.tests.items()
            },
            "confidence": {
                part: model.predict_proba(vectorizer.transform(test.texts)).max(axis=1).tolist()
                for part, test in task.tests.items()
            },
        },
    )


def nb_svm(task):
    """NB-SVM of words and word pairs."""
    min_count = 2 if len(task.train.texts) > 1000 else 1
    vectorizer = CountVectorizer(
        ngram_range=(1, 2), binary=True, min_df=min_count, token_pattern=WORDS_AND_MARKS
    )
    counts = vectorizer.fit_transform(task.train.texts)
    classes = sorted(set(task.train.labels))
    labels, dev_counts = np.array(task.train.labels), vectorizer.transform(task.dev.texts)
    best = None
    for strength in [task.settings["NB-SVM"]["settings"]] if task.settings else SVM_GRID:
        columns = [fit_nb_svm(counts, labels == label, strength) for label in classes]
        weights = np.stack([column for column, _ in columns], axis=1)
        biases = np.array([bias for _, bias in columns])

        def predict(features, weights=weights, biases=biases):
            return [classes[index] for index in (features @ weights + biases).argmax(axis=1)]

        dev_accuracy = accuracy(predict(dev_counts), task.dev.labels)
        if best is None or dev_accuracy > best[0]:
            best = dev_accuracy, strength, predict, weights
    dev_accuracy, strength, predict, weights = best
    yield (
        "NB-SVM",
        {
            "dev": dev_accuracy,
            "choice": f"C {strength:g}, {len(vectorizer.vocabulary_):,} n-grams",
            "settings": strength,
            "bytes": len(pickle.dumps((vectorizer, weights.astype(np.float32)))),
            "predicted": {
                part: predict(vectorizer.transform(test.texts)) for part, test in task.tests.items()
            },
        },
    )


def fit_nb_svm(counts, positive, strength):
    """Return the weights and bias of one class against the others."""
    ratios = [np.asarray(1 + counts[rows].sum(axis=0))[0] for rows in (positive, ~positive)]
    ratio = np.log(ratios[0] / ratios[0].sum()) - np.log(ratios[1] / ratios[1].sum())
    model = LinearSVC(C=strength, random_state=0).fit(counts.multiply(ratio).tocsr(), positive)
    own = model.coef_[0]
    weights = (1 - INTERPOLATION) * np.abs(own).mean() + INTERPOLATION * own
    return ratio * weights, model.intercept_[0]


def fast_text(task, kinds=("fastText .bin", "fastText .ftz"), units=None, grid=FASTTEXT_GRID):
    """FastText with the best settings of a grid, and the same model quantized.

    Its texts are shuffled, as its documentation advises: it takes them in their order, and two of
    our sets have one class after the other.

    `units` are options of its n-grams of characters; None reads words alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        numbers = {label: f"__label__{n}" for n, label in enumerate(sorted(set(task.train.labels)))}
        labels = {number: label for label, number in numbers.items()}
        file = Path(folder, "train.txt")
        rows = zip(task.train.texts, task.train.labels)
        lines = [f"{numbers[label]} {prepare_for_fasttext(text)}\n" for text, label in rows]
        random.Random(task.seed).shuffle(lines)
        file.write_text("".join(lines), "utf-8")

        def predict(model, texts):
            found = model.predict([prepare_for_fasttext(text) for text in texts])[0]
            return [labels[names[0]] if names else "" for names in found]

        def confidence(model, texts):
            found = model.predict([prepare_for_fasttext(text) for text in texts])[1]
            return [float(values[0]) if len(values) else 0.0 for values in found]

        best = None
        given = task.settings and [task.settings[kinds[0]]["settings"]]
        for settings in given or grid:
            model = train_fast_text(file, settings, task.seed, units or {})
            dev_accuracy = accuracy(predict(model, task.dev.texts), task.dev.labels) if model else 0
            if model and (best is None or dev_accuracy > best[0]):
                best = dev_accuracy, settings, model
        dev_accuracy, (rate, epochs, ngrams), model = best
        for name, quantized in zip(kinds, (False, True)):
            if quantized:
                model.quantize(str(file), qnorm=True, retrain=True, cutoff=100_000, thread=THREADS)
                dev_accuracy = accuracy(predict(model, task.dev.texts), task.dev.labels)
            path = Path(folder, "model")
            model.save_model(str(path))
            if task.models and quantized:
                shutil.copy(path, task.models / "model.ftz")
            yield (
                name,
                {
                    "dev": dev_accuracy,
                    "choice": f"lr {rate:g}, {epochs} epochs, {ngrams}-grams",
                    "settings": [rate, epochs, ngrams],
                    "bytes": path.stat().st_size,
                    "predicted": {
                        part: predict(model, test.texts) for part, test in task.tests.items()
                    },
                    "confidence": {
                        part: confidence(model, test.texts) for part, test in task.tests.items()
                    },
                },
            )


def subwords(task):
    """FastText with subwords; the learning rate and word n-grams are chosen."""
    words = sum(len(text.split()) for text in task.train.texts)
    epochs = 5 if words > MANY_WORDS else 25
    grid = product((0.1, 0.5, 1.0), (epochs,), (1, 2))
    yield from fast_text(task, ("fastText subwords",), SUBWORDS, grid)


def train_fast_text(file, settings, seed, units):
    """Train fastText, or return None if the learning rate is too high."""
    rate, epochs, ngrams = settings
    options = {"lr": rate, "epoch": epochs, "wordNgrams": ngrams, "seed": seed, **units}
    try:
        return fasttext.train_supervised(str(file), **options, thread=THREADS, verbose=0)
    except RuntimeError:  # "Encountered NaN."
        return None


def run(rivals, split, seed, settings=None, models=None):
    """Train every rival and print the results."""
    parts = {path.stem: read_part(path) for path in sorted(split.glob("*.jsonl"))}
    train, dev = parts.pop("train"), parts.pop("dev")
    task = Task(train, dev, parts, seed, settings, models)
    np.random.seed(seed)
    results = {}
    for train_rival in rivals:
        start = time.monotonic()
        for name, result in train_rival(task):
            results[name] = {**result, "seconds": round(time.monotonic() - start, 1)}
            test_accuracy = accuracy(result["predicted"]["test"], parts["test"].labels)
            print(
                f"{split.name}: {name} {test_accuracy:.2%} {result['bytes']:,} bytes",
                file=sys.stderr,
            )
    print(json.dumps(results))


def main(rivals):
    """Read the command line and run rivals."""
    earlier = json.loads(Path(sys.argv[3]).read_text("utf-8")) if len(sys.argv) > 3 else None
    run(rivals, Path(sys.argv[1]), int(sys.argv[2]), earlier, *map(Path, sys.argv[4:]))


if __name__ == "__main__":
    main((majority, logistic_regression, nb_svm, fast_text, subwords))
