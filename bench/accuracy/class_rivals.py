"""Trains the rivals of `classes.py`: fastText and logistic regression on words and pairs.

    RIVALS_PYTHON bench/accuracy/class_rivals.py SPLIT SEED [SETTINGS [MODELS]]

As `rivals.py`.
"""

from rivals import fast_text, logistic_regression, main

if __name__ == "__main__":
    main((fast_text, logistic_regression))
