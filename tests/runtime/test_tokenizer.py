"""The tokenizers: specified by examples, properties and the conformance file."""

import pickle
import re
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.runtime.bundle import HASHED_WORDS_FILE, VOCABULARY_FILE
from glovelite.runtime.text.hashed_words import parse_hashed_words
from glovelite.runtime.text.older_tokenizer import OLDER_WORDS, OLDER_WORDS_AND_PUNCTUATION
from glovelite.runtime.text.tokenizer import (
    INVISIBLE,
    LETTER,
    MARK,
    UNASSIGNED_CODE,
    UNSPACED_LETTER,
    WORDS,
    WORDS_AND_PUNCTUATION,
    classify,
    read_ranges,
)
from glovelite.runtime.text.unicode_table import MARKS
from glovelite.runtime.text.vocabulary import TOKENIZERS, parse_vocabulary
from tests.helpers import DATA, read_json_lines

CONFORMANCE = DATA / "conformance"
any_text = st.text(st.characters(), max_size=300)  # lone surrogates and NUL included
wordy_text = st.text(
    st.sampled_from(
        "aB'’ .!?é\u0301ΣςİßＡﬁ_9❶😂👍🏽❤♀\ufe0f\n\t\xad\u200b\u200dजिनไทยี日か\u3099\u0378"
    ),
    max_size=200,
)
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
        ("日本語 text", ["日", "本", "語", "text"]),
        ("I❤you 👍🏽ok", ["i", "you", "ok"]),
        ("<br />tag", ["br", "tag"]),
        ("a\0b\ud800c", ["a", "b", "c"]),
        ("दिन दान", ["दिन", "दान"]),
        ("İyi iyi I\u0307yi", ["iyi", "iyi", "iyi"]),
        ("in\xadvi\u200bsi\u2060b\ufeffle", ["invisible"]),
        ("_emphasis_ __init__ _ it_'s", ["emphasis", "init", "it", "s"]),
        ("ที่นี่ ก\u200bข", ["ที่", "นี่", "ก", "ข"]),
        ("می\u200cخواهم ශ්\u200dරී", ["می\u200cخواهم", "ශ්\u200dරී"]),
        ("J\u030c", ["ǰ"]),
        ("ΣΑΣ σας", ["σασ", "σασ"]),
        ("a\u0870b", ["a", "b"]),
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


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It’s 'fine', Renée!", ["it's", "fine", "renée"]),
        ("日本語 _text_ दिन", ["日本語", "_text_", "द", "न"]),
        ("İyi a\xadb", ["i", "yi", "a", "b"]),
        ("a\0b\ud800c", ["a", "b", "c"]),
    ],
)
def test_older_formats_keep_their_tokens(text, tokens):
    assert OLDER_WORDS.tokenize(text) == tokens


@given(any_text | wordy_text)
def test_older_tokens_are_matches_of_the_pattern(text):
    for tokenizer in (OLDER_WORDS, OLDER_WORDS_AND_PUNCTUATION):
        pattern = tokenizer.specification["pattern"]
        assert tokenizer.tokenize(text) == re.findall(pattern, tokenizer.normalize(text))


def read_conformance():
    """Return the vocabulary of the conformance file, and its records."""
    vocabulary = parse_vocabulary((CONFORMANCE / VOCABULARY_FILE).read_text("utf-8"))
    content = (CONFORMANCE / HASHED_WORDS_FILE).read_bytes()
    hashed = parse_hashed_words(content, len(vocabulary.tokens), HASHED_WORDS_FILE)
    return replace(vocabulary, hashed=hashed), read_json_lines(CONFORMANCE / "texts.jsonl")


VOCABULARY, RECORDS = read_conformance()
PIECES = parse_vocabulary((CONFORMANCE / "pieces.json").read_text("utf-8"))


@pytest.mark.parametrize("record", RECORDS, ids=[record["name"] for record in RECORDS])
def test_texts_have_the_tokens_and_ids_of_the_conformance_file(record):
    text, tokens = record["text"], record["tokens"]
    assert WORDS.tokenize(text) == tokens
    assert WORDS_AND_PUNCTUATION.tokenize(text) == record.get("with_punctuation", tokens)
    assert VOCABULARY.encode(text).ids == record["ids"]
    assert PIECES.tokenize(text) == record["pieces"]


def test_the_class_of_every_character_is_that_of_its_category():
    """Of those that the version assigns; characters that are removed have a class of their own."""
    removed = re.compile(f"[{INVISIBLE}\u200c\u200d]")
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category, class_ = unicodedata.category(character), classify(character)
        if class_ != UNASSIGNED_CODE and not removed.match(character):
            assert (class_ in LETTER + UNSPACED_LETTER) == (category[0] in "LN"), hex(code)
            assert (class_ == MARK) == (category in ("Mn", "Mc")), hex(code)


def test_every_mark_belongs_to_the_word_it_follows():
    removed = re.compile(f"[{INVISIBLE}]")
    marks = [chr(code) for first, last in read_ranges(MARKS) for code in range(first, last + 1)]
    for mark in filter(lambda mark: not removed.match(mark), marks):
        (token,) = WORDS.tokenize(f"b{mark}c")
        assert token == WORDS.normalize(f"b{mark}c") != "bc", hex(ord(mark))
        assert WORDS.tokenize(f"日{mark}") == [WORDS.normalize(f"日{mark}")], hex(ord(mark))


@given(any_text | wordy_text)
def test_tokenize_returns_only_words_and_symbols(text):
    tokens = WORDS_AND_PUNCTUATION.tokenize(text)
    words = [token for token in tokens if classify(token)[0] in LETTER + UNSPACED_LETTER]
    assert words == WORDS.tokenize(text)
    for token in tokens:
        assert re.fullmatch("U[MJ]*|L[LMJ_']*|!", classify(token))
        assert token not in "♀♂🏻🏼🏽🏾🏿"


@pytest.mark.parametrize("tokenizer", [WORDS, WORDS_AND_PUNCTUATION])
@given(text=any_text | wordy_text)
def test_spans_are_those_of_the_tokens_if_nothing_is_removed(tokenizer, text):
    text = tokenizer.normalize(text)
    found = [text[start:end] for start, end in tokenizer.find_spans(text)]
    assert found == tokenizer.tokenize(text)


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
    assert tokenizer.normalize(text) == text.lower()
    spans = tokenizer.find_spans(text.lower())
    assert tokenizer.tokenize(text) == [text.lower()[start:end] for start, end in spans]
