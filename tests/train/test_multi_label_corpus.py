"""Multi-label corpora: targets, checks, splits, folds; each label is in each part if possible."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.data.rows import Row
from glovelite.train import DataError
from glovelite.train.data import corpus as corpus_module
from glovelite.train.data.build_corpus import (
    build_corpus,
    check_corpus,
    describe_contradictions,
    join_corpora,
    lacking_labels,
)
from glovelite.train.data.corpus import Origin
from glovelite.train.data.inputs import InputTexts, drop_rare_labels, separate
from glovelite.train.data.splitting.folds import draw_folds
from glovelite.train.data.splitting.grouping import find_components
from glovelite.train.data.splitting.initial_texts import InitialTexts, add_labels
from glovelite.train.data.splitting.split import split_corpus, split_inputs


def corpus_of(pairs, name="c", groups=None, times=None, multi_label=True):
    rows = [
        Row(text, tuple(labels), line, multi_label=multi_label)
        for line, (text, labels) in enumerate(pairs, start=2)
    ]
    if groups is not None:
        rows = [row._replace(group=group) for row, group in zip(rows, groups)]
    if times is not None:
        rows = [row._replace(time=time) for row, time in zip(rows, times)]
    return build_corpus(Origin(name, name), rows)


def realistic(count, labels=20, seed=0):
    """Return texts with labels of very different frequency, a fifth of them without any."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, labels + 1) ** 1.3
    weights /= weights.sum()
    return [
        (f"{n}", {f"l{label}" for label in random.choice(labels, size, p=weights)})
        for n, size in enumerate(random.choice([0, 1, 1, 2, 3], count))
    ]


pairs_of = st.lists(
    st.tuples(st.integers(0, 40).map(str), st.frozensets(st.sampled_from("abcdef"), max_size=4))
)


@given(pairs_of)
def test_a_corpus_keeps_the_labels_of_each_text(pairs):
    corpus = corpus_of(pairs) if pairs else corpus_of([("x", "a")])
    pairs = pairs or [("x", {"a"})]
    assert corpus.multi_label
    assert [set(labels) for labels in corpus.labels] == [set(labels) for _, labels in pairs]
    assert corpus.targets.shape == (len(pairs), len(corpus.classes))
    counts = Counter(label for _, labels in pairs for label in labels)
    assert corpus.count_texts().tolist() == [counts[label] for label in corpus.classes]
    assert [corpus.rows_of(n).tolist() for n in range(len(corpus.classes))] == [
        [row for row, (_, labels) in enumerate(pairs) if label in labels]
        for label in corpus.classes
    ]


def test_strata_are_the_rarest_labels():
    corpus = corpus_of([("1", "ab"), ("2", "a"), ("3", ""), ("4", "ca"), ("5", "bc"), ("6", "b")])
    assert corpus.classes == ("a", "b", "c")
    assert corpus.strata.tolist() == [0, 0, 3, 2, 2, 1]


def test_a_text_counts_once_for_each_of_its_labels():
    corpus = corpus_of([("x", "ab"), ("x", "c"), ("y", "b"), ("z", "")])
    assert corpus.count_distinct_texts().tolist() == [1, 2, 0]


def test_classes_are_renumbered_and_dropped_without_texts():
    corpus = corpus_of([("x", "ab"), ("y", "b"), ("z", "c")])
    other = corpus.with_classes(("c", "x", "b", "a"))
    assert other.targets.astype(int).tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    left = corpus.without_labels({"c"})
    assert (left.classes, left.labels) == (("a", "b"), [("a", "b"), ("b",), ()])
    assert lacking_labels(corpus, np.array([1, 2])) == ("a",)


def test_joined_with_a_single_label_corpus_it_stays_multi_label():
    one, two = corpus_of([("x", "ab")]), corpus_of([("y", "c")], "two", multi_label=False)
    for corpora in ([one, two], [two, one]):
        joined = join_corpora(corpora)
        assert joined.classes == ("a", "b", "c")
        assert sorted(joined.labels) == [("a", "b"), ("c",)]


def test_contradictions_are_other_label_sets():
    pairs = [("x", "ab"), ("y", "a"), ("x", "ba"), ("y", ""), ("z", "")]
    assert describe_contradictions(corpus_of(pairs)).startswith(
        "1 texts have copies with other labels, the first at c, line 5"
    )
    assert describe_contradictions(corpus_of(pairs[:3])) is None


