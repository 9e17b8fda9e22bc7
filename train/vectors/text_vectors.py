"""Word vectors from the training text itself, for languages and domains without a file of them.

Words that occur within a few tokens of the same words get similar vectors: the positive pointwise
mutual information of each pair of words, factorized by a truncated singular value decomposition
(Levy, Goldberg and Dagan, "Improving Distributional Similarity with Lessons Learned from Word
Embeddings", 2015).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix

from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.errors import VectorsError
from glovelite.runtime.text.tokenizer import Tokenizer

from ..decomposition import decompose
from ..options import NO_VECTORS
from .cache import WordVectors

DIMENSIONS = 100
WINDOW = 5  # tokens to each side
MIN_COUNT = 2  # occurrences of a word
MIN_WORDS = 3  # to learn vectors of
MAX_WORDS = 50_000  # the most frequent ones
CONTEXT_POWER = 0.75  # of a context's frequency: raises that of rare ones
SCALE = 0.4  # root mean square of the values, as in GloVe 6B
BLOCK_TOKENS = 1_000_000  # whose pairs are counted at a time: bounds memory

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TextVectors(WordVectors):
    """Word vectors that were learned from text.

    Attributes:
        learned_words: the words of the vectors, most frequent first.
    """

    learned_words: tuple[str, ...] = ()

    @cached_property
    def words(self) -> list[str]:
        """All words, most frequent first."""
        return list(self.learned_words)


def learn_vectors(texts: Iterable[str], counts: Counter[str], tokenizer: Tokenizer) -> TextVectors:
    """Learn word vectors from texts.

    Args:
        counts: how often each token occurs in them.

    Raises:
        VectorsError: hardly a word occurs more than once.
    """
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = tuple(word for word, count in common[:MAX_WORDS] if count >= MIN_COUNT)
    if len(words) < MIN_WORDS:
        raise VectorsError(
            f"{NO_VECTORS}: the training text has {len(words)} words that occur more than once, "
            f"expected at least {MIN_WORDS}: give more text, or word vectors with --vectors"
        )
    number = {word: row for row, word in enumerate(words)}
    pairs = csr_matrix((len(words), len(words)), dtype=np.float64)
    for block, ends in _read_blocks(texts, number, tokenizer):
        pairs = pairs + _count_pairs(block, ends, len(words))
    vectors = _factorize(pairs)
    return TextVectors(
        NO_VECTORS, "vectors of the training text", Path(), vectors, learned_words=words
    )


def _read_blocks(
    texts: Iterable[str], number: dict[str, int], tokenizer: Tokenizer
) -> Iterable[tuple[Longs, Longs]]:
    """Yield the words of many texts, int64 [tokens], and the text of each."""
    words: list[int] = []
    owners: list[int] = []
    for row, text in enumerate(texts):
        found = [number[token] for token in tokenizer.tokenize(text) if token in number]
        words += found
        owners += [row] * len(found)
        if len(words) >= BLOCK_TOKENS:
            yield np.array(words, np.int64), np.array(owners, np.int64)
            words, owners = [], []
    yield np.array(words, np.int64), np.array(owners, np.int64)


def _count_pairs(words: Longs, owners: Longs, count: int) -> csr_matrix:
    """Return how often two words are at most `WINDOW` words apart in a text, symmetrical."""
    pairs = csr_matrix((count, count), dtype=np.float64)
    for distance in range(1, min(WINDOW, len(words) - 1) + 1):
        first, second = words[:-distance], words[distance:]
        together = owners[:-distance] == owners[distance:]
        ones = np.ones(np.count_nonzero(together))
        rows = first[together], second[together]
        pairs = pairs + coo_matrix((ones, rows), shape=(count, count)).tocsr()
    return pairs + pairs.T


def _factorize(pairs: csr_matrix) -> Floats:
    """Return a vector of each word, float32 [words, dimensions]."""
    count = pairs.shape[0]
    dimensions = min(DIMENSIONS, count - 1)
    vectors: Floats = np.zeros((count, DIMENSIONS), np.float32)
    if not pairs.nnz:
        return vectors
    totals = np.asarray(pairs.sum(axis=1)).ravel()
    contexts = totals**CONTEXT_POWER
    contexts /= contexts.sum()
    entries = pairs.tocoo()
    information = np.log(entries.data / (totals[entries.row] * contexts[entries.col]))
    kept = information > 0
    if not kept.any():
        return vectors
    places = entries.row[kept], entries.col[kept]
    positive = csr_matrix((information[kept], places), shape=pairs.shape)
    left, strengths, _ = decompose(positive, dimensions)
    found = left * np.sqrt(strengths)
    vectors[:, :dimensions] = found * SCALE / np.sqrt(np.mean(found**2))
    return vectors
