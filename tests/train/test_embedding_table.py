"""The table: where a token's vector comes from."""

from collections import Counter

import numpy as np
import pytest

from train.options import Settings
from train.vectors.cache import Glove
from train.vectors.embedding_table import build_table, compose, count_tokens

FILE_WORDS = ["do", "not", "film", "renee", "ping", "pong", "will", "can", "it", "is", "rock"]


def glove_of(words):
    glove = Glove("test", None, np.eye(len(words), dtype=np.float32))
    glove.__dict__["words"] = list(words)
    return glove


PLAIN = glove_of(FILE_WORDS)
STANFORDS = glove_of([*FILE_WORDS, "n't", "'s", "'ll"])


def parts(vector, glove):
    return {glove.words[place]: float(vector[place]) for place in np.flatnonzero(vector)}


@pytest.mark.parametrize(
    ("token", "glove", "expected"),
    [
        ("don't", STANFORDS, {"do": 1, "n't": 1}),
        ("don't", PLAIN, {"do": 1, "not": 1}),
        ("can't", PLAIN, {"can": 1, "not": 1}),
        ("won't", STANFORDS, {"will": 1, "n't": 1}),
        ("film's", STANFORDS, {"film": 1, "'s": 1}),
        ("film's", PLAIN, {"film": 1}),
        ("it'll", PLAIN, {"it": 1, "will": 1}),
        ("renée's", PLAIN, {"renee": 1}),
        ("renée", PLAIN, {"renee": 1}),
        ("ping_pong", PLAIN, {"ping": 0.5, "pong": 0.5}),
        ("ping'pong", PLAIN, {"ping": 0.5, "pong": 0.5}),
    ],
)
def test_a_vector_is_composed_of_what_the_file_has(token, glove, expected):
    assert parts(compose(token, glove), glove) == expected


@pytest.mark.parametrize("token", ["zyx", "zyx's", "n't", "zyx_pong", "_", "10"])
def test_where_the_file_has_nothing_there_is_none(token):
    assert compose(token, PLAIN) is None


def build(counts, **choices):
    return build_table(
        Counter(counts), PLAIN, Settings(**{"min_words": 0, "coverage": 1.0, **choices})
    )


def test_the_order_is_by_frequency_then_alphabet():
    table = build({"film": 3, "not": 5, "do": 3})
    assert table.tokens == ("<PAD>", "<UNKNOWN>", "not", "do", "film")


def test_padding_is_zero_and_unknown_is_learned():
    table = build({"film": 3})
    assert not table.vectors[0].any()
    assert table.learned == (1,)


def test_a_frequent_word_without_a_vector_gets_a_learned_row():
    table = build({"film": 3, "zyx": 10, "rare": 9}, learned_count=10)
    assert table.tokens[2:] == ("zyx", "film")
    assert table.learned == (1, 2)
    assert not table.vectors[2].any()
    assert np.array_equal(table.vectors[3], PLAIN["film"])


def test_the_vocabulary_is_bounded():
    assert len(build(dict.fromkeys(FILE_WORDS, 5), max_words=6).tokens) == 6


def test_coverage_counts_running_words():
    table = build({"film": 6, "film's": 2, "zyx": 10, "rare": 2}, learned_count=10)
    coverage = table.coverage
    assert (coverage.own, coverage.composed, coverage.learned) == (1, 1, 1)
    assert coverage.running_words == 8 / 20
    assert coverage.known_words == 18 / 20
    assert coverage.commonest_without == ("zyx", "rare")


def test_a_small_vocabulary_is_filled_up_in_gloves_order():
    table = build({"film": 3, "not": 2}, min_words=2 + 5)
    assert table.tokens[2:] == ("film", "not", "do", "renee", "ping")
    assert table.coverage.extra == 3
    assert np.array_equal(table.vectors[4], PLAIN["do"])
    assert len(build({"film": 3}, min_words=99).tokens) == 2 + len(FILE_WORDS)


def test_a_vocabulary_grows_until_it_covers_enough():
    counts = {"film": 90, "not": 6, "do": 2, "renee": 2}
    assert len(build(counts, coverage=0.9).tokens) == 2 + 1
    assert len(build(counts, coverage=0.95).tokens) == 2 + 2
    assert len(build(counts, coverage=0.95, max_words=3).tokens) == 3
    assert build(counts, coverage=0.9, min_words=4).tokens[2:] == ("film", "not")


def test_a_word_the_tokenizer_cannot_produce_is_no_extra_word():
    glove = glove_of(["film", ",", "e-mail", "U.S.", "o'clock", "Film"])
    table = build_table(Counter({"film": 3}), glove, Settings())
    assert table.tokens[2:] == ("film", "o'clock")


def test_tokens_are_counted_as_the_device_cuts_them():
    counts, lengths = count_tokens(["Don’t, don't!", "DON'T", ""])
    assert counts == {"don't": 3}
    assert lengths.tolist() == [2, 1, 0]
