"""Word vectors of the training text itself."""

import numpy as np
import pytest

from glovelite.runtime.errors import VectorsError
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.train.vectors.embedding_table import count_tokens
from glovelite.train.vectors.text_vectors import DIMENSIONS, SCALE, learn_vectors

ANIMALS, COLORS = ("cat", "dog", "bird", "horse"), ("red", "blue", "green", "white")
TEXTS = [f"the {word} eats {other} food" for word in ANIMALS for other in ("its", "my", "our")]
TEXTS += [f"paint {other} wall {word} again" for word in COLORS for other in ("its", "my", "our")]


def learn(texts):
    return learn_vectors(texts, count_tokens(texts, WORDS)[0], WORDS)


def similarity(vectors, first, second):
    one, other = vectors[first], vectors[second]
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_words_in_similar_places_get_similar_vectors():
    vectors = learn(TEXTS)
    assert similarity(vectors, "cat", "dog") > similarity(vectors, "cat", "red") + 0.3
    assert similarity(vectors, "red", "blue") > similarity(vectors, "red", "dog") + 0.3


def test_vectors_have_the_scale_and_the_dimensions_of_glove():
    vectors = learn(TEXTS)
    assert vectors.dimensions == DIMENSIONS
    used = vectors.vectors[:, : len(vectors.words) - 1]
    assert np.sqrt(np.mean(used**2)) == pytest.approx(SCALE, rel=1e-3)


def test_words_that_occur_once_get_none():
    vectors = learn([*TEXTS, "a hapax"])
    assert "hapax" not in vectors
    assert vectors.words[:3] == ["again", "eats", "food"]


def test_the_same_text_gives_the_same_vectors():
    np.testing.assert_array_equal(learn(TEXTS).vectors, learn(TEXTS).vectors)


def test_texts_of_one_word_have_no_pairs():
    vectors = learn(["a", "b", "c"] * 3)
    assert vectors.words == ["a", "b", "c"]
    assert not vectors.vectors.any()


def test_text_without_repeated_words_is_refused():
    with pytest.raises(VectorsError, match="more than once"):
        learn(["one two", "three four"])
