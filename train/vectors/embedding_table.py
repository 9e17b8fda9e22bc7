"""Chooses a vocabulary, finds a vector for each of its tokens, and measures its familiarity.

A token's vector is its own GloVe row; else it is composed of GloVe rows; else, if the token is
frequent enough in training text, it is a row learned in training; else the token is unknown.

Contractions (`don't`), possessives, accents and compounds are composed of their parts. Single
letters, numbers and detached endings (`n't`), which npm's copy of GloVe lacks, get the vectors of
words that are used alike.

A word's level of familiarity is the logarithm of the ratio of its frequency in training text to
that in general text, the likelihood ratio of Ren et al., "Likelihood Ratios for Out-of-Distribution
Detection" (2019), for single words. Files of word vectors have no frequencies, but list the most
frequent word first, so the frequency in general text follows from the position by Zipf's law.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from glovelite.data.labels import shorten_list
from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.errors import VectorsError
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.text.vocabulary import (
    MAX_LEVEL,
    SPECIAL_TOKENS,
    UNKNOWN_ID,
    Vocabulary,
    WordFamiliarity,
)

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
    *("don't", "isn't", "wasn't", "can't", "didn't", "doesn't", "won't", "couldn't", "wouldn't"),
    *("aren't", "haven't", "weren't", "shouldn't", "hasn't", "hadn't", "ain't"),
    *("it's", "i'm", "that's", "i've", "you're", "there's", "he's", "i'll", "she's", "they're"),
    *("let's", "i'd", "what's", "we're", "you'll", "you've", "we've", "we'll", "they've", "who's"),
    *("here's", "you'd", "he'd", "she'd", "they'd", "we'd", "it'll", "he'll", "she'll", "they'll"),
    *DETACHED_ENDINGS,
    *"aibcdefghjklmnopqrstuvwxyz",
    *map(str, range(21)),
    *map(str, range(30, 101, 10)),
    "1000",
)
ZIPF_SHIFT = 2.7  # Mandelbrot's correction for the most frequent words
SMOOTHING = 0.1  # occurrences added to each word of the training text
MAX_LOG_RATIO = 2.0  # beyond it, a rare word would outweigh the rest of the text
SMALL_CORPUS_TOKENS = 100_000  # up to here, words that occur once are kept
MIN_COVERAGE = 0.1  # of the training tokens
MAX_LISTED_TOKENS = 20  # of `Coverage.commonest_without`
LOW_COVERAGE = 0.6
# Of the words that occur more than once: 95 to 99 % in English text with GloVe 6B, 54 % in French,
# 52 % in German.
FEW_OWN_VECTORS = 0.75
MAX_SHOWN_TOKENS = 10


def compose_vector(token: str, vectors: WordVectors) -> Floats | None:
    """Compose a vector for a token without a row of its own.

    Returns:
        float32 [dimensions], or None: `"don't"` -> do + n't (do + not if the file lacks n't),
        `"film's"` -> film + 's (film), `"renée"` -> renee, `"ping_pong"` and `"42"` -> the mean of
        their parts, `"dell'amico"` -> that or the longest known part.
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
    """Find a token as it is, without accents, or by its parts or similar words."""
    if token in vectors:
        return vectors[token]
    decomposed = unicodedata.normalize("NFKD", token)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    if plain in vectors:
        return vectors[plain]
    if used_alike := list(_words_used_alike(token)):
        return _mean(used_alike, vectors)
    parts = [part for part in plain.replace("'", "_").split("_") if part]
    if len(parts) > 1 and (mean := _mean(parts, vectors)) is not None:
        return mean
    known = [part for part in reversed(token.split("'")) if part in vectors]
    return vectors[max(known, key=len)] if known else None  # as the device reads such a word


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


def measure_familiarity(
    tokens: Sequence[str], counts: Counter[str], vectors: WordVectors
) -> WordFamiliarity:
    """Return the level of each token of a vocabulary; padding and the unknown word have 0."""
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


