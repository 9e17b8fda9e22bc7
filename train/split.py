"""Parts a corpus into training, dev and test text, every copy of a text on one side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from .corpus import Corpus


@dataclass(frozen=True)
class Split:
    """Three parts of a corpus that share no text.

    Attributes:
        train: fitted on.
        dev: early stopping, gates and every other choice.
        test: scored once, chosen on never.
    """

    train: Corpus
    dev: Corpus
    test: Corpus


def split_corpus(corpus: Corpus, seed: int, dev: float = 0.1, test: float = 0.1) -> Split:
    """Part a corpus at random, each class in the same proportion, copies kept together.

    Args:
        corpus: the corpus, three different texts a class at the least.
        seed: the same seed gives the same parts.
        dev: share of the different texts for dev, 0 to 1.
        test: share for test, 0 to 1.

    Returns:
        The parts, each in the order of the corpus; each holds every class.
    """
    rows_of_text: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(corpus.texts):
        rows_of_text[text].append(row)
    groups: dict[str, list[list[int]]] = defaultdict(list)
    for rows in rows_of_text.values():
        groups[corpus.labels[rows[0]]].append(rows)  # a text with two labels goes with its first

    random = np.random.default_rng(seed)
    parts: dict[str, list[int]] = {"train": [], "dev": [], "test": []}
    for label in sorted(groups):
        members = groups[label]
        order = random.permutation(len(members))
        for_test = max(1, round(len(members) * test))
        for_dev = max(1, round(len(members) * dev))
        for place, member in enumerate(order):
            part = "test" if place < for_test else "dev" if place < for_test + for_dev else "train"
            parts[part].extend(members[member])
    return Split(**{name: corpus.select(sorted(rows)) for name, rows in parts.items()})


def sample_calibration(train: Corpus, seed: int, count: int = 500) -> Corpus:
    """Draw the calibration set: training texts that show `int8` what ranges to expect.

    Args:
        train: the training text.
        seed: the same seed draws the same texts.
        count: how many, or all where there are fewer.

    Returns:
        The drawn texts in the order of the corpus.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(train.texts))[:count]
    return train.select(sorted(rows.tolist()))
