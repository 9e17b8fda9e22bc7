"""Trains one rival in a process of its own, for its time and memory.

    RIVALS_PYTHON bench/accuracy/one_rival.py (fasttext | tfidf) SPLIT SEED [SETTINGS]

Otherwise as `rivals.py`; fastText is not quantized.
"""

import sys

from rivals import fast_text, logistic_regression, main


def fast_text_alone(task):
    """FastText on words."""
    yield from fast_text(task, ("fastText .bin",))


if __name__ == "__main__":
    main(({"fasttext": fast_text_alone, "tfidf": logistic_regression}[sys.argv.pop(1)],))
