"""Misspells words: a letter dropped, doubled, swapped, or replaced by its keyboard neighbor."""

import random
import re

from glovelite.runtime.text.spelling import NEIGHBORS

WORDS = re.compile(r"\w+(?:'\w+)*")
MIN_LETTERS = 3  # shorter words are left alone


def misspell_text(text: str, share: float, rng: random.Random) -> str:
    """Misspell a share of a text's words of three letters and more, one letter each."""

    def replace(match: re.Match[str]) -> str:
        word = match[0]
        misspelt = len(word) >= MIN_LETTERS and rng.random() < share
        return misspell_word(word, rng) if misspelt else word

    return WORDS.sub(replace, text)


def misspell_word(word: str, rng: random.Random) -> str:
    """Misspell a word at one of its letters after the first: `"great"` -> greaat, grat, graet."""
    index = rng.randrange(1, len(word))
    letter = word[index]
    kind = rng.choice(("drop", "double", "swap", "neighbor"))
    if kind == "drop":
        return word[:index] + word[index + 1 :]
    if kind == "double":
        return word[:index] + letter + word[index:]
    if kind == "swap":
        return word[: index - 1] + letter + word[index - 1] + word[index + 1 :]
    neighbor = rng.choice(NEIGHBORS.get(letter.lower(), letter))
    return word[:index] + neighbor + word[index + 1 :]
