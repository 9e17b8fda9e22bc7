"""Ranks a vocabulary's words by what text loses without them, so that few words lose little.

A word's worth is how often it stands in text times how far an answer moves, on average, when the
unknown word stands in its place: the root of the Kullback-Leibler divergence of the probabilities,
which grows as the move does, because the moves of all the words that go add up. Frequency alone
would keep "of" and let "superb" go. The maximum over the text makes this exact and cheap: only the
windows that hold the word change, and what the others come to is known.

Neither the truth of the dev text is looked at nor its own counts of a word, but those of words as
frequent: words kept for standing in the dev text flatter it (measured: 15 points) and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from runtime.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

from .folding import Floats
from .numpy_model import FoldedModel, Longs
from .weights import Weights

MOST_TEXTS = 5_000
CONTEXTS = 24  # places in dev text that every word is tried in
PRIOR = 8  # occurrences in dev text that weigh as much as those trials


def rank_words(weights: Weights, texts: Sequence[Longs], seed: int = 0) -> Longs:
    """Rank words by what text loses without them.

    Args:
        weights: of a `conv-pool` model; its vocabulary is in the order of frequency in training.
        texts: dev text as ids, int64 [length] each, without padding; truth is not looked at.
        seed: draws the places that words are tried in.

    Returns:
        int64 [vocabulary - 2], ids from the dearest word to the one lost most cheaply; padding and
        the unknown word are not ranked.
    """
    model = FoldedModel(weights)
    draw = np.random.default_rng(seed)
    texts = [ids for ids in texts if len(ids)]
    if len(texts) > MOST_TEXTS:
        texts = [texts[row] for row in sorted(draw.choice(len(texts), MOST_TEXTS, replace=False))]
    tried = set(draw.choice(len(texts), min(CONTEXTS, len(texts)), replace=False).tolist())
    words = len(weights.table)
    lost, counts, trials = np.zeros(words), np.zeros(words), np.zeros(words)
    for row, ids in enumerate(texts):
        places = model.places(ids)
        without = model.probabilities(places, np.full(len(ids), UNKNOWN_ID))
        np.add.at(lost, ids, divergence(model.probabilities(places, ids), without))
        np.add.at(counts, ids, 1)
        if row in tried:
            place = int(draw.integers(len(ids)))
            every = model.probabilities(places[place], slice(None))
            trials += divergence(every, without[place : place + 1]) / len(tried)
    moved = (lost + PRIOR * trials) / (counts + PRIOR)
    effect = np.sqrt(np.maximum(moved, 0))  # rounding may leave a divergence just below 0
    ranked = np.arange(len(SPECIAL_TOKENS), words)
    worth = effect[ranked] * smooth_by_rank(counts[ranked])
    return ranked[np.argsort(-worth, kind="stable")]


def divergence(true: Floats, approximate: Floats) -> Floats:
    """Give the Kullback-Leibler divergence of rows of probabilities, in nats: [rows]."""
    gained: Floats = (true * np.log(true / approximate)).sum(axis=1)
    return gained


def smooth_by_rank(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth counts of words in the order of their frequency: the mean over like ranks.

    So that a rare word is not kept for having stood in the dev text.

    Args:
        counts: float64 [words], the most frequent word in training text first.

    Returns:
        float64 [words], each the mean count of ranks r / 1.25 to 1.25 r, and a little, so that
        words beyond all text keep their order by effect.
    """
    ranks = np.arange(1, len(counts) + 1)
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    low = np.floor((ranks - 1) / 1.25).astype(int)
    high = np.minimum(np.ceil(ranks * 1.25).astype(int), len(counts))
    smoothed: npt.NDArray[np.float64] = (sums[high] - sums[low]) / (high - low) + 1e-3
    return smoothed


def prune(
    weights: Weights, vocabulary: Vocabulary, ranked: Longs, count: int
) -> tuple[Weights, Vocabulary]:
    """Keep the words that rank highest.

    Args:
        weights: the model's.
        vocabulary: the model's.
        ranked: ids, the dearest first.
        count: size of the vocabulary to keep, padding and the unknown word counted.

    Returns:
        Weights and vocabulary of so many words, in their old order.
    """
    kept = np.sort(ranked[: max(0, count - len(SPECIAL_TOKENS))])
    rows = np.concatenate([np.arange(len(SPECIAL_TOKENS)), kept])
    wide = None if weights.wide is None else weights.wide[rows]
    tokens = tuple(vocabulary.tokens[row] for row in rows)
    fewer = replace(weights, table=weights.table[rows], wide=wide)
    return fewer, replace(vocabulary, tokens=tokens)
