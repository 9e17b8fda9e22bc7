"""Compares listing words by rank, by frequency, and with the rest hashed, on unseen texts.

    python -m bench.export.word_ranking RUN

Ranks the words of RUN on every other dev text and classifies the rest of dev with the words kept,
in float32, with the numpy model; the words kept are listed, others are unknown or hashed. Prints a
Markdown table.
"""

import sys
from pathlib import Path

import numpy as np

from bench.reporting import print_table
from glovelite.convert.model.weights import NumpyModel
from glovelite.convert.model.words import keep_words, rank_words
from glovelite.convert.options import DEFAULT_FORMS
from glovelite.convert.tf_worker import open_run

SIZES = (500, 1_000, 2_000, 4_000, 8_000)


def main(run: Path) -> None:
    """Compare and print the table."""
    trained = open_run(run)
    source, weights = trained.run, trained.weights
    vocabulary, targets = source.vocabulary, source.dev.targets[1::2]
    encoded = [np.array(vocabulary.encode(text).ids, np.int64) for text in source.dev.texts]
    by_rank = rank_words(weights, encoded[::2])
    by_frequency = np.arange(2, len(vocabulary.tokens))

    def accuracy(ranked: np.ndarray, listed: int, hashed: int = 0) -> str:
        kept = keep_words(weights, vocabulary, ranked, listed, hashed)
        texts = source.dev.texts[1::2]
        ids = [np.array(kept.vocabulary.encode(text).ids, np.int64) for text in texts]
        return f"{np.mean(NumpyModel(kept.weights).scores(ids).argmax(axis=1) == targets):.1%}"

    total = len(vocabulary.tokens)
    rows = [
        [
            f"{size:,}",
            accuracy(by_frequency, size),
            accuracy(by_rank, size),
            accuracy(by_rank, size, DEFAULT_FORMS[1].hashed_words),
            accuracy(by_rank, size, total),
        ]
        for size in SIZES
        if size < total
    ]
    rows.append([f"{total:,}, all", *[accuracy(by_frequency, total)] * 4])
    hashed = (f"{DEFAULT_FORMS[1].hashed_words:,} hashed", "the rest hashed")
    header = [
        f"listed words, accuracy on {len(targets):,} texts",
        "by frequency",
        "by rank",
        *hashed,
    ]
    print_table(header, rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
