"""The choice of the misspelt words that a bundle corrects."""

import numpy as np
import pytest

from glovelite.convert.options import ExportOptions
from glovelite.convert.verify.spelling import choose_spelling, find_letters
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.spelling import Spelling
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = ("bird", "wings", "bread", "baked", "the")
TEXTS = ("the bird wings", "the baked bread") * 40
TARGETS = np.array([0, 1] * 40)


def make_vocabulary(*words, **options):
    return Vocabulary((*SPECIAL_TOKENS, *words), ("animal", "food"), 20, 2, **options)


def score_words(vocabulary, texts):
    """Count the words of each class; the unknown word is of neither."""
    rows = []
    for text in texts:
        words = [vocabulary.tokens[id_] for id_ in vocabulary.encode(text).ids]
        animal = sum(word in WORDS[:2] for word in words)
        food = sum(word in WORDS[2:4] for word in words)
        rows.append([0.1 + animal, 0.1 + food])
    scores = np.array(rows, np.float32)
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("words", "letters"),
    [
        (("bird", "été", "it's", "3d"), "'bdirsté"),
        (("мир", "привет"), "веимпрт"),
        (("日本", "語", "の"), ""),
        (("ดี", "ไทย"), ""),
        (tuple(chr(0xAC00 + number) * 2 for number in range(500)), ""),  # Hangul
        (("2024", "10"), ""),
        ((), ""),
    ],
)
def test_letters_are_those_of_an_alphabet(words, letters):
    assert find_letters(make_vocabulary(*words)) == letters


def test_misspelt_words_are_corrected_if_that_helps():
    vocabulary = make_vocabulary(*WORDS)
    chosen = choose_spelling(vocabulary, TEXTS, TARGETS, score_words)
    assert chosen == Spelling(find_letters(vocabulary), 3)


def test_no_word_is_corrected_if_that_does_not_help():
    vocabulary = make_vocabulary(*WORDS)
    never = np.tile(np.float32([0.5, 0.5]), (len(TEXTS), 1))
    assert choose_spelling(vocabulary, TEXTS, TARGETS, lambda *_: never) is None


def test_no_word_is_corrected_if_that_costs_accuracy_on_the_text_as_it_is():
    def score(vocabulary, texts):
        """Be right about one of the two: the text as it is, and with spelling the misspelt copy."""
        right = (tuple(texts) == TEXTS) == (vocabulary.spelling is None)
        return np.tile(np.float32([0.6, 0.4] if right else [0.4, 0.6]), (len(texts), 1))

    def score_misspelt(vocabulary, texts):
        """Be more certain about the misspelt copy with spelling, and never wrong."""
        certain = vocabulary.spelling is not None and tuple(texts) != TEXTS
        return np.tile(np.float32([0.9, 0.1] if certain else [0.6, 0.4]), (len(texts), 1))

    vocabulary, targets = make_vocabulary(*WORDS), 0 * TARGETS
    assert choose_spelling(vocabulary, TEXTS, targets, score_misspelt) is not None
    assert choose_spelling(vocabulary, TEXTS, targets, score) is None


def test_pieces_of_words_are_not_corrected():
    vocabulary = make_vocabulary(*WORDS, tokenizer=make_pieces(WORDS))
    assert choose_spelling(vocabulary, TEXTS, TARGETS, score_words) is None


def test_multi_label_text_is_supported():
    targets = np.eye(2, dtype=bool)[TARGETS]
    vocabulary = make_vocabulary(*WORDS, multi_label=True)
    assert choose_spelling(vocabulary, TEXTS, targets, score_words, (0.5, 0.5)) is not None


@pytest.mark.parametrize(
    ("options", "corrects"),
    [
        ({}, True),
        ({"spelling": False}, False),
        ({"mediapipe": True}, False),
        ({"recipe": "int8"}, True),
        ({"recipe": "int8", "emit_c": True}, False),
        ({"recipe": "int8", "integer_output": True}, False),
    ],
)
def test_targets_with_another_lookup_do_not_correct(options, corrects):
    assert ExportOptions(**options).corrects_spelling == corrects
