"""The vocabulary and where the vectors of its tokens come from."""

from collections import Counter

import numpy as np
import pytest

from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import MAX_LEVEL, SPECIAL_TOKENS, Vocabulary
from glovelite.train.options import TrainingOptions
from glovelite.train.vectors.cache import WordVectors
from glovelite.train.vectors.embedding_table import (
    COMMON_TOKENS,
    build_table,
    compose_vector,
    count_tokens,
    describe_table,
    measure_familiarity,
)

FILE_WORDS = ["do", "not", "film", "renee", "ping", "pong", "will", "can", "it", "is", "rock"]


def vectors_of(words):
    vectors = WordVectors("test", "test", None, np.eye(len(words), dtype=np.float32))
    vectors.__dict__["words"] = list(words)
    return vectors


PLAIN = vectors_of(FILE_WORDS)
STANFORD = vectors_of([*FILE_WORDS, "n't", "'s", "'ll"])


NUMBERS = vectors_of(
    ["me", "my", "letter", "initial", "seven", "forty", "year", "hundred", "thousand", "number"]
)


def test_the_first_row_of_a_word_counts():
    vectors = vectors_of(["film", "rock", "film", "it", "film"])
    assert vectors["film"].tolist() == [1, 0, 0, 0, 0]
    assert [vectors.rank(word) for word in ("film", "it", "other")] == [0, 3, 5]
    assert vectors.repeated == ["film", "film"]
    table = build_table(Counter(["film"]), vectors, TrainingOptions())
    vocabulary = Vocabulary(table.tokens, ("a", "b"), 5, 1)
    lines = list(describe_table(table.coverage, vocabulary, vectors))
    assert "test: 2 rows repeat words of earlier rows, which count: film" in lines
    assert not any("repeat" in line for line in describe_table(table.coverage, vocabulary, PLAIN))


def parts(vector, vectors):
    return {vectors.words[index]: float(vector[index]) for index in np.flatnonzero(vector)}


@pytest.mark.parametrize(
    ("token", "vectors", "expected"),
    [
        ("don't", STANFORD, {"do": 1, "n't": 1}),
        ("don't", PLAIN, {"do": 1, "not": 1}),
        ("can't", PLAIN, {"can": 1, "not": 1}),
        ("won't", STANFORD, {"will": 1, "n't": 1}),
        ("film's", STANFORD, {"film": 1, "'s": 1}),
        ("film's", PLAIN, {"film": 1}),
        ("it'll", PLAIN, {"it": 1, "will": 1}),
        ("renée's", PLAIN, {"renee": 1}),
        ("renée", PLAIN, {"renee": 1}),
        ("n't", PLAIN, {"not": 1}),
        ("ping_pong", PLAIN, {"ping": 0.5, "pong": 0.5}),
        ("ping'pong", PLAIN, {"ping": 0.5, "pong": 0.5}),
        ("i", NUMBERS, {"me": 0.5, "my": 0.5}),
        ("x", NUMBERS, {"letter": 0.5, "initial": 0.5}),
        ("7", NUMBERS, {"seven": 1}),
        ("07", NUMBERS, {"seven": 1}),
        ("40", NUMBERS, {"forty": 1}),
        ("47", NUMBERS, {"forty": 0.5, "seven": 0.5}),
        ("1987", NUMBERS, {"year": 1}),
        ("350", NUMBERS, {"hundred": 0.5, "number": 0.5}),
        ("20000", NUMBERS, {"thousand": 0.5, "number": 0.5}),
        ("i'm", NUMBERS, {"me": 0.5, "my": 0.5}),
    ],
)
def test_compose_vector_examples(token, vectors, expected):
    assert parts(compose_vector(token, vectors), vectors) == expected


@pytest.mark.parametrize(
    "token", ["zyx", "zyx's", "ve", "zyx_pong", "_", "10", "i", "²", "４２", "1" * 10, "7up"]
)
def test_compose_vector_returns_none_without_parts(token):
    assert compose_vector(token, PLAIN) is None


def build(counts, **choices):
    return build_table(Counter(counts), PLAIN, TrainingOptions(**{"extra_words": False, **choices}))


def test_build_table_sorts_by_frequency_then_alphabet():
    table = build({"film": 3, "not": 5, "do": 3})
    assert table.tokens == ("<PAD>", "<UNKNOWN>", "not", "do", "film")


def test_build_table_learns_the_unknown_row():
    table = build({"film": 3})
    assert not table.vectors[0].any()
    assert table.learned == (1,)


