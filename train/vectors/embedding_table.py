"""Chooses a vocabulary and finds a vector for each of its tokens.

A token's vector is its own GloVe row; else it is composed of GloVe rows; else, if the token is
frequent enough in training text, it is a row learned in training; else the token is unknown.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from runtime.aliases import Floats, Longs
from runtime.io.row_quantization import dequantize_rows, quantize_rows
from runtime.tokenizer import tokenize
from runtime.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID

from ..options import TrainingOptions
from .cache import WordVectors

#: What an ending stands for: Stanford's own token, and a word for files that lack it.
ENDINGS = {
    "n't": ("n't", "not"),
    "'s": ("'s", None),
    "'ll": ("'ll", "will"),
    "'re": ("'re", "are"),
    "'ve": ("'ve", "have"),
    "'m": ("'m", "am"),
    "'d": ("'d", "would"),
}
#: Stems that are shortened before n't.
STEMS = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
SMALL_CORPUS_TOKENS = 100_000  # up to here, words that occur once are kept
MAX_LISTED_TOKENS = 20  # of `Coverage.commonest_without`


@dataclass(frozen=True)
class Coverage:
    """Where the vectors of a vocabulary came from, and how much of the training text they cover.

    Attributes:
        own: tokens with a GloVe row.
        composed: tokens whose vector was composed of GloVe rows.
        learned: tokens whose row is learned.
        extra: tokens that do not occur in training text.
        running_words: share of training tokens with a GloVe or composed vector, 0 to 1.
        known_words: share of training tokens in the vocabulary, 0 to 1.
        commonest_without: the most frequent tokens without a GloVe or composed vector.
    """

    own: int
    composed: int
    learned: int
    extra: int
    running_words: float
    known_words: float
    commonest_without: tuple[str, ...]


@dataclass(frozen=True)
class EmbeddingTable:
    """A vocabulary and its vectors.

    Attributes:
        tokens: the position is the id.
        vectors: float32 [vocabulary, dimensions]; rows to be learned are zeros.
        learned: ids of the rows that training fills, ascending.
        coverage: where the vectors came from.
    """

    tokens: tuple[str, ...]
    vectors: Floats
    learned: tuple[int, ...]
    coverage: Coverage


def count_tokens(texts: Iterable[str]) -> tuple[Counter[str], Longs]:
    """Count the tokens of texts.

    Returns:
        How often each token occurs, and the tokens of each text, int64 [texts].
    """
    counts: Counter[str] = Counter()
    lengths = array("q")
    for text in texts:
        tokens = tokenize(text)
        counts.update(tokens)
        lengths.append(len(tokens))
    return counts, np.array(lengths, np.int64)


def choose_extra_words(vectors: WordVectors, known: set[str], count: int) -> list[str]:
    """Choose words that training text lacks, most frequent first.

    The table is frozen, so the model treats them like the words with similar vectors.

    Args:
        vectors: word vectors, most frequent first.
        known: tokens already in the vocabulary.
        count: how many words to choose.

    Returns:
        Words that the tokenizer can produce.
    """
    if not count:
        return []
    words = dict.fromkeys(vectors.words)  # a file may hold a word twice
    usable = (word for word in words if word not in known and tokenize(word) == [word])
    return list(islice(usable, count))


def build_table(
    counts: Counter[str], vectors: WordVectors, options: TrainingOptions
) -> EmbeddingTable:
    """Choose the vocabulary and find its vectors.

    Args:
        counts: tokens of the training text.
        vectors: word vectors.
        options: uses `min_words`, `max_words`, `coverage`, `learned_count` and `table_bits`.

    Returns:
        The table, tokens by descending frequency, those that training text lacks last.
    """
    total = max(1, sum(counts.values()))
    min_count = 2 if total > SMALL_CORPUS_TOKENS else 1
    zeros = np.zeros(vectors.dimensions, np.float32)
    tokens, rows, learned = list(SPECIAL_TOKENS), [zeros, zeros], [UNKNOWN_ID]
    own = composed = covered = known = 0
    without: list[str] = []
    for token, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        enough = len(tokens) >= options.min_words and known >= options.coverage * total
        if count < min_count or enough or len(tokens) >= options.max_words:
            break
        vector = vectors[token] if token in vectors else compose_vector(token, vectors)
        if vector is None:
            without.append(token)
            if count < options.learned_count:
                continue
            learned.append(len(tokens))
        else:
            covered += count
            own += token in vectors
            composed += token not in vectors
        known += count
        tokens.append(token)
        rows.append(zeros if vector is None else vector)
    extra = choose_extra_words(vectors, set(tokens), max(0, options.min_words - len(tokens)))
    coverage = Coverage(
        own,
        composed,
        len(learned) - 1,
        len(extra),
        covered / total,
        known / total,
        tuple(without[:MAX_LISTED_TOKENS]),
    )
    for word in extra:
        tokens.append(word)
        rows.append(vectors[word])
    table = np.stack(rows)
    if options.table_bits:
        table = dequantize_rows(quantize_rows(table, options.table_bits))
    return EmbeddingTable(tuple(tokens), table, tuple(learned), coverage)


def compose_vector(token: str, vectors: WordVectors) -> Floats | None:
    """Compose a vector for a token without a row of its own.

    Returns:
        float32 [dimensions], or None: `"don't"` -> do + n't (do + not if the file lacks n't),
        `"film's"` -> film + 's (film), `"renée"` -> renee, `"ping_pong"` -> the mean of its parts.
    """
    for ending, (own_token, word) in ENDINGS.items():
        stem = token.removesuffix(ending)
        full_stem = STEMS.get(stem, stem) if ending == "n't" else stem
        base = None if stem == token else _find_vector(full_stem, vectors)
        if base is None:
            continue
        tail = own_token if own_token in vectors else word
        return base if tail is None or tail not in vectors else base + vectors[tail]
    return _find_vector(token, vectors)


def _find_vector(token: str, vectors: WordVectors) -> Floats | None:
    """Find a token as it is, without accents, or as the mean of its parts."""
    if token in vectors:
        return vectors[token]
    decomposed = unicodedata.normalize("NFKD", token)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    if plain in vectors:
        return vectors[plain]
    parts = [part for part in plain.replace("'", "_").split("_") if part]
    if len(parts) > 1 and all(part in vectors for part in parts):
        mean: Floats = np.mean([vectors[part] for part in parts], axis=0, dtype=np.float32)
        return mean
    return None
