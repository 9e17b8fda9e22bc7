"""Misspelt copies of text."""

import random

from glovelite.data.misspellings import misspell_text, misspell_word
from glovelite.runtime.text.spelling import NEIGHBORS


def test_one_letter_after_the_first_of_a_word_is_misspelt():
    found = {misspell_word("cat", random.Random(seed)) for seed in range(500)}
    neighbors = {f"c{letter}t" for letter in NEIGHBORS["a"]}
    neighbors |= {f"ca{letter}" for letter in NEIGHBORS["t"]}
    assert found == {"ct", "ca", "caat", "catt", "act", "cta", *neighbors}


def test_a_share_of_the_words_is_misspelt():
    text = "house " * 1_000
    for share in (0, 0.2, 1):
        words = misspell_text(text, share, random.Random(0)).split()
        assert len(words) == 1_000
        assert abs(sum(word != "house" for word in words) - 1_000 * share) < 50


def test_words_of_two_letters_and_punctuation_stay():
    assert misspell_text("of it, or -- so?!", 1, random.Random(0)) == "of it, or -- so?!"