def test_build_table_learns_frequent_words_without_a_vector():
    table = build({"film": 3, "zyx": 10, "rare": 9}, min_learned_count=10)
    assert table.tokens[2:] == ("zyx", "film")
    assert table.learned == (1, 2)
    assert not table.vectors[2].any()
    assert np.array_equal(table.vectors[3], PLAIN["film"])


def test_build_table_respects_max_words():
    assert len(build(dict.fromkeys(FILE_WORDS, 5), max_words=6).tokens) == 6


def test_build_table_keeps_the_words_of_the_initial_run():
    counts, options = Counter({"film": 3}), TrainingOptions(max_words=6)
    initial = ("<PAD>", "<UNKNOWN>", "zyx", "film", "not", "do")
    table = build_table(counts, PLAIN, options, initial, {"<UNKNOWN>", "zyx"})
    assert table.tokens == ("<PAD>", "<UNKNOWN>", "film", "zyx", "not", "do")
    assert table.learned == (1, 3)
    assert table.training_words == 6


def test_coverage_counts_training_tokens():
    table = build({"film": 6, "film's": 2, "zyx": 10, "rare": 2}, min_learned_count=10)
    coverage = table.coverage
    assert (coverage.own, coverage.composed, coverage.learned) == (1, 1, 1)
    assert coverage.running_words == 8 / 20
    assert coverage.known_words == 18 / 20
    assert coverage.commonest_without == ("zyx", "rare")


def test_build_table_fills_up_from_glove_in_order():
    composed = {"don't", "isn't", "can't", "won't", "ain't", "it's", "it'll", "n't", "ll"}
    table = build({"film": 3, "not": 2}, extra_words=True, max_words=2 + 2 + len(composed) + 3)
    assert table.tokens[2:4] == ("film", "not")
    assert set(table.tokens[4:-3]) == composed
    assert table.tokens[-3:] == ("do", "renee", "ping")
    assert table.training_words == 4
    assert table.coverage.extra == len(composed) + 3
    assert np.array_equal(table.vectors[-3], PLAIN["do"])
    everything = build({"film": 3}, extra_words=True)
    assert len(everything.tokens) == 2 + len(composed) + len(FILE_WORDS)


def test_build_table_improves_approximate_vectors_of_frequent_words():
    counts = Counter({"i": 12, "x": 3})
    table = build_table(counts, NUMBERS, TrainingOptions(extra_words=False, min_learned_count=10))
    assert table.tokens[2:] == ("i", "x")
    assert table.learned == (1, 2)
    assert parts(table.vectors[2], NUMBERS) == {"me": 0.5, "my": 0.5}


def test_common_tokens_are_tokens():
    assert all(WORDS.tokenize(token) == [token] for token in COMMON_TOKENS)
    assert len(set(COMMON_TOKENS)) == len(COMMON_TOKENS)
    assert {"don't", "isn't", "won't", "can't", "it's", "i'm", "a", "i", "7"} <= set(COMMON_TOKENS)


def test_extra_words_are_words_the_tokenizer_produces():
    vectors = vectors_of(["film", ",", "e-mail", "U.S.", "o'clock", "Film"])
    table = build_table(Counter({"film": 3}), vectors, TrainingOptions())
    assert table.tokens[2:] == ("film", "o'clock")
    assert table.training_words == 3
    vectors = vectors_of(["film", ",", "!", "!!", "👍🏽", "👍"])
    table = build_table(Counter({"film": 3}), vectors, TrainingOptions(punctuation=True))
    assert table.tokens[2:] == ("film", "!", "👍")


def test_count_tokens_uses_the_device_tokenizer():
    counts, lengths = count_tokens(["Don’t, don't!", "DON'T", ""], WORDS)
    assert counts == {"don't": 3}
    assert lengths.tolist() == [2, 1, 0]
    counts, lengths = count_tokens(["Don’t, don't!", "?!"], WORDS_AND_PUNCTUATION)
    assert counts == {"don't": 2, "!": 2, "?": 1}
    assert lengths.tolist() == [3, 2]


def test_measure_familiarity_compares_training_text_with_general_text():
    vectors = vectors_of([*(f"word{number}" for number in range(1_000)), "rare"])
    counts = Counter({"word0": 11, "rare": 20, "none": 20, "other": 189})
    tokens = (*SPECIAL_TOKENS, "word0", "word1", "rare", "none")
    padding, unknown, usual, absent, frequent, without_vector = measure_familiarity(
        tokens, counts, vectors
    ).listed
    assert (padding, unknown) == (0, 0)
    assert usual in (7, 8, 9)  # as frequent as in general text
    assert absent == 0
    assert frequent == without_vector == MAX_LEVEL
