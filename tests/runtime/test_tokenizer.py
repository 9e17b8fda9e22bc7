"""The tokenizer: specified by examples and properties."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.text.tokenizer import PATTERN, normalize, tokenize, tokenize_start

any_text = st.text(st.characters(), max_size=300)  # lone surrogates and NUL included
wordy_text = st.text(st.sampled_from("aB'’ .é\u0301ΣςİßＡﬁ_9\n\t"), max_size=200)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("?! ... --", []),
        ("The cat sat.", ["the", "cat", "sat"]),
        ("It’s 'fine', Renée!", ["it's", "fine", "renée"]),
        ("rock'n'roll ''tis' o'", ["rock'n'roll", "tis", "o"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("snake_case 3D 10/10", ["snake_case", "3d", "10", "10"]),
        ("well-known e.g. U.S.", ["well", "known", "e", "g", "u", "s"]),
        ("Привет МИР", ["привет", "мир"]),
        ("日本語 text", ["日本語", "text"]),
        ("I❤you 👍🏽ok", ["i", "you", "ok"]),
        ("<br />tag", ["br", "tag"]),
        ("a\0b\ud800c", ["a", "b", "c"]),
    ],
)
def test_tokenize_examples(text, tokens):
    assert tokenize(text) == tokens


@given(any_text)
def test_tokenize_returns_only_word_characters(text):
    for token in tokenize(text):
        assert re.fullmatch(r"\w+(?:'\w+)*", token)


@given(any_text | wordy_text)
def test_tokenize_ignores_case_and_composition(text):
    assert tokenize(unicodedata.normalize("NFD", text)) == tokenize(text)
    if text.isascii():
        assert tokenize(text.upper()) == tokenize(text)


@given(wordy_text)
def test_tokenize_unifies_apostrophes(text):
    assert tokenize(text.replace("’", "'")) == tokenize(text)


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)))
def test_tokenize_splits_at_spaces(words):
    assert tokenize(" ".join(words)) == words


@given(any_text | wordy_text, st.integers(1, 12))
def test_tokenize_start_returns_the_first_tokens(text, count):
    assert tokenize_start(text, count) == tokenize(text)[:count]


@given(st.text(st.sampled_from("aΣ'. é\u0301")), st.integers(1, 4), st.integers(1, 30))
def test_tokenize_start_is_exact_for_long_texts(text, count, times):
    assert tokenize_start(text * times, count) == tokenize(text * times)[:count]


@given(st.text(st.characters(max_codepoint=127)) | st.text(st.sampled_from("aB_9' .\t")))
def test_ascii_path_equals_the_pattern(text):
    assert normalize(text) == unicodedata.normalize("NFC", text).lower()
    assert tokenize(text) == re.findall(PATTERN, text.lower())
