"""The tokenizer of pieces: the longest token from the left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError
from glovelite.runtime.text.pieces import WORD_START, make_pieces
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary, parse_vocabulary

TOKENS = ("▁walk", "▁w", "ing", "in", "g", "▁", "▁on", "!", "é")
PIECES = make_pieces(TOKENS)
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *TOKENS), ("no", "yes"), 5, 1, tokenizer=PIECES)

texts = st.text(max_size=60) | st.text("walkingo né!\t\u2581", max_size=60)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Walking on!", ["▁walk", "ing", "▁on", "!"]),
        ("win", ["▁w", "in"]),
        ("xin", ["▁", "x", "in"]),
        ("e\u0301", ["▁", "é"]),
        ("", []),
        (" \n", []),
    ],
)
def test_the_longest_piece_is_taken_from_the_left(text, pieces):
    assert PIECES.tokenize(text) == pieces


@given(texts)
def test_pieces_spell_the_normalized_words(text):
    words = WORDS.normalize(text).split()
    assert "".join(PIECES.tokenize(text)) == "".join(WORD_START + word for word in words)


@given(texts)
def test_other_tokens_are_single_characters(text):
    assert all(token in TOKENS or len(token) == 1 for token in PIECES.tokenize(text))


@given(texts, st.integers(1, 9))
def test_the_start_of_a_text_has_its_first_tokens(text, count):
    assert PIECES.tokenize_start(text * 3, count) == PIECES.tokenize(text * 3)[:count]


@given(texts)
def test_every_piece_has_a_span_in_the_text(text):
    spans = [*PIECES.find_spans(text)]
    assert len(spans) == len(PIECES.tokenize(text))
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


def test_the_vocabulary_file_holds_the_pieces():
    parsed = parse_vocabulary(VOCABULARY.to_json())
    assert parsed == VOCABULARY
    assert parsed.is_of_pieces
    assert parsed.encode("Walking on! xé").ids == [2, 4, 8, 9, 7]
    assert parsed.encode("Walking on! xé").truncated
    assert parsed.encode("x").ids == [7, 1]


def test_other_steps_are_refused():
    damaged = VOCABULARY.to_json().replace("longest token", "shortest token")
    with pytest.raises(BundleDamagedError, match="tokenizer"):
        parse_vocabulary(damaged)
