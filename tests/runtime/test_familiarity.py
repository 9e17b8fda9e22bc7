"""How familiar the words of a text are: the vocabulary's levels, and what a text gets."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError
from glovelite.runtime.text.hashed_words import build_hashed_words
from glovelite.runtime.text.vocabulary import (
    SPECIAL_TOKENS,
    Vocabulary,
    WordFamiliarity,
    parse_vocabulary,
)

LISTED = Vocabulary(
    (*SPECIAL_TOKENS, "great", "film"), ("no", "yes"), 4, 2, None, WordFamiliarity((0, 1, 9, 15))
)
HASHED = replace(
    LISTED,
    hashed=build_hashed_words({"superb": 2}),
    familiarity=WordFamiliarity((0, 1, 9, 15), hashed=4.5),
)


@pytest.mark.parametrize(
    ("text", "familiarity"), [("Great film!", 12), ("zyx film", 8), ("", 0), ("film " * 9, 15)]
)
def test_familiarity_of_a_text_is_the_mean_level_of_its_tokens(text, familiarity):
    assert LISTED.encode(text).familiarity == familiarity


def test_hashed_words_have_their_mean_level_and_not_that_of_their_stand_in():
    encoded = HASHED.encode("superb film zyx")
    assert encoded.ids == [2, 3, 1]
    assert encoded.familiarity == pytest.approx((4.5 + 15 + 1) / 3)


def test_familiarity_is_zero_without_levels():
    assert replace(LISTED, familiarity=None).encode("great film").familiarity == 0


def test_vocabulary_file_holds_a_digit_for_each_token():
    content = json.loads(HASHED.to_json())
    assert content["familiarity"] == {"listed": "019f", "hashed": 4.5}


@given(st.lists(st.integers(0, 15), min_size=4, max_size=4), st.floats(0, 15))
def test_parse_vocabulary_reads_the_levels(levels, hashed):
    vocabulary = replace(LISTED, familiarity=WordFamiliarity(tuple(levels), hashed))
    assert parse_vocabulary(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    "familiarity",
    [
        None,
        "019f",
        {"listed": "019", "hashed": 1},
        {"listed": "019f0", "hashed": 1},
        {"listed": "019G", "hashed": 1},
        {"listed": "019f\n", "hashed": 1},
        {"listed": [0, 1, 9, 15], "hashed": 1},
        {"listed": "019f"},
        {"listed": "019f", "hashed": 16},
        {"listed": "019f", "hashed": True},
    ],
)
def test_parse_vocabulary_rejects_malformed_levels(familiarity):
    content = {**json.loads(LISTED.to_json()), "familiarity": familiarity}
    with pytest.raises(BundleDamagedError, match="familiarity"):
        parse_vocabulary(json.dumps(content))
