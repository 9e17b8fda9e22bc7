"""Chooses the words that a bundle lists, those that it hashes, and whose ids these share.

A word's value is its frequency in text times how far predictions move, on average, when the unknown
word replaces it: the square root of the Kullback-Leibler divergence of the probabilities, because
the effects of all removed words add up. Frequency alone would keep "of" and drop "superb". The
maximum over the text makes this exact and cheap: only the windows that contain the word change.

Neither the labels of dev text nor its own word counts are used, but counts smoothed over words of
similar frequency: keeping words because they occur in dev text inflates its accuracy (measured: 15
points) and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.text.hashed_words import MAX_ID, build_hashed_words
from glovelite.runtime.text.vocabulary import (
    SPECIAL_TOKENS,
    UNKNOWN_ID,
    Vocabulary,
    WordFamiliarity,
)

from .weights import NumpyModel, Positions, Weights, join_kernels

_BLOCK_ROWS = 1024  # compared with all listed words at a time: bounds memory
_TRIED_VALUES = 1 << 22  # probabilities of words that are tried at a time: bounds memory
MAX_TEXTS = 5_000
TRIAL_POSITIONS = 24  # positions in dev text at which every word is tried
PRIOR_COUNT = 8  # occurrences in dev text that weigh as much as those trials
RANK_WINDOW = 1.25  # counts are averaged over ranks r / 1.25 to 1.25 r
MIN_COUNT = 1e-3  # keeps the order by effect for words that no text holds


def _find_stand_ins(weights: Weights, words: Longs, listed: Longs) -> Longs:
    """Return the position in `listed` of the word with the nearest effect on the logits."""
    effects = _logit_effects(weights)
    candidates = effects[listed]
    norms = (candidates**2).sum(axis=1) / 2
    nearest = np.zeros(len(words), np.int64)
    for start in range(0, len(words), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        products = effects[words[block]] @ candidates.T
        nearest[block] = (norms - products).argmin(axis=1)
    return nearest


def _logit_effects(weights: Weights) -> Floats:
    """Return coordinates of words whose Euclidean distance estimates the difference in logits.

    A frozen word acts on the model through its product with each filter and tap, which matters as
    much as the filter's weights in the logits, and through its wide weights. The products need only
    as many coordinates as the table has dimensions: `table @ root` with `root @ root.T` equal to
    `kernels @ kernels.T` has their distances. So do wide weights that outputs share.

    Returns:
        float32 [vocabulary, dimensions + columns of the wide weights].
    """
    scaled, row, outputs = [], 0, weights.feature_effects
    for convolution in weights.convolutions:
        filters = convolution.kernel.shape[2]
        importance = np.linalg.norm(outputs[row : row + filters], axis=1)
        scaled.append(convolution.kernel * importance)
        row += filters
    effects: Floats = weights.table @ _square_root(join_kernels(scaled))
    if weights.wide is None:
        return effects
    mixing = weights.wide_mixing
    wide = weights.wide if mixing is None else weights.wide @ _square_root(mixing)
    return np.hstack([effects, wide])


def _square_root(matrix: Floats) -> Floats:
    """Return a matrix whose product with its own transpose is that of another: [rows, rows]."""
    wider = matrix.astype(np.float64)
    values, vectors = np.linalg.eigh(wider @ wider.T)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return root


@dataclass(frozen=True)
class KeptWords:
    """A model of a part of its words.

    Attributes:
        weights: of the listed tokens.
        vocabulary: the listed tokens, and the index of hashed words.
        ids: int64 [trained vocabulary], the id here of each id of the trained model.
        hashed_tokens: the words in that index, most valuable first.
    """

    weights: Weights
    vocabulary: Vocabulary
    ids: Longs
    hashed_tokens: tuple[str, ...] = ()


def rank_words(weights: Weights, texts: Sequence[Longs], seed: int = 0) -> Longs:
    """Rank words by how much removing them from text changes the predictions.

    Args:
        weights: of a `conv-pool` model; its vocabulary is sorted by frequency in training.
        texts: dev text as ids, int64 [length] each, without padding.
        seed: of the positions at which words are tried.

    Returns:
        int64 [vocabulary - 2], ids, most valuable first, without padding and the unknown word.
    """
    model = NumpyModel(weights)
    random = np.random.default_rng(seed)
    texts = [ids for ids in texts if len(ids)]
    if len(texts) > MAX_TEXTS:
        texts = [texts[row] for row in sorted(random.choice(len(texts), MAX_TEXTS, replace=False))]
    trial_count = min(TRIAL_POSITIONS, len(texts))
    trial_texts = set(random.choice(len(texts), trial_count, replace=False).tolist())
    vocabulary_size = len(weights.table)
    lost, counts, trials = (np.zeros(vocabulary_size) for _ in range(3))
    for row, ids in enumerate(texts):
        positions = model.positions(ids)
        without = model.probabilities(positions, np.full(len(ids), UNKNOWN_ID))
        changes = divergence(model.probabilities(positions, ids), without, weights.multi_label)
        np.add.at(lost, ids, changes)
        np.add.at(counts, ids, 1)
        if row in trial_texts:
            index = int(random.integers(len(ids)))
            changes = _try_words(model, positions[index], without[index : index + 1])
            trials += changes / len(trial_texts)
    moved = (lost + PRIOR_COUNT * trials) / (counts + PRIOR_COUNT)
    effect = np.sqrt(np.maximum(moved, 0))  # rounding may leave a divergence just below 0
    candidates = np.arange(len(SPECIAL_TOKENS), vocabulary_size)
    value = effect[candidates] * smooth_by_rank(counts[candidates])
    return candidates[np.argsort(-value, kind="stable")]


def _try_words(model: NumpyModel, position: Positions, without: Floats) -> Floats:
    """Return how much each word at one position changes the probabilities, [vocabulary]."""
    weights = model.weights
    step = max(1, _TRIED_VALUES // weights.outputs)
    changes = [
        divergence(
            model.probabilities(position, slice(start, start + step)), without, weights.multi_label
        )
        for start in range(0, len(weights.table), step)
    ]
    return np.concatenate(changes)


def divergence(true: Floats, approximate: Floats, multi_label: bool = False) -> Floats:
    """Return the Kullback-Leibler divergence of rows of probabilities in nats, [rows].

    The probabilities of labels are independent: the divergences of all of them add up.
    """
    nats: Floats = (true * np.log(true / approximate)).sum(axis=1)
    if multi_label:
        not_given: Floats = ((1 - true) * np.log((1 - true) / (1 - approximate))).sum(axis=1)
        return nats + not_given
    return nats


def smooth_by_rank(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average the counts of ranks r / 1.25 to 1.25 r, plus `MIN_COUNT`: float64 [words].

    The most frequent word in training text is the first.
    """
    ranks = np.arange(1, len(counts) + 1)
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    low = np.floor((ranks - 1) / RANK_WINDOW).astype(int)
    high = np.minimum(np.ceil(ranks * RANK_WINDOW).astype(int), len(counts))
    smoothed: npt.NDArray[np.float64] = (sums[high] - sums[low]) / (high - low) + MIN_COUNT
    return smoothed


