"""The split: three parts that share no text, each with every class."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from test_corpus import corpus_of

from train.data.sources import InputTexts
from train.data.split import sample, split_corpus, split_inputs


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