def test_the_fingerprint_depends_on_every_label():
    base = corpus_of([("x", "ab"), ("y", "b")])
    assert base.fingerprint == corpus_of([("x", "ba"), ("y", "b")]).fingerprint
    others = ([("x", "a"), ("y", "b")], [("x", "b"), ("y", "ab")], [("x", "ab"), ("y", "")])
    assert base.fingerprint not in {corpus_of(pairs).fingerprint for pairs in others}
    one = [("x", "a"), ("y", "b")]
    assert corpus_of(one).fingerprint != corpus_of(one, multi_label=False).fingerprint


class TestChecks:
    """All problems are found before training."""

    @pytest.mark.parametrize(
        ("pairs", "message"),
        [
            ([("x", ""), ("y", "")], r"two labels or more, found \[\]"),
            ([(f"{n}", "a") for n in range(9)], r"two labels or more, found \['a'\]"),
            (
                [(f"{n}", "ab" if n else "a") for n in range(9)],
                "at least one text without each label, found 'a' in every text",
            ),
            (
                [(f"{n}", "ab" if n < 2 else "a" * (n < 8)) for n in range(9)],
                r"3 distinct texts of each label, found fewer of 'b' \(2, c, line 2\)",
            ),
        ],
    )
    def test_labels_that_cannot_be_learned_are_refused(self, pairs, message):
        with pytest.raises(DataError, match=message):
            check_corpus(corpus_of(pairs))

    def test_texts_times_labels_are_limited(self, monkeypatch):
        monkeypatch.setattr(corpus_module, "MAX_TARGETS", 8)
        pairs = [(f"{n}", "abc"[n % 3]) for n in range(3)]
        with pytest.raises(DataError, match=r"c: 3 texts with 3 labels: expected at most 8 texts"):
            corpus_of(pairs)
        single, more = corpus_of(pairs, multi_label=False), corpus_of([("x", "d")], "d")
        with pytest.raises(DataError, match="4 texts with 4 labels"):
            join_corpora([single, more])

    def test_rare_labels_are_dropped_and_their_texts_stay(self, logged):
        corpora = corpus_of([("1", "ab"), ("2", "a"), ("3", "c")]), corpus_of([("4", "bc")]), None
        train, dev, _ = drop_rare_labels(*corpora, 2)
        assert (train.labels, dev.labels) == ([("a",), ("a",), ()], [()])
        assert logged[0].endswith("'b' (1), 'c' (1); their texts stay")
        with pytest.raises(DataError, match="every label of the training text has fewer than 3"):
            drop_rare_labels(*corpora, 3)

    def test_labels_of_the_initial_run_must_be_of_the_same_kind(self):
        with pytest.raises(
            DataError, match="c: expected single-label text as for run, found multi"
        ):
            add_labels(corpus_of([("x", "ab")]), ("a", "b"), False, "run")
        add_labels(corpus_of([("x", "ab")]), ("a", "b"), True, "run")

    def test_dev_labels_that_training_lacks_are_named(self):
        train, dev = (
            corpus_of([("x", "a"), ("y", "b")]),
            corpus_of([("z", "a"), ("u", "bq")], "dev"),
        )
        with pytest.raises(
            DataError, match="dev, line 3: label 'q' does not occur in the training"
        ):
            separate(train, dev, None)