def keep_words(
    weights: Weights, vocabulary: Vocabulary, ranked: Longs, listed: int, hashed: int = 0
) -> KeptWords:
    """List the words that rank highest, and hash the next.

    The number of listed tokens includes padding and the unknown word.

    Returns:
        The model of the listed tokens, in the old order; hashed words have the id of the nearest
        listed word.
    """
    specials = len(SPECIAL_TOKENS)
    kept = np.sort(ranked[: max(0, listed - specials)])
    rows = np.concatenate([np.arange(specials), kept])
    wide = None if weights.wide is None else weights.wide[rows]
    kept_weights = replace(weights, table=weights.table[rows], wide=wide)
    others = ranked[len(kept) : len(kept) + hashed]
    kept_vocabulary = replace(
        vocabulary,
        tokens=tuple(vocabulary.tokens[row] for row in rows),
        familiarity=_keep_levels(vocabulary.familiarity, rows, others),
    )
    ids = np.full(len(weights.table), UNKNOWN_ID, np.int64)
    ids[rows] = np.arange(len(rows))
    if not len(others) or not len(kept):
        return KeptWords(kept_weights, kept_vocabulary, ids)
    ids[others] = specials + _find_stand_ins(weights, others, kept[: MAX_ID + 1 - specials])
    words = tuple(vocabulary.tokens[row] for row in others)
    index = build_hashed_words(dict(zip(words, ids[others].tolist())))
    return KeptWords(kept_weights, replace(kept_vocabulary, hashed=index), ids, words)


def _keep_levels(
    familiarity: WordFamiliarity | None, rows: Longs, others: Longs
) -> WordFamiliarity | None:
    """Return the levels of the listed words `rows`, and the mean level of the hashed `others`."""
    if familiarity is None:  # a run of an older version
        return None
    levels = np.array(familiarity.listed)
    mean = round(float(levels[others].mean()), 2) if len(others) else 0.0
    return WordFamiliarity(tuple(levels[rows].tolist()), mean)


def keep_all_words(weights: Weights, vocabulary: Vocabulary) -> KeptWords:
    """List every word."""
    return KeptWords(weights, vocabulary, np.arange(len(vocabulary.tokens)))
