"""Composes vectors for tokens that a file of vectors lacks.

Contractions (`don't`), possessives, accents and compounds are composed of their parts. Single
letters, numbers and detached endings (`n't`), which npm's copy of GloVe lacks, get the vectors of
words that are used alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from glovelite.runtime.aliases import Floats

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
#: Endings that are tokens where text was split before: `did n't`, `we 'll`.
DETACHED_ENDINGS = {"n't": "not", "ll": "will", "ve": "have", "re": "are"}
#: Words that are used like a single letter.
LETTERS = {"a": ("an", "the"), "i": ("me", "my")}
OTHER_LETTER = ("letter", "initial")
UNITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
YEARS = range(1000, 2100)
MAX_DIGITS = 9

#: Tokens of everyday text that are composed if a file of vectors lacks them.
COMMON_TOKENS = (
    *(
        f"{stem}n't"
        for stem in [
            "do",
            "is",
            "was",
            "ca",
            "did",
            "does",
            "wo",
            "could",
            "would",
            "are",
            "have",
            "were",
            "should",
            "has",
            "had",
            "ai",
        ]
    ),
    *("it's", "i'm", "that's", "i've", "you're", "there's", "he's", "i'll", "she's", "they're"),
    *("let's", "i'd", "what's", "we're", "you'll", "you've", "we've", "we'll", "they've", "who's"),
    *("here's", "you'd", "he'd", "she'd", "they'd", "we'd", "it'll", "he'll", "she'll", "they'll"),
    *DETACHED_ENDINGS,
    *"aibcdefghjklmnopqrstuvwxyz",
    *map(str, range(21)),
    *map(str, range(30, 101, 10)),
    "1000",
)


def compose_vector(token: str, vectors: WordVectors) -> Floats | None:
    """Compose a vector for a token without a row of its own.

    Returns:
        float32 [dimensions], or None: `"don't"` -> do + n't (do + not if the file lacks n't),
        `"film's"` -> film + 's (film), `"renée"` -> renee, `"ping_pong"` and `"42"` -> the mean of
        their parts.
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


def is_approximate(token: str, vectors: WordVectors) -> bool:
    """Return whether a token's vector is that of words used alike, which training may improve."""
    return token not in vectors and any(True for _ in _words_used_alike(token))


def _find_vector(token: str, vectors: WordVectors) -> Floats | None:
    """Find a token as it is, without accents, or as the mean of its parts or of similar words."""
    if token in vectors:
        return vectors[token]
    decomposed = unicodedata.normalize("NFKD", token)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    if plain in vectors:
        return vectors[plain]
    if used_alike := list(_words_used_alike(token)):
        return _mean(used_alike, vectors)
    parts = [part for part in plain.replace("'", "_").split("_") if part]
    return _mean(parts, vectors) if len(parts) > 1 else None


def _mean(words: Sequence[str], vectors: WordVectors) -> Floats | None:
    if not all(word in vectors for word in words):
        return None
    mean: Floats = np.mean([vectors[word] for word in words], axis=0, dtype=np.float32)
    return mean


def _words_used_alike(token: str) -> Iterator[str]:
    """Yield words used like a letter, number or ending: `"i"` -> me, my; `"42"` -> forty, two."""
    if token in DETACHED_ENDINGS:
        yield DETACHED_ENDINGS[token]
    elif len(token) == 1 and "a" <= token <= "z":
        yield from LETTERS.get(token, OTHER_LETTER)
    elif token.isascii() and token.isdigit() and len(token) <= MAX_DIGITS:
        number = int(token)
        if number < len(UNITS):
            yield UNITS[number]
        elif number < 100:
            yield TENS[number // 10 - 2]
            if number % 10:
                yield UNITS[number % 10]
        elif number in YEARS:
            yield "year"
        else:
            yield from ("hundred" if number < 1000 else "thousand", "number")