class TestSplit:
    """Parts share no text; training has every label, and the others if they can."""

    @settings(deadline=None)
    @given(pairs_of.filter(bool), st.integers(0, 9))
    def test_copies_stay_together_and_training_has_every_label(self, pairs, seed):
        corpus = corpus_of(pairs)
        parts = split_corpus(corpus, seed)
        assert Counter(text for part in parts for text in part.texts) == Counter(corpus.texts)
        texts = [set(part.texts) for part in parts]
        assert not texts[0] & texts[1] | texts[0] & texts[2] | texts[1] & texts[2]
        counts = corpus.count_distinct_texts()
        lacking = {
            corpus.classes.index(label)
            for label in lacking_labels(parts[0], np.arange(len(parts[0])))
        }
        assert not lacking & set(np.flatnonzero(counts).tolist())

    @pytest.mark.parametrize("seed", range(5))
    def test_every_label_of_three_texts_is_in_each_part(self, seed):
        pairs = realistic(400, 40, seed)
        corpus = corpus_of(pairs)
        rare = corpus.count_texts() < 3
        parts = split_corpus(corpus, seed)
        assert [len(part) for part in parts] == pytest.approx([320, 40, 40], abs=25)
        for part in parts:
            assert not np.flatnonzero((part.count_texts() == 0) & ~rare).tolist()

    def test_shares_of_labels_and_of_unlabelled_texts_are_kept(self):
        corpus = corpus_of(realistic(5_000))
        for part in split_corpus(corpus, 0):
            assert part.count_texts() / len(part) == pytest.approx(
                corpus.count_texts() / len(corpus), abs=0.05
            )
            unlabelled = [
                sum(not labels for labels in texts.labels) / len(texts) for texts in (part, corpus)
            ]
            assert unlabelled[0] == pytest.approx(unlabelled[1], abs=0.02)

    def test_texts_that_may_not_be_drawn_stay(self):
        pairs = [*((f"{n}", "ab"[n % 2]) for n in range(40)), *((f"x{n}", "c") for n in range(5))]
        corpus = corpus_of(pairs)
        drawable = np.arange(45) < 40
        train, dev, test = split_corpus(corpus, 0, dev_rows=drawable, test_rows=drawable & False)
        assert {f"x{n}" for n in range(5)} <= set(train.texts)
        assert (len(dev), len(test)) == (4, 0)

    def test_groups_stay_together_and_unlabelled_ones_are_spread(self):
        pairs = [(f"{n}", ("ab", "a", "b", "")[n // 5 % 4]) for n in range(400)]
        corpus = corpus_of(pairs, groups=[f"{n // 5}" for n in range(400)])
        split = split_inputs(InputTexts(corpus), 0)
        groups = [set(part.groups.tolist()) for _, part in split]
        assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
        for _, part in split:
            assert set(part.labels) == {("a", "b"), ("a",), ("b",), ()}
            unlabelled = sum(not labels for labels in part.labels) / len(part)
            assert unlabelled == pytest.approx(0.25, abs=0.1)

    def test_the_newest_texts_are_held_out(self):
        pairs = [(f"{n}", ("a", "b", "ab", "")[n % 4]) for n in range(40)]
        split = split_inputs(InputTexts(corpus_of(pairs, times=range(40))), 0)
        assert [list(part.texts)[-1] for _, part in split] == ["31", "35", "39"]

    def test_a_label_of_new_texts_only_is_an_error(self):
        pairs = [(f"{n}", "ab"[n % 2] + "c" * (n > 16)) for n in range(20)]
        with pytest.raises(DataError, match=r"label 'c' \(first at c, line 19\) does not occur in"):
            split_inputs(InputTexts(corpus_of(pairs, times=range(20))), 0)

    def test_texts_of_an_initial_run_stay_in_their_parts(self):
        pairs = realistic(300, 5)
        corpus = corpus_of(pairs)
        first = split_inputs(InputTexts(corpus.select(np.arange(200))), 0)
        initial = InitialTexts("run", *(part.hashes for _, part in first))
        second = split_inputs(InputTexts(corpus), 0, initial=initial)
        for (_, before), (_, after) in zip(first, second):
            assert set(before.texts) <= set(after.texts)


class TestFolds:
    """Every text is in one fold; the labels are spread over all."""

    def test_folds_have_similar_shares_of_each_label(self):
        corpus = corpus_of(realistic(600, 6))
        drawn = draw_folds(corpus, 5, 0)
        assert Counter(text for s in drawn.splits for text in s.test.texts) == Counter(corpus.texts)
        for split in drawn.splits:
            assert split.test.count_texts() == pytest.approx(corpus.count_texts() / 5, abs=4)
            assert not lacking_labels(split.train, np.arange(len(split.train)))

    def test_groups_without_a_label_need_no_second_group(self):
        pairs = [*((f"{n}", "ab"[n % 2]) for n in range(40)), ("none", "")]
        corpus = corpus_of(pairs, groups=[*(f"{n // 4}" for n in range(40)), "alone"])
        assert len(draw_folds(corpus, 3, 0)) == 3

    def test_components_count_each_label(self):
        components = find_components(corpus_of([("x", "ab"), ("x", "c"), ("y", "b"), ("z", "")]))
        assert components.counts[components.of_row].tolist() == [
            [1, 1, 0, 0],
            [1, 1, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 0, 1],
        ]
