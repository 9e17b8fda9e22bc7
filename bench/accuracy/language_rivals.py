"""Trains the rivals of `languages.py`: fastText and logistic regression, on words and characters.

    RIVALS_PYTHON bench/accuracy/language_rivals.py SPLIT SEED [SETTINGS]

The characters of fastText are its subwords of one to four letters, those of TF-IDF are n-grams of
one to four within words. Otherwise as `rivals.py`, but fastText always has 25 epochs: only its
learning rate and, with words, pairs of them are searched.
"""

from itertools import product

from rivals import fast_text, logistic_regression, main

SUBWORDS = {"minn": 1, "maxn": 4}
RATES, EPOCHS = (0.1, 0.5, 1.0), (25,)
WORD_GRID, SUBWORD_GRID = tuple(product(RATES, EPOCHS, (1, 2))), tuple(product(RATES, EPOCHS, (1,)))
WORD_KINDS = ("fastText words", "fastText words .ftz")
SUBWORD_KINDS = ("fastText characters", "fastText characters .ftz")
CHARACTERS = {"analyzer": "char_wb", "ngram_range": (1, 4)}


def words(task):
    """FastText on words, and quantized."""
    yield from fast_text(task, WORD_KINDS, None, WORD_GRID)


def subwords(task):
    """FastText on subwords, and quantized."""
    yield from fast_text(task, SUBWORD_KINDS, SUBWORDS, SUBWORD_GRID)


def tfidf_words(task):
    """Logistic regression on words and pairs."""
    yield from logistic_regression(task, "TF-IDF words")


def tfidf_characters(task):
    """Logistic regression on characters."""
    yield from logistic_regression(task, "TF-IDF characters", CHARACTERS)


if __name__ == "__main__":
    main((words, subwords, tfidf_words, tfidf_characters))
