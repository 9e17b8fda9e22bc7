"""Measures how familiar each word is to a model, for `glovelite.runtime.text.familiarity`.

A word's level is the logarithm of the ratio of its frequency in training text to that in general
text, the likelihood ratio of Ren et al., "Likelihood Ratios for Out-of-Distribution Detection"
(2019), for single words. Files of word vectors have no frequencies, but list the most frequent word
first, so the frequency in general text follows from the position by Zipf's law.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from glovelite.runtime.text.familiarity import MAX_LEVEL, WordFamiliarity
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS

from .cache import WordVectors

ZIPF_SHIFT = 2.7  # Mandelbrot's correction for the most frequent words
SMOOTHING = 0.1  # occurrences added to each word of the training text
MAX_LOG_RATIO = 2.0  # beyond it, a rare word would outweigh the rest of the text


def measure_familiarity(
    tokens: Sequence[str], counts: Counter[str], vectors: WordVectors
) -> WordFamiliarity:
    """Return the level of each token of a vocabulary; padding and the unknown word have 0.

    Args:
        tokens: of the vocabulary.
        counts: tokens of the training text.
        vectors: word vectors, most frequent first.
    """
    words = tokens[len(SPECIAL_TOKENS) :]
    total = len(vectors.words)
    ranks = np.array([vectors.rank(word) for word in words], np.float64)
    zipf = 1 / (np.arange(total) + 1 + ZIPF_SHIFT)
    general = 1 / (ranks + 1 + ZIPF_SHIFT) / zipf.sum()
    occurrences = np.array([counts[word] for word in words], np.float64)
    training = (occurrences + SMOOTHING) / max(1, counts.total())
    ratios = np.clip(np.log(training / general), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    levels = np.rint((ratios + MAX_LOG_RATIO) / (2 * MAX_LOG_RATIO) * MAX_LEVEL).astype(int)
    return WordFamiliarity((*[0] * len(SPECIAL_TOKENS), *levels.tolist()))
