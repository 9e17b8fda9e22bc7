"""Three parts that share no text, each with every class."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from train.corpus import Corpus
from train.split import sample_calibration, split_corpus


@st.composite
def corpora(draw):
    rows = [(f"{label}{n}", label) for label in "abc" for n in range(draw(st.integers(3, 30)))]
    rows += draw(st.lists(st.sampled_from(rows), max_size=20))  # copies
    rows = draw(st.permutations(rows))
    return Corpus("c", tuple(text for text, _ in rows), tuple(label for _, label in rows))


@given(corpora(), st.integers(0, 9))
def test_every_text_is_in_one_part_and_none_is_lost(corpus, seed):
    split = split_corpus(corpus, seed)
    parts = (split.train, split.dev, split.test)
    assert sum(len(part.texts) for part in parts) == len(corpus.texts)
    assert Counter(sum((part.texts for part in parts), ())) == Counter(corpus.texts)
    sets = [set(part.texts) for part in parts]
    assert not sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    for part in parts:
        assert part.classes == ("a", "b", "c")


@given(corpora(), st.integers(0, 9))
def test_the_seed_decides(corpus, seed):
    assert split_corpus(corpus, seed) == split_corpus(corpus, seed)


def test_a_thousand_texts_are_parted_eighty_ten_ten():
    corpus = Corpus("c", tuple(map(str, range(1000))), ("a", "b", "b", "b") * 250)
    split = split_corpus(corpus, 0)
    assert [len(part.texts) for part in (split.train, split.dev, split.test)] == [800, 100, 100]
    assert Counter(split.test.labels) == {"a": 25, "b": 75}
    assert split_corpus(corpus, 1) != split


def test_calibration_text_is_training_text():
    corpus = Corpus("c", tuple(map(str, range(1000))), ("a", "b") * 500)
    drawn = sample_calibration(corpus, 0, 50)
    assert len(set(drawn.texts)) == 50
    assert set(drawn.texts) < set(corpus.texts)
    assert len(sample_calibration(corpus, 0, 5000).texts) == 1000
