"""The split: three parts that share no text, each with every class."""

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.data.labelled_text import TextSource
from glovelite.runtime.logs import log_to
from glovelite.train import DataError
from glovelite.train.data.inputs import InputTexts
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import sample, split_corpus, split_inputs
from tests.helpers import GLOSSES
from tests.train.corpora import corpus_of


@st.composite
def corpora(draw):
    rows = [(f"{label}{n}", label) for label in "abc" for n in range(draw(st.integers(3, 30)))]
    rows += draw(st.lists(st.sampled_from(rows), max_size=20))  # copies
    return corpus_of(draw(st.permutations(rows)))


@given(corpora(), st.integers(0, 9))
def test_split_puts_every_text_in_one_part(corpus, seed):
    parts = split_corpus(corpus, seed)
    assert Counter(text for part in parts for text in part.texts) == Counter(corpus.texts)
    sets = [set(part.texts) for part in parts]
    assert not sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    for part in parts:
        assert set(part.labels) == {"a", "b", "c"}


@given(corpora(), st.integers(0, 9))
def test_split_depends_on_the_seed_only(corpus, seed):
    first, second = (split_corpus(corpus, seed) for _ in range(2))
    assert [list(part.texts) for part in first] == [list(part.texts) for part in second]


def test_split_shares_are_80_10_10():
    corpus = corpus_of([(str(n), "abbb"[n % 4]) for n in range(1000)])
    parts = split_corpus(corpus, 0)
    assert [len(part) for part in parts] == [800, 100, 100]
    assert Counter(parts[2].labels) == {"a": 25, "b": 75}
    assert list(split_corpus(corpus, 1)[2].texts) != list(parts[2].texts)


def test_split_of_a_file_is_the_same_in_every_version():
    split = split_inputs(read_inputs([TextSource(str(GLOSSES))]), 7)
    assert [part.fingerprint[:16] for _, part in split] == [
        "246894de3942cb8d",
        "e4c0c2448a528d06",
        "d2a2e82a87cb7d3a",
    ]


def test_split_keeps_given_parts_and_draws_missing_ones():
    corpus = corpus_of([(str(n), "ab"[n % 2]) for n in range(100)])
    dev = corpus_of([("dev a", "a"), ("dev b", "b")])
    split = split_inputs(InputTexts(corpus, dev=dev), 0)
    assert list(split.dev.texts) == ["dev a", "dev b"]
    assert (len(split.train), len(split.test)) == (90, 10)


def test_sample_keeps_the_order():
    corpus = corpus_of([(str(n), "ab"[n % 2]) for n in range(1000)])
    drawn = sample(corpus, 0, 50)
    assert list(drawn.texts) == sorted(drawn.texts, key=int)
    assert len(set(drawn.texts)) == 50
    assert len(sample(corpus, 0, 5000)) == 1000


