"""Compares words kept by their worth with words kept by frequency, on text the ranking never saw.

    python bench/pruning.py RUN

ranks the words of RUN on every other dev text and classifies the rest of dev with what was kept,
in float32, by the model in numpy. Prints the table of the README.
"""

import sys
from pathlib import Path

import numpy as np

from convert.model.numpy_model import FoldedModel
from convert.model.word_ranking import prune, rank_words
from convert.tflite.tf_worker import load_run

SIZES = (500, 1_000, 2_000, 4_000, 8_000)


def main(run: Path) -> None:
    """Compare and print."""
    source, _, weights = load_run(str(run))
    vocabulary, targets = source.vocabulary, source.dev.targets[1::2]
    encoded = [np.array(vocabulary.encode(text).ids, np.int64) for text in source.dev.texts]
    by_worth = rank_words(weights, encoded[::2])
    by_frequency = np.arange(2, len(vocabulary.tokens))

    def accuracy(ranked: np.ndarray, size: int) -> float:
        fewer, kept = prune(weights, vocabulary, ranked, size)
        ids = [np.array(kept.encode(text).ids, np.int64) for text in source.dev.texts[1::2]]
        return float(np.mean(FoldedModel(fewer).scores(ids).argmax(axis=1) == targets))

    sizes = [size for size in SIZES if size < len(vocabulary.tokens)]
    print(f"| words kept, right of {len(targets):,} | by worth | by frequency |\n|---|---|---|")
    for size in sizes:
        print(f"| {size:,} | {accuracy(by_worth, size):.1%} | {accuracy(by_frequency, size):.1%} |")
    whole = accuracy(by_frequency, len(vocabulary.tokens))
    print(f"| {len(vocabulary.tokens):,}, all | {whole:.1%} | {whole:.1%} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
