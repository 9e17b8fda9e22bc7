"""The tokenizer: specified by examples and properties."""

import pickle
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.runtime.text.tokenizer import TOKENIZERS, WORDS, WORDS_AND_PUNCTUATION, normalize

any_text = st.text(st.characters(), max_size=300)  # lone surrogates and NUL included
wordy_text = st.text(st.sampled_from("aB'’ .!?é\u0301ΣςİßＡﬁ_9❶😂👍🏽❤♀\ufe0f\n\t"), max_size=200)
tokenizers = st.sampled_from(TOKENIZERS)


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
def test_words_are_tokens(text, tokens):
    assert WORDS.tokenize(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("?! ... --", ["?", "!"]),
        ("Who's there?!", ["who's", "there", "?", "!"]),
        ("no!!! 'what?'", ["no", "!", "!", "!", "what", "?"]),
        ("don'!t a?b", ["don", "!", "t", "a", "?", "b"]),
        ("I❤you 👍🏽ok", ["i", "❤", "you", "👍", "ok"]),
        ("👍🏿👍 🏿", ["👍", "👍"]),
        ("a❤\ufe0f!", ["a", "❤", "!"]),
        ("👩🏽\u200d🌾 🇫🇷 1\ufe0f\u20e3", ["👩", "🌾", "1"]),
        ("🤷🏽\u200d♀\ufe0f 🤷\u200d♂\ufe0f ♁", ["🤷", "🤷", "♁"]),
        ("😂😂, ⭐★☺", ["😂", "😂", "⭐", "★", "☺"]),
        ("¿que？ ❶❷ ©", ["que", "❶❷"]),
        ("😂\u0301é😂", ["😂", "é", "😂"]),
    ],
)
def test_punctuation_and_emoji_are_tokens(text, tokens):
    assert WORDS_AND_PUNCTUATION.tokenize(text) == tokens


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_tokenizers_with_equal_options_are_equal(tokenizer):
    assert replace(tokenizer) == tokenizer
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    assert len(set(TOKENIZERS)) == len(TOKENIZERS)


@given(any_text | wordy_text)
def test_tokenize_returns_only_words_and_marks(text):
    words = [*filter(re.compile(r"\w").match, WORDS_AND_PUNCTUATION.tokenize(text))]
    assert words == WORDS.tokenize(text)
    for token in WORDS_AND_PUNCTUATION.tokenize(text):
        assert re.fullmatch(r"\w+(?:'\w+)*|[!?]|[☀-➿⭐🌀-🫿]", token)
        assert token not in "♀♂🏻🏼🏽🏾🏿"


@given(any_text | wordy_text, tokenizers)
def test_tokens_are_tokens_of_themselves(text, tokenizer):
    tokens = tokenizer.tokenize(text)
    assert tokenizer.tokenize(" ".join(tokens)) == tokens


@given(any_text | wordy_text, tokenizers)
def test_tokenize_ignores_case_and_composition(text, tokenizer):
    tokens = tokenizer.tokenize(text)
    assert tokenizer.tokenize(unicodedata.normalize("NFD", text)) == tokens
    if text.isascii():
        assert tokenizer.tokenize(text.upper()) == tokens


@given(wordy_text, tokenizers)
def test_tokenize_unifies_apostrophes(text, tokenizer):
    assert tokenizer.tokenize(text.replace("’", "'")) == tokenizer.tokenize(text)


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)), tokenizers)
def test_tokenize_splits_at_spaces(words, tokenizer):
    assert tokenizer.tokenize(" ".join(words)) == words


@given(any_text | wordy_text, st.integers(1, 12), tokenizers)
def test_tokenize_start_returns_the_first_tokens(text, count, tokenizer):
    assert tokenizer.tokenize_start(text, count) == tokenizer.tokenize(text)[:count]


@given(
    st.text(st.sampled_from("aΣ'. !😂é\u0301")), st.integers(1, 4), st.integers(1, 30), tokenizers
)
def test_tokenize_start_is_exact_for_long_texts(text, count, times, tokenizer):
    text *= times
    assert tokenizer.tokenize_start(text, count) == tokenizer.tokenize(text)[:count]


@given(
    st.text(st.characters(max_codepoint=127)) | st.text(st.sampled_from("aB_9'!? .\t")), tokenizers
)
def test_ascii_path_equals_the_pattern(text, tokenizer):
    assert normalize(text) == unicodedata.normalize("NFC", text).lower()
    assert tokenizer.tokenize(text) == re.findall(tokenizer.pattern, text.lower())
