"""Corpus: storage, checks and what is reported about it."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.runtime.errors import OutputError
from glovelite.train import DataError
from glovelite.train.data.build_corpus import (
    check_corpus,
    describe_contradictions,
    join_corpora,
)
from glovelite.train.data.corpus import TextStore
from tests.train.corpora import corpus_of


@given(st.lists(st.text(st.characters())))
def test_text_store_returns_what_was_added(values):
    store = TextStore()
    for value in values:
        store.add(value)
    texts = store.finish()
    assert list(texts) == values
    assert len(texts) == len(values)
    assert list(texts[::-1]) == values[::-1]
    assert list(texts.select(np.arange(len(values))[1::2])) == values[1::2]


def store_texts():
    store = TextStore()
    for _ in range(3):
        store.add("x" * 1_000_000)
    store.finish()


def test_a_full_folder_of_temporary_files_is_named(full_disk, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    message = f"{full_disk}: temporary files cannot be written: No space left on device: free"
    with pytest.raises(OutputError, match=message):
        store_texts()


@given(st.lists(st.tuples(st.text(), st.sampled_from("zyx"))))
def test_build_corpus_keeps_texts_and_labels(pairs):
    corpus = corpus_of(pairs)
    assert list(zip(corpus.texts, corpus.labels)) == pairs
    assert list(corpus.classes) == sorted({label for _, label in pairs})


@pytest.mark.parametrize(
    "times", [[1.5, -3.0, 2e9], [datetime(1969, 7, 20, 20, 17), datetime(2024, 5, 31, 1, 2, 3, 4)]]
)
def test_groups_and_times_follow_the_selected_rows(times):
    pairs = [(str(n), "ab"[n % 2]) for n in range(len(times))]
    corpus = corpus_of(pairs, groups=["x", "y", "x"][: len(times)], times=times)
    assert corpus.times.tolist() == times
    last = corpus.select([len(times) - 1, 0])
    assert last.times.tolist() == [times[-1], times[0]]
    assert (last.groups[0] == last.groups[1]) == (len(times) == 3)
    assert corpus_of(pairs).groups is corpus_of(pairs).times is None


def test_joined_corpora_compare_groups_by_value_and_order_times():
    one = corpus_of([("x", "a"), ("y", "b")], "one", groups=["ann", "bob"], times=[2.0, 4.0])
    two = corpus_of([("z", "c"), ("u", "a")], "two", groups=["bob", "cem"], times=[1.0, 3.0])
    joined = join_corpora([one, two])
    assert joined.groups.tolist() == [*one.groups.tolist(), *two.groups.tolist()]
    assert joined.groups[1] == joined.groups[2]
    assert joined.times.tolist() == [2.0, 4.0, 1.0, 3.0]
    renumbered = joined.with_classes(("a", "b", "c", "d")).select([3, 0])
    assert renumbered.groups.tolist() == [two.groups[1], one.groups[0]]
    assert renumbered.times.tolist() == [3.0, 2.0]
    assert renumbered.where(0) == "two, line 3"


def test_joined_corpora_need_times_of_one_kind():
    one = corpus_of([("x", "a")], "one", times=[2024.0])
    two = corpus_of([("y", "b")], "two", times=[datetime(2024, 5, 31)])
    with pytest.raises(DataError, match=r"two: expected numbers as the times, like in one, found"):
        join_corpora([one, two])


def test_duplicates_counts_copies():
    assert corpus_of([("x", "a"), ("x", "a"), ("y", "b"), ("x", "b")]).duplicates == 2


def test_describe_contradictions_names_the_first_line():
    pairs = [("x", "a"), ("y", "a"), ("y", "b"), ("x", "b"), ("z", "b"), ("z", "b")]
    assert describe_contradictions(corpus_of(pairs)).startswith(
        "2 texts have two labels, the first at c, line 4"
    )
    assert describe_contradictions(corpus_of(pairs[:2])) is None


def test_fingerprint_depends_on_texts_labels_and_order():
    base = corpus_of([("x", "a"), ("y", "b")])
    others = ([("y", "b"), ("x", "a")], [("x", "b"), ("y", "a")], [("x", "a"), ("y", "c")])
    assert base.fingerprint == corpus_of([("x", "a"), ("y", "b")], "renamed").fingerprint
    assert base.fingerprint not in {corpus_of(pairs).fingerprint for pairs in others}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "two labels or more, found"),
        ([("x", "a"), ("y", "a"), ("z", "a")], r"two labels or more, found \['a'\]"),
        (
            [*((f"{n}", "ab"[n % 2]) for n in range(8)), ("lonely", "c"), ("x", "d"), ("y", "d")],
            r"at least 3 distinct texts of each label, found fewer of 'c' \(1, c, line 10\), "
            r"'d' \(2, c, line 11\): add some, or drop these labels with --min-texts 3$",
        ),
        ([("x", "a")] * 5 + [("1", "b"), ("2", "b"), ("3", "b")], r"fewer of 'a' \(1, c, line 2"),
        (
            [("x", "a")],
            r"c: expected two labels or more, found \['a'\]; expected at least 3 .* of 'a' \(1",
        ),
        ([(f"{n}", f"{n}") for n in range(30)], r"and 20 more: .*; are these the labels\?"),
        (
            [(f"{n}", f"{n}") for n in range(1_001)],
            r"^c: 1,001 different labels, most of them of one or two texts \('0', '1', '2', …\): "
            "are these the labels",
        ),
    ],
)
def test_check_corpus_rejects_too_few_classes_or_texts(pairs, message):
    with pytest.raises(DataError, match=message):
        check_corpus(corpus_of(pairs))


def test_check_corpus_accepts_three_texts_per_class():
    check_corpus(corpus_of([(str(n), "ab"[n % 2]) for n in range(6)]))
