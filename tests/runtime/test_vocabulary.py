"""The vocabulary file: format, encoding and validation."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError, BundleVersionError
from glovelite.runtime.text.hashed_words import build_hashed_words
from glovelite.runtime.text.older_tokenizer import OLDER_WORDS, OLDER_WORDS_AND_PUNCTUATION
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import (
    SPECIAL_TOKENS,
    TOKENIZERS,
    UNKNOWN_ID,
    Vocabulary,
    WordFamiliarity,
    parse_vocabulary,
)
from tests.helpers import FLOATS

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, "the", "cat", "it's"), ("no", "yes"), 4, 5)
GOLDEN = (
    '{"format":1,"tokenizer":{"normalize":"NFC","lowercase":true,"replace":{"’":"\'"},'
    '"pattern":"\\\\w+(?:\'\\\\w+)*"},"max_tokens":4,"trailing_padding":5,'
    '"labels":["no","yes"],"tokens":["<PAD>","<UNKNOWN>","the","cat","it\'s"]}\n'
)

OLDER = replace(VOCABULARY, tokenizer=OLDER_WORDS)

printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp"))
names = st.lists(st.text(printable), unique=True, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def test_to_json_matches_the_golden_file():
    assert OLDER.to_json() == GOLDEN


def test_to_json_specifies_the_tokenizer_of_format_4():
    written = json.loads(VOCABULARY.to_json())
    assert written == {**json.loads(GOLDEN), "format": 4, "tokenizer": WORDS.specification}
    assert written["tokenizer"]["unicode"] == "13.0.0"
    assert parse_vocabulary(VOCABULARY.to_json()) == VOCABULARY


def test_to_json_marks_a_multi_label_vocabulary():
    vocabulary = replace(OLDER, multi_label=True)
    written = vocabulary.to_json()
    marked = '"multi_label":true,"labels"'
    assert written == GOLDEN.replace('"format":1', '"format":2').replace('"labels"', marked)
    assert parse_vocabulary(written) == vocabulary


def test_to_json_specifies_punctuation_as_tokens():
    vocabulary = replace(VOCABULARY, tokenizer=OLDER_WORDS_AND_PUNCTUATION)
    written = vocabulary.to_json()
    marks = "|[!?☀-☿♁♃-➿⭐🌀-🏺🐀-\U0001faff]"
    specified = GOLDEN.replace('"format":1', '"format":3').replace("+)*", f"+)*{marks}")
    assert written == specified
    assert parse_vocabulary(written) == vocabulary


@given(
    names,
    names.filter(lambda labels: len(labels) >= 2),
    st.integers(1, 99),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from(TOKENIZERS),
)
def test_parse_vocabulary_reads_what_to_json_writes(
    tokens, labels, max_tokens, padding, multi_label, tokenizer
):
    tokens = [token for token in tokens if token not in SPECIAL_TOKENS]
    vocabulary = Vocabulary(
        (*SPECIAL_TOKENS, *tokens),
        tuple(labels),
        max_tokens,
        padding,
        multi_label=multi_label,
        tokenizer=tokenizer,
    )
    assert parse_vocabulary(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    ("text", "ids", "truncated"),
    [
        ("", [], False),
        ("The zyx!", [2, 1], False),
        ("IT’S the cat", [4, 2, 3], False),
        ("the the the", [2] * 3, False),
        ("the the the the", [2] * 4, False),
        ("the the the the the", [2] * 4, True),
        ("<PAD> <UNKNOWN>", [1, 1], False),
    ],
)
def test_encode_examples(text, ids, truncated):
    encoded = VOCABULARY.encode(text)
    assert (encoded.ids, encoded.truncated) == (ids, truncated)


@pytest.mark.parametrize(
    ("text", "ids"), [("Cat?! 👍", [2, 4, 3, 1]), ("!😂", [3, 5]), ("cat, cat.", [2, 2])]
)
def test_encode_with_punctuation(text, ids):
    tokens = (*SPECIAL_TOKENS, "cat", "!", "?", "😂")
    vocabulary = Vocabulary(tokens, ("no", "yes"), 4, 5, tokenizer=WORDS_AND_PUNCTUATION)
    assert vocabulary.encode(text).ids == ids
    assert [*map(vocabulary.token_id, vocabulary.tokenize(text))] == ids
    words = [id_ for id_ in ids if tokens[id_] == "cat"]
    assert replace(vocabulary, tokenizer=WORDS).encode(text).ids == words


@given(st.text(st.characters(), max_size=100))
def test_encode_stays_within_bounds_for_any_text(text):
    encoded = VOCABULARY.encode(text)
    assert len(encoded.ids) <= VOCABULARY.max_tokens
    assert all(1 <= id_ < len(VOCABULARY.tokens) for id_ in encoded.ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": ["the"]}, "should start"),
        ({"tokens": ["<PAD>", "<UNKNOWN>", "the", "the"]}, "unique strings"),
        ({"tokens": ["<PAD>", "<UNKNOWN>", 3]}, "unique strings"),
        ({"tokens": None}, "unique strings"),
        ({"labels": ["only"]}, "two classes"),
        ({"labels": "ab"}, "unique strings"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"trailing_padding": 2.5}, "trailing_padding"),
        ({"trailing_padding": 1025}, "trailing_padding"),
        ({"tokens": ["<PAD>", "<UNKNOWN>", "\ud800"]}, "control character"),
        ({"labels": ["no", "\x1b[2Jyes"]}, "control character"),
        ({"labels": ["no", "yes\n"]}, "control character"),
        ({"labels": ["no", "\u202eyes"]}, "control character"),
        ({"labels": [["no"], "yes"]}, "unique strings"),
        ({"format": True}, "format"),
        ({"max_tokens": 10**25}, "digits"),
        ({"max_tokens": float("nan")}, "NaN"),
        ({"max_tokens": [[[]]]}, "found list"),
        ({"tokenizer": {"pattern": "(a+)+$"}}, "tokenizer"),
        ({"tokenizer": OLDER_WORDS_AND_PUNCTUATION.specification}, "'format' should be 3"),
        ({"tokenizer": WORDS_AND_PUNCTUATION.specification}, "'format' should be 4"),
        ({"format": 3}, "'format' should be 1"),
        ({"format": None}, "format"),
    ],
)
def test_parse_vocabulary_names_the_invalid_field(change, message):
    content = json.dumps({**json.loads(GOLDEN), **change})
    with pytest.raises(BundleDamagedError, match=message):
        parse_vocabulary(content)


def test_parse_vocabulary_reports_a_newer_format():
    with pytest.raises(BundleVersionError, match="update glovelite"):
        parse_vocabulary(json.dumps({**json.loads(GOLDEN), "format": 5}))


@given(
    st.text()
    | json_values.map(json.dumps)
    | st.dictionaries(st.sampled_from(sorted(json.loads(GOLDEN))), json_values).map(
        lambda change: json.dumps({**json.loads(GOLDEN), **change})
    )
)
def test_parse_vocabulary_accepts_or_rejects_anything(text):
    with contextlib.suppress(BundleDamagedError, BundleVersionError):
        parse_vocabulary(text)


def test_labels_may_hold_zero_width_joiners():
    labels = ["می\u200cخواهم", "👩\u200d🌾"]
    content = json.dumps({**json.loads(GOLDEN), "labels": labels})
    assert parse_vocabulary(content).labels == tuple(labels)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"max_tokens":4', '"max_tokens":4,"max_tokens":4', "duplicate key 'max_tokens'"),
        ('"max_tokens":4', '"max_tokens":1e999', "too large"),
        ('"max_tokens":4', '"max_tokens":-Infinity', "Infinity"),
        ('"max_tokens":4', '"max_tokens":' + "[]," * 70_000, "lists and objects"),
        ('{"format"', '\ufeff{"format"', "not JSON"),
    ],
)
def test_parse_vocabulary_rejects_lenient_json(old, new, message):
    with pytest.raises(BundleDamagedError, match=message):
        parse_vocabulary(GOLDEN.replace(old, new))


def test_parse_vocabulary_rejects_deep_nesting():
    with pytest.raises(BundleDamagedError):
        parse_vocabulary("[" * 100_000)
    with pytest.raises(BundleDamagedError, match="more than 100 levels"):
        parse_vocabulary("[" * 200 + "]" * 200)


def test_an_unknown_word_with_apostrophes_has_the_id_of_its_longest_known_part():
    words = ("amande", "dell", "été", "don")
    hashed = build_hashed_words({"giorno": 3})
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *words), ("no", "yes"), 9, 1, hashed=hashed)
    assert vocabulary.encode("l'amande dell'xyz c'giorno don'été été'don x'y").ids == [
        *(2, 3, 3, 4, 5),  # of equally long parts the last
        UNKNOWN_ID,
    ]
    assert vocabulary.stand_in("l'amande", 2) == "amande"
    older = replace(vocabulary, tokenizer=OLDER_WORDS)
    assert older.encode("l'amande").ids == [UNKNOWN_ID]


def test_a_word_known_by_its_part_is_as_familiar_as_hashed_words():
    familiarity = WordFamiliarity((0, 1, 9), hashed=4.0)
    tokens = (*SPECIAL_TOKENS, "amande")
    vocabulary = Vocabulary(tokens, ("no", "yes"), 9, 1, familiarity=familiarity)
    assert vocabulary.encode("amande l'amande x").familiarity == pytest.approx((9 + 4 + 1) / 3)
