"""The vocabulary and its table of vectors: where the tokenizer's simplicity is paid for.

A token's vector is its own GloVe row; else it is composed of what GloVe has; else, if training
text holds the token often enough, a row learned in training; else the token is unknown.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from runtime.tokenizer import tokenize
from runtime.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID

from ..data.corpus import Longs
from ..options import Settings
from .cache import Floats, Glove
from .rounding import round_vectors

#: What an ending stands for, in Stanford's own tokens and in words for files that lack those.
ENDINGS = {
    "n't": ("n't", "not"),
    "'s": ("'s", None),
    "'ll": ("'ll", "will"),
    "'re": ("'re", "are"),
    "'ve": ("'ve", "have"),
    "'m": ("'m", "am"),
    "'d": ("'d", "would"),
}
#: Stems that n't cuts short.
STEMS = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}


@dataclass(frozen=True)
class Coverage:
    """Where the vectors of a vocabulary came from, and how much running text they cover.

    Attributes:
        own: tokens with a GloVe row.
        composed: tokens whose vector was composed of GloVe rows.
        learned: tokens whose row is learned.
        extra: tokens training never saw.
        running_words: share of training text's tokens with a GloVe or composed vector, 0 to 1.
        known_words: share that is in the vocabulary at all, 0 to 1.
        commonest_without: the commonest tokens that GloVe could not help with.
    """

    own: int
    composed: int
    learned: int
    extra: int
    running_words: float
    known_words: float
    commonest_without: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A vocabulary and its vectors.

    Attributes:
        tokens: position = id.
        vectors: float32 [vocabulary, dimensions]; rows to be learned start as zeros.
        learned: ids of the rows that training fills, ascending.
        coverage: where it all came from.
    """

    tokens: tuple[str, ...]
    vectors: Floats
    learned: tuple[int, ...]
    coverage: Coverage


def count_tokens(texts: Iterable[str]) -> tuple[Counter[str], Longs]:
    """Count the tokens of training text.

    Args:
        texts: the texts.

    Returns:
        How often each token occurs, and each text's length, int64 [texts].
    """
    counts: Counter[str] = Counter()
    lengths = array("q")
    for text in texts:
        tokens = tokenize(text)
        counts.update(tokens)
        lengths.append(len(tokens))
    return counts, np.array(lengths, np.int64)


def choose_extra(glove: Glove, known: set[str], count: int) -> list[str]:
    """Choose words that training never saw but GloVe knows, the commonest first.

    The table is frozen, so the model can use them as it uses their neighbours.

    Args:
        glove: the word vectors, commonest first.
        known: tokens that are in the vocabulary already.
        count: how many are wanted.

    Returns:
        Words that the tokenizer can produce.
    """
    if not count:
        return []
    words = dict.fromkeys(glove.words)  # a file may hold a word twice
    fitting = (w for w in words if w not in known and tokenize(w) == [w])
    return list(islice(fitting, count))


def build_table(counts: Counter[str], glove: Glove, settings: Settings) -> Table:
    """Choose the vocabulary and find its vectors.

    Args:
        counts: tokens of the training text.
        glove: the word vectors.
        settings: `min_words`, `max_words`, `coverage`, `learned_count` and `table_bits` are
            used.

    Returns:
        The table. Tokens are in the order of their frequency, those training never saw last.
    """
    total = max(1, sum(counts.values()))
    least = 2 if total > 100_000 else 1  # a small corpus cannot spare its hapaxes
    tokens, vectors, learned = list(SPECIAL_TOKENS), [_zeros(glove), _zeros(glove)], [UNKNOWN_ID]
    own = composed = running = known = 0
    without: list[str] = []
    for token, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        enough = len(tokens) >= settings.min_words and known >= settings.coverage * total
        if count < least or enough or len(tokens) >= settings.max_words:
            break
        vector = glove[token] if token in glove else compose(token, glove)
        if vector is None:
            without.append(token)
            if count < settings.learned_count:
                continue
            learned.append(len(tokens))
        else:
            running += count
            own += token in glove
            composed += token not in glove
        known += count
        tokens.append(token)
        vectors.append(_zeros(glove) if vector is None else vector)
    extra = choose_extra(glove, set(tokens), max(0, settings.min_words - len(tokens)))
    coverage = Coverage(
        own,
        composed,
        len(learned) - 1,
        len(extra),
        running / total,
        known / total,
        tuple(without[:20]),
    )
    for word in extra:
        tokens.append(word)
        vectors.append(glove[word])
    stacked = np.stack(vectors)
    if settings.table_bits:
        stacked = round_vectors(stacked, settings.table_bits)
    return Table(tuple(tokens), stacked, tuple(learned), coverage)


def compose(token: str, glove: Glove) -> Floats | None:
    """Compose a vector for a token that GloVe has no row for.

    Args:
        token: a token, as `tokenize` gives it.
        glove: the word vectors.

    Returns:
        float32 [dimensions], or None: `"don't"` → do + n't (do + not where the file lacks n't),
        `"film's"` → film + 's (film), `"renée"` → renee, `"ping_pong"` → the mean of its parts.
    """
    for ending, (own_name, in_words) in ENDINGS.items():
        stem = token.removesuffix(ending)
        whole = STEMS.get(stem, stem) if ending == "n't" else stem
        base = None if stem == token else _vector(whole, glove)
        if base is None:
            continue
        tail = own_name if own_name in glove else in_words
        return base if tail is None or tail not in glove else base + glove[tail]
    return _vector(token, glove)


def _vector(token: str, glove: Glove) -> Floats | None:
    """Find a token as it is, without accents, or as the mean of its parts."""
    if token in glove:
        return glove[token]
    decomposed = unicodedata.normalize("NFKD", token)
    plain = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
    if plain in glove:
        return glove[plain]
    parts = [part for part in plain.replace("'", "_").split("_") if part]
    if len(parts) > 1 and all(part in glove for part in parts):
        mean: Floats = np.mean([glove[part] for part in parts], axis=0, dtype=np.float32)
        return mean
    return None


def _zeros(glove: Glove) -> Floats:
    return np.zeros(glove.dimensions, np.float32)
