"""Compares keeping words by rank with keeping them by frequency, on texts the ranking never saw.

    python bench/word_ranking.py RUN

Ranks the words of RUN on every other dev text and classifies the rest of dev with the words kept,
in float32, with the numpy model. Prints a Markdown table.
"""

import sys
from pathlib import Path

import numpy as np
from reporting import print_table

from convert.model.numpy_model import NumpyModel
from convert.model.word_ranking import keep_words, rank_words
from convert.tflite.tf_worker import load_run

SIZES = (500, 1_000, 2_000, 4_000, 8_000)


def main(run: Path) -> None:
    """Compare and print the table."""
    source, _, weights = load_run(run)
    vocabulary, targets = source.vocabulary, source.dev.targets[1::2]
    encoded = [np.array(vocabulary.encode(text).ids, np.int64) for text in source.dev.texts]
    by_rank = rank_words(weights, encoded[::2])
    by_frequency = np.arange(2, len(vocabulary.tokens))

    def accuracy(ranked: np.ndarray, size: int) -> str:
        reduced, kept = keep_words(weights, vocabulary, ranked, size)
        ids = [np.array(kept.encode(text).ids, np.int64) for text in source.dev.texts[1::2]]
        return f"{np.mean(NumpyModel(reduced).scores(ids).argmax(axis=1) == targets):.1%}"

    sizes = [size for size in SIZES if size < len(vocabulary.tokens)]
    rows = [[f"{size:,}", accuracy(by_rank, size), accuracy(by_frequency, size)] for size in sizes]
    total = len(vocabulary.tokens)
    rows.append([f"{total:,}, all", *[accuracy(by_frequency, total)] * 2])
    print_table([f"words kept, accuracy on {len(targets):,} texts", "ranked", "by frequency"], rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
