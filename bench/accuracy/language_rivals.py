"""Trains the rivals of `languages.py`: fastText and logistic regression, on words and characters.

    RIVALS_PYTHON bench/accuracy/language_rivals.py SPLIT SEED [SETTINGS [MODELS]]

The characters of fastText are its subwords of one to four letters, those of TF-IDF are n-grams of
one to four within words. Otherwise as `rivals.py`, but fastText always has 25 epochs, and is
quantized only with the first seed, for its size, or where models are wanted.
"""

from itertools import product

from rivals import fast_text, logistic_regression, main

SUBWORDS = {"minn": 1, "maxn": 4}
GRID = tuple(product((0.1, 0.5, 1.0), (25,), (1, 2)))  # rate, epochs, word n-grams
CHARACTERS = {"analyzer": "char_wb", "ngram_range": (1, 4)}


def choose_kinds(task, name):
    """Return the name of a model, and of its quantized form if that is wanted."""
    return (name,) if task.settings and not task.models else (name, f"{name} .ftz")


def words(task):
    """FastText on words."""
    yield from fast_text(task, choose_kinds(task, "fastText words"), None, GRID)


def subwords(task):
    """FastText on subwords."""
    yield from fast_text(task, choose_kinds(task, "fastText characters"), SUBWORDS, GRID)


def tfidf_words(task):
    """Logistic regression on words and pairs."""
    yield from logistic_regression(task, "TF-IDF words")


def tfidf_characters(task):
    """Logistic regression on characters."""
    yield from logistic_regression(task, "TF-IDF characters", CHARACTERS)


if __name__ == "__main__":
    main((words, subwords, tfidf_words, tfidf_characters))