class TestGroups:
    """All texts of a group are in one part."""

    @staticmethod
    @st.composite
    def grouped(draw):
        """Draw texts with copies, at least four groups of each label, some groups of both."""
        rows = [
            (f"{label}{group}-{n}", label, f"{label}{group}")
            for label in "ab"
            for group in range(draw(st.integers(4, 12)))
            for n in range(draw(st.integers(1, 6)))
        ]
        mixed = draw(st.lists(st.integers(0, 3), max_size=4))
        rows += [(f"mixed {n}", "ab"[n % 2], f"a{group}") for n, group in enumerate(mixed)]
        rows = draw(st.permutations(rows))
        return corpus_of([row[:2] for row in rows], groups=[row[2] for row in rows])

    @given(grouped(), st.integers(0, 9))
    def test_no_group_and_no_text_is_in_two_parts(self, corpus, seed):
        parts = split_corpus(corpus, seed)
        assert Counter(text for part in parts for text in part.texts) == Counter(corpus.texts)
        for key in ("groups", "hashes"):
            values = [set(getattr(part, key).tolist()) for part in parts]
            assert not values[0] & values[1] | values[0] & values[2] | values[1] & values[2]
        for part in parts:
            assert set(part.labels) == {"a", "b"}

    def test_copies_of_a_text_join_their_groups(self):
        pairs = [(f"{n}", "ab"[n % 2]) for n in range(40)]
        groups = [f"g{n // 4}" for n in range(40)]
        pairs += [("shared", "a"), ("shared", "a")]
        groups += ["g0", "g9"]
        for seed in range(5):
            for part in split_corpus(corpus_of(pairs, groups=groups), seed):
                assert ("0" in part.texts) == ("38" in part.texts)

    def test_shares_and_labels_are_close_to_80_10_10(self):
        random = np.random.default_rng(0)
        sizes = random.integers(1, 20, 300)
        rows = [
            (f"{group}-{n}", "abbb"[random.integers(4)], f"{group}")
            for group, size in enumerate(sizes)
            for n in range(size)
        ]
        corpus = corpus_of([row[:2] for row in rows], groups=[row[2] for row in rows])
        parts = split_corpus(corpus, 0)
        shares = [len(part) / len(corpus) for part in parts]
        assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
        for part in parts:
            assert Counter(part.labels)["a"] / len(part) == pytest.approx(0.25, abs=0.03)
        other = split_corpus(corpus, 1)[2]
        assert set(other.groups.tolist()) != set(parts[2].groups.tolist())

    def test_a_large_group_is_trained_on(self):
        pairs = [(f"{n}", "ab"[n % 2]) for n in range(100)]
        groups = ["large" if n < 40 else f"{n // 4}" for n in range(100)]
        for seed in range(10):
            train, dev, test = split_corpus(corpus_of(pairs, groups=groups), seed)
            assert "0" in train.texts
            assert min(len(dev), len(test)) >= 4

    def test_a_group_that_may_not_be_drawn_is_trained_on(self):
        pairs = [(f"{n}", "ab"[n % 2]) for n in range(120)]
        corpus = corpus_of(pairs, groups=[f"{n // 4}" for n in range(120)])
        drawable = np.arange(120) >= 42  # one text of a group is enough to keep it
        for seed in range(5):
            train, dev, test = split_corpus(corpus, seed, test_rows=drawable)
            assert {f"{n}" for n in range(44)} <= set(train.texts)
            assert min(len(dev), len(test)) >= 4

    @pytest.mark.parametrize("count", [1, 2])
    def test_too_few_groups_are_counted(self, count):
        pairs = [(f"{n}", "ab"[n // 2 % 2]) for n in range(40)]
        corpus = corpus_of(pairs, groups=[f"{n % count}" for n in range(40)])
        with pytest.raises(DataError, match=rf"found {count} group\(s\), expected at least 3"):
            split_inputs(InputTexts(corpus), 0)

    def test_groups_joined_by_a_text_are_counted(self):
        pairs = [*((f"{n}", "ab"[n // 4 % 2]) for n in range(40)), *[("same", "a")] * 4]
        corpus = corpus_of(pairs, groups=[f"{n % 4}" for n in range(44)])
        with pytest.raises(DataError, match=r"4 group\(s\), joined to 1 by texts that they share"):
            split_inputs(InputTexts(corpus), 0)

    def test_groups_of_one_label_each_cannot_be_split(self):
        pairs = [(f"{n}", "abc"[n % 3]) for n in range(30)]
        corpus = corpus_of(pairs, groups=[f"{n % 3}" for n in range(30)])
        with pytest.raises(DataError, match=r"3 groups cannot be split .* more groups of each"):
            split_inputs(InputTexts(corpus), 0)

    def test_a_label_of_one_group_is_trained_on_with_a_warning(self, logged):
        pairs = [(f"{n}", "rare" if n < 4 else "ab"[n % 2]) for n in range(60)]
        corpus = corpus_of(pairs, groups=[f"{n // 4}" for n in range(60)])
        split = split_inputs(InputTexts(corpus), 0)
        assert set(split.train.labels) == {"a", "b", "rare"}
        assert "warning: no test text has the label rare" in logged

    def test_groups_are_counted_and_shared_ones_named(self, logged):
        pairs = [(f"{n}", "ab"[n % 2]) for n in range(40)]
        corpus = corpus_of(pairs, groups=[f"{n // 2}" for n in range(40)])
        test = corpus_of([("new", "a"), ("new too", "b")], groups=["3", "new"])
        split_inputs(InputTexts(corpus, test=test), 0)
        assert "split by groups: 18 train, 2 dev, 2 test" in logged
        assert "warning: 1 test texts are of groups that training text holds too" in logged


class TestTimes:
    """Training text is older than dev text, which is older than test text."""

    @given(st.permutations(range(50)), st.booleans())
    def test_parts_follow_each_other_in_time(self, order, dated):
        start = datetime(2020, 1, 1)
        times = [start + timedelta(days=n) if dated else float(n) for n in order]
        corpus = corpus_of([(f"{n}", "ab"[n % 2]) for n in order], times=times)
        logged = []
        with log_to(logged.append):
            split = split_inputs(InputTexts(corpus), 0)
        assert [len(part) for _, part in split] == [40, 5, 5]
        assert split.train.times.max() < split.dev.times.min()
        assert split.dev.times.max() < split.test.times.min()
        assert list(split.train.texts) == [f"{n}" for n in order if n < 40]
        assert logged == [
            "split by time: train 2020-01-01 to 2020-02-09, dev 2020-02-10 to 2020-02-14, "
            "test 2020-02-15 to 2020-02-19"
            if dated
            else "split by time: train 0 to 39, dev 40 to 44, test 45 to 49"
        ]

    def test_texts_of_the_same_time_are_cut_in_the_order_of_the_source(self):
        corpus = corpus_of([(f"{n}", "ab"[n % 2]) for n in range(20)], times=[2024.0] * 20)
        split = split_inputs(InputTexts(corpus), 0)
        assert list(split.test.texts) == ["18", "19"]
        assert list(split.dev.texts) == ["16", "17"]

    def test_later_copies_leave_dev_and_are_scored_apart_in_test(self, logged):
        texts = [f"{n}" for n in range(30)]
        texts[25] = texts[28] = "0"  # copies of the oldest text in dev and test
        corpus = corpus_of([(text, "ab"[n % 2]) for n, text in enumerate(texts)], times=range(30))
        split = split_inputs(InputTexts(corpus), 0)
        assert list(split.dev.texts) == ["24", "26"]
        assert list(split.test.texts) == ["27", "29"]
        assert list(split.seen_test.texts) == ["0"]
        assert "scored apart: 1 test texts that are also in training, the first at c, line 30" in (
            logged
        )
        assert "dropped: 1 dev texts that are also in training, the first at c, line 27" in logged

    def test_given_test_text_stays_and_dev_is_the_newest_tenth(self):
        corpus = corpus_of([(f"{n}", "ab"[n % 2]) for n in range(20)], times=range(20))
        test = corpus_of([("x", "a"), ("0", "b"), ("y", "b")])
        inputs = InputTexts(corpus, test=test.select([0, 2]), seen_test=test.select([1]))
        split = split_inputs(inputs, 0)
        assert list(split.dev.texts) == ["18", "19"]
        assert list(split.test.texts) == ["x", "y"]
        assert list(split.seen_test.texts) == ["0"]

    def test_a_label_that_only_new_texts_have_is_an_error(self):
        pairs = [(f"{n}", "new" if n > 16 else "ab"[n % 2]) for n in range(20)]
        corpus = corpus_of(pairs, times=range(20))
        with pytest.raises(
            DataError, match=r"'new' \(first at c, line 19\) does not occur in the o"
        ):
            split_inputs(InputTexts(corpus), 0)

    def test_a_label_that_new_texts_lack_is_a_warning(self, logged):
        pairs = [(f"{n}", "old" if n < 3 else "ab"[n % 2]) for n in range(20)]
        split_inputs(InputTexts(corpus_of(pairs, times=range(20))), 0)
        assert "warning: no test text has the label old" in logged
