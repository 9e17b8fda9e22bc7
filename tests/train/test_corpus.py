"""A corpus says what is odd about it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.io.labelled_text import Row
from train import DataError
from train.data.corpus import build_corpus, check_corpus, contradiction
from train.data.text_store import TextStore


def corpus_of(pairs, name="c"):
    rows = (Row(text, label, line) for line, (text, label) in enumerate(pairs, start=2))
    return build_corpus(name, rows, lambda _: None)


@given(st.lists(st.text(st.characters())))
def test_texts_come_back_from_disk(values):
    store = TextStore()
    for value in values:
        store.add(value)
    texts = store.finish()
    assert list(texts) == values
    assert len(texts) == len(values)
    assert list(texts[::-1]) == values[::-1]
    assert list(texts.select(np.arange(len(values))[1::2])) == values[1::2]


@given(st.lists(st.tuples(st.text(), st.sampled_from("zyx"))))
def test_rows_come_back_with_their_labels(pairs):
    corpus = corpus_of(pairs)
    assert list(zip(corpus.texts, corpus.labels)) == pairs
    assert list(corpus.classes) == sorted({label for _, label in pairs})


def test_repeated_texts_are_counted():
    assert corpus_of([("x", "a"), ("x", "a"), ("y", "b"), ("x", "b")]).repeated == 2


def test_a_text_under_two_labels_is_told_with_its_line():
    pairs = [("x", "a"), ("y", "a"), ("y", "b"), ("x", "b"), ("z", "b"), ("z", "b")]
    assert contradiction(corpus_of(pairs)).startswith(
        "2 texts stand under two labels, the first at c, line 4"
    )
    assert contradiction(corpus_of(pairs[:2])) is None


def test_the_fingerprint_sees_every_text_label_and_their_order():
    base = corpus_of([("x", "a"), ("y", "b")])
    others = ([("y", "b"), ("x", "a")], [("x", "b"), ("y", "a")], [("x", "a"), ("y", "c")])
    assert base.fingerprint == corpus_of([("x", "a"), ("y", "b")], "renamed").fingerprint
    assert base.fingerprint not in {corpus_of(pairs).fingerprint for pairs in others}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "two classes or more, found"),
        ([("x", "a"), ("y", "a"), ("z", "a")], r"two classes or more, found \['a'\]"),
        (
            [*((f"{n}", "ab"[n % 2]) for n in range(8)), ("lonely", "c")],
            r"label 'c' has 1 different text\(s\) \(c, line 10\); it needs 3",
        ),
        ([("x", "a")] * 5 + [("1", "b"), ("2", "b"), ("3", "b")], "label 'a' has 1 different"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(pairs, said):
    with pytest.raises(DataError, match=said):
        check_corpus(corpus_of(pairs))


def test_three_texts_a_class_are_enough():
    check_corpus(corpus_of([(str(n), "ab"[n % 2]) for n in range(6)]))