@dataclass(frozen=True)
class Coverage:
    """Where the vectors of a vocabulary came from, and how much of the training text they cover.

    Attributes:
        own: tokens with a GloVe row.
        composed: tokens whose vector was composed of GloVe rows.
        learned: tokens whose row is learned.
        extra: tokens added from the file of vectors.
        running_words: share of training tokens with a GloVe or composed vector, 0 to 1.
        known_words: share of training tokens in the vocabulary, 0 to 1.
        repeated_words: share of the words that occur more than once in training text which have a
            GloVe row, or whose longest part between apostrophes has, 0 to 1.
        commonest_without: the most frequent tokens without a GloVe or composed vector.
    """

    own: int
    composed: int
    learned: int
    extra: int
    running_words: float
    known_words: float
    repeated_words: float
    commonest_without: tuple[str, ...]


@dataclass(frozen=True)
class EmbeddingTable:
    """A vocabulary and its vectors.

    Attributes:
        tokens: the position is the id.
        vectors: float32 [vocabulary, dimensions]; rows to be learned are zeros.
        learned: ids of the rows that training fills, ascending.
        training_words: number of ids, from 0, whose words occur in training text, or in that of the
            run whose training is continued.
        coverage: where the vectors came from.
    """

    tokens: tuple[str, ...]
    vectors: Floats
    learned: tuple[int, ...]
    training_words: int
    coverage: Coverage


def check_coverage(coverage: Coverage, vectors: str) -> None:
    """Raise VectorsError if the vectors cover less than `MIN_COVERAGE` of the training text."""
    if coverage.running_words < MIN_COVERAGE:
        shown = " ".join(f"{token:.20}" for token in coverage.commonest_without[:3])
        raise VectorsError(
            f"{vectors} covers {coverage.running_words:.1%} of the training tokens, expected at "
            f"least {MIN_COVERAGE:.0%} (tokens without a vector: {shown}): take vectors of the "
            "text's language, such as --vectors fr for French, or none with --vectors none"
        )


def count_tokens(texts: Iterable[str], tokenizer: Tokenizer) -> tuple[Counter[str], Longs]:
    """Return how often each token occurs, and the number of tokens of each text, int64 [texts]."""
    counts: Counter[str] = Counter()
    lengths = array("q")
    for text in texts:
        tokens = tokenizer.tokenize(text)
        counts.update(tokens)
        lengths.append(len(tokens))
    return counts, np.array(lengths, np.int64)


def choose_extra_words(
    vectors: WordVectors, known: set[str], count: int, tokenizer: Tokenizer
) -> list[str]:
    """Choose words that training text lacks: common contractions, then most frequent first.

    The table is frozen, so the model treats them like the words with similar vectors. None is
    chosen that the tokenizer cannot produce.
    """
    if count <= 0:
        return []
    common = (word for word in COMMON_TOKENS if compose_vector(word, vectors) is not None)
    words = dict.fromkeys((*common, *vectors.words))  # a file may hold a word twice

    def is_token(word: str) -> bool:
        return tokenizer.tokenize(word) == [word]

    usable = (word for word in words if word not in known and is_token(word))
    return list(islice(usable, count))


def build_table(
    counts: Counter[str],
    vectors: WordVectors,
    options: TrainingOptions,
    initial_words: Sequence[str] = (),
    initial_learned: Collection[str] = (),
) -> EmbeddingTable:
    """Choose the vocabulary and find its vectors.

    The training words of a run whose training is continued, `initial_words`, count as training
    words too; `initial_learned` are those whose rows it learned.

    Returns:
        The table, tokens by descending frequency, those that training text lacks last.
    """
    training = _choose_training_words(counts, vectors, options, initial_words)
    known = {row.token for row in training}
    missing = options.max_words - len(SPECIAL_TOKENS) - len(training) if options.extra_words else 0
    extra = [
        _find_row(word, counts[word], vectors)
        for word in choose_extra_words(vectors, known, missing, options.tokenizer)
    ]
    rows = [*training, *extra]
    zeros = np.zeros(vectors.dimensions, np.float32)
    table = np.stack(
        [zeros] * len(SPECIAL_TOKENS) + [zeros if r.vector is None else r.vector for r in rows]
    )
    learned = [
        id_
        for id_, row in enumerate(training, len(SPECIAL_TOKENS))
        if row.vector is None
        or (row.approximate and row.count >= options.min_learned_count)
        or (not row.own and row.token in initial_learned)
    ]
    return EmbeddingTable(
        tokens=(*SPECIAL_TOKENS, *(row.token for row in rows)),
        vectors=table,
        learned=(UNKNOWN_ID, *learned),
        training_words=len(SPECIAL_TOKENS) + len(training),
        coverage=_measure_coverage(counts, training, extra, vectors),
    )


