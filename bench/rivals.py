"""Trains the rivals on a split and says what each makes of its test text.

    RIVALS_PYTHON bench/rivals.py SPLIT SEED [CHOSEN [KEEP]]

SPLIT holds `train.jsonl`, `dev.jsonl` and `test.jsonl`. Every choice is made on dev; what is
printed, as JSON, is for each rival its choice, its accuracy on dev, the bytes a device would hold
and the label it gives each test text. CHOSEN, what was printed for another seed, spares the search.
KEEP is a folder for `model.ftz` and `linear.pickle`, which `latency.py` times. It runs where
glovelite is not installed.

fastText's text is prepared as its guide asks: lower case, punctuation apart. Its grid is the one of
its supervised tutorial: learning rate, epochs, word n-grams; `.ftz` is its tutorial's quantization
(`qnorm`, `retrain`, `cutoff` 100,000) of the best.
"""

import json
import pickle
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from itertools import product
from pathlib import Path

import fasttext
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

THREADS = 2
FASTTEXT_GRID = tuple(product((0.1, 0.5, 1.0), (5, 25), (1, 2)))  # rate, epochs, word n-grams
LOGISTIC_GRID = (1.0, 3.0, 10.0, 30.0)  # inverse strength of regularization
fasttext.FastText.eprint = lambda *_: None  # its notice of an API of years ago


def read(path):
    """Give the texts and labels of a JSONL file."""
    records = [json.loads(line) for line in path.open(encoding="utf-8")]
    return [each["text"] for each in records], [each["label"] for each in records]


def prepare(text):
    """Lower the case and set punctuation apart, as fastText's guide does: "Ah!" → "ah !"."""
    return " ".join(re.sub(r"([.!?,'/()\"])", r" \1 ", text.lower()).split())


def accuracy(predicted, labels):
    """Give the share of labels that are right."""
    return sum(map(str.__eq__, predicted, labels)) / len(labels)


def majority(train, _dev, test, _seed, _chosen, _keep):
    """Answer the commonest label."""
    label = Counter(train[1]).most_common(1)[0][0]
    yield "majority class", {"bytes": 0, "predicted": [label] * len(test[1])}


def logistic(train, dev, test, _seed, chosen, keep):
    """TF-IDF of words and pairs under a logistic regression."""
    best = None
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=min_count(train))
    counts = vectorizer.fit_transform(train[0])
    for strength in [chosen["TF-IDF + LR"]["settings"]] if chosen else LOGISTIC_GRID:
        model = LogisticRegression(C=strength, max_iter=1000).fit(counts, train[1])
        reached = accuracy(model.predict(vectorizer.transform(dev[0])), dev[1])
        if best is None or reached > best[0]:
            best = reached, strength, model
    reached, strength, model = best
    predicted = model.predict(vectorizer.transform(test[0])).tolist()
    pickled = pickle.dumps((vectorizer, model))
    if keep:
        (keep / "linear.pickle").write_bytes(pickled)
    choice = f"C {strength:g}, {len(vectorizer.vocabulary_):,} n-grams"
    yield (
        "TF-IDF + LR",
        {
            "dev": reached,
            "choice": choice,
            "settings": strength,
            "bytes": len(pickled),
            "predicted": predicted,
        },
    )


def min_count(train):
    """Leave n-grams of one text out where there is text enough."""
    return 2 if len(train[1]) > 1000 else 1


def fast(train, dev, test, seed, chosen, keep):
    """FastText, the best of a grid, and its quantized form."""
    with tempfile.TemporaryDirectory() as folder:
        names = {label: f"__label__{number}" for number, label in enumerate(sorted(set(train[1])))}
        labels = {name: label for label, name in names.items()}
        file = Path(folder, "train.txt")
        rows = (f"{names[label]} {prepare(text)}\n" for text, label in zip(*train))
        file.write_text("".join(rows), "utf-8")

        def predict(model, texts):
            found = model.predict([prepare(text) for text in texts])[0]
            return [labels[each[0]] if each else "" for each in found]

        best = None
        for rate, epochs, ngrams in (
            [chosen["fastText .bin"]["settings"]] if chosen else FASTTEXT_GRID
        ):
            options = {"lr": rate, "epoch": epochs, "wordNgrams": ngrams, "seed": seed}
            settings = {**options, "thread": THREADS, "verbose": 0}
            try:
                model = fasttext.train_supervised(str(file), **settings)
            except RuntimeError:  # "Encountered NaN.": its rate is too high
                continue
            reached = accuracy(predict(model, dev[0]), dev[1])
            if best is None or reached > best[0]:
                best = reached, options, model
        reached, options, model = best
        choice = f"lr {options['lr']:g}, {options['epoch']} epochs, {options['wordNgrams']}-grams"
        for name in ("fastText .bin", "fastText .ftz"):
            if name.endswith(".ftz"):
                model.quantize(str(file), qnorm=True, retrain=True, cutoff=100_000, thread=THREADS)
                reached = accuracy(predict(model, dev[0]), dev[1])
            path = Path(folder, "model")
            model.save_model(str(path))
            if keep and name.endswith(".ftz"):
                shutil.copy(path, keep / "model.ftz")
            yield (
                name,
                {
                    "dev": reached,
                    "choice": choice,
                    "settings": [options["lr"], options["epoch"], options["wordNgrams"]],
                    "bytes": path.stat().st_size,
                    "predicted": predict(model, test[0]),
                },
            )


def main(split, seed, chosen=None, keep=None):
    """Train every rival and print what came of it."""
    train, dev, test = (read(split / f"{name}.jsonl") for name in ("train", "dev", "test"))
    np.random.seed(seed)
    found = {}
    for train_rival in (majority, logistic, fast):
        begun = time.monotonic()
        for name, result in train_rival(train, dev, test, seed, chosen, keep):
            found[name] = {**result, "seconds": round(time.monotonic() - begun, 1)}
            print(
                f"{split.name}: {name} {accuracy(result['predicted'], test[1]):.2%} "
                f"{result['bytes']:,} bytes",
                file=sys.stderr,
            )
    print(json.dumps(found))


if __name__ == "__main__":
    earlier = json.loads(Path(sys.argv[3]).read_text("utf-8")) if len(sys.argv) > 3 else None
    main(Path(sys.argv[1]), int(sys.argv[2]), earlier, *map(Path, sys.argv[4:]))