@dataclass(frozen=True)
class _Row:
    """A token, how often it occurs in training text, and its vector."""

    token: str
    count: int
    vector: Floats | None
    own: bool
    approximate: bool


def _find_row(token: str, count: int, vectors: WordVectors) -> _Row:
    if token in vectors:
        return _Row(token, count, vectors[token], own=True, approximate=False)
    approximate = any(_words_used_alike(token))  # training may improve their vector
    return _Row(token, count, compose_vector(token, vectors), own=False, approximate=approximate)


def _choose_training_words(
    counts: Counter[str],
    vectors: WordVectors,
    options: TrainingOptions,
    initial_words: Sequence[str],
) -> list[_Row]:
    """Choose the training words that have a vector or are frequent enough to learn one.

    Then come the initial run's other words.
    """
    min_count = 2 if sum(counts.values()) > SMALL_CORPUS_TOKENS else 1
    rows: list[_Row] = []
    for token, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count < min_count or len(rows) + len(SPECIAL_TOKENS) >= options.max_words:
            break
        row = _find_row(token, count, vectors)
        if row.vector is not None or count >= options.min_learned_count:
            rows.append(row)
    chosen = {*SPECIAL_TOKENS, *(row.token for row in rows)}
    further = (word for word in initial_words if word not in chosen)
    left = max(0, options.max_words - len(SPECIAL_TOKENS) - len(rows))
    return rows + [_find_row(word, counts[word], vectors) for word in islice(further, left)]


def _measure_coverage(
    counts: Counter[str], training: Sequence[_Row], extra: Sequence[_Row], vectors: WordVectors
) -> Coverage:
    total = max(1, sum(counts.values()))
    with_vector = [row for row in training if row.vector is not None]
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    without = (word for word, _ in commonest if compose_vector(word, vectors) is None)
    repeated = [word for word, count in counts.items() if count > 1]
    return Coverage(
        own=sum(row.own for row in training),
        composed=sum(not row.own for row in with_vector),
        learned=len(training) - len(with_vector),
        extra=len(extra),
        running_words=sum(row.count for row in with_vector) / total,
        known_words=sum(row.count for row in (*training, *extra)) / total,
        repeated_words=sum(max(word.split("'"), key=len) in vectors for word in repeated)
        / max(1, len(repeated)),
        commonest_without=tuple(islice(without, MAX_LISTED_TOKENS)),
    )


def describe_table(
    coverage: Coverage, vocabulary: Vocabulary, vectors: WordVectors
) -> Iterator[str]:
    """Describe where the vectors of the vocabulary came from, and which words have none."""
    extra = f", {coverage.extra:,} added" if coverage.extra else ""
    yield (
        f"{vectors.name}: {len(vocabulary.tokens):,} tokens, {coverage.own:,} with their own "
        f"vector, {coverage.composed:,} composed, {coverage.learned:,} learned{extra}; vectors "
        f"cover {coverage.running_words:.1%} of the training tokens, the vocabulary "
        f"{coverage.known_words:.1%}"
    )
    if repeated := vectors.repeated:
        words = list(dict.fromkeys(repeated))
        yield (
            f"{vectors.name}: {len(repeated):,} rows have words of earlier rows, which count "
            f"(compared in lower case): {shorten_list(words)}"
        )
    if coverage.running_words < LOW_COVERAGE:
        yield (
            f"warning: {vectors.name} covers only {coverage.running_words:.1%} of the training "
            "tokens: are they vectors of the text's language? (--vectors fr takes French ones)"
        )
    elif coverage.repeated_words < FEW_OWN_VECTORS:
        yield (
            f"warning: only {coverage.repeated_words:.0%} of the words that occur more than once "
            f"have a vector of their own, and {coverage.extra:,} words that the text lacks fill "
            f"the vocabulary: is {vectors.name} of the text's language? (--vectors fr takes French "
            "ones)"
        )
    if coverage.commonest_without:
        shown = " ".join(coverage.commonest_without[:MAX_SHOWN_TOKENS])
        yield f"most frequent tokens without a vector: {shown}"
