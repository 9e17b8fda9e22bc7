"""Pieces of words, learned from training text."""

import random
from collections import Counter

import pytest

from glovelite.runtime.errors import VectorsError
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.runtime.text.vocabulary import parse_vocabulary
from glovelite.train.vectors.pieces import MIN_COUNT, learn_pieces
from tests.helpers import GLOSSES, call_main, read_csv

TEXTS = [row["text"] for row in read_csv(GLOSSES)]
CHINESE = ("今天", "天气", "很好", "我们", "喜欢", "电影", "不错", "音乐")


def test_every_piece_occurs_in_the_text():
    tokenizer = learn_pieces(TEXTS, WORDS, 1000)
    counts = Counter(token for text in TEXTS for token in tokenizer.tokenize(text))
    assert min(counts[piece] for piece in tokenizer.pieces) >= MIN_COUNT
    assert 800 < len(tokenizer.pieces) <= 1000
    assert {"▁the", "ing"} <= tokenizer.pieces


def test_words_of_scripts_without_spaces_are_pieces():
    draw = random.Random(0)
    texts = ["".join(draw.choices(CHINESE, k=6)) for _ in range(200)]
    assert {*CHINESE} <= learn_pieces(texts, WORDS, 60).pieces


def test_the_same_text_gives_the_same_pieces():
    assert learn_pieces(TEXTS, WORDS, 500) == learn_pieces(TEXTS, WORDS, 500)


def test_text_without_words_is_refused():
    with pytest.raises(VectorsError, match="--pieces 0"):
        learn_pieces([" "], WORDS, 100)


def test_a_run_has_the_pieces_that_its_vocabulary_lists(trained):
    vocabulary = parse_vocabulary((trained("characters") / "vocab.json").read_text("utf-8"))
    assert vocabulary.is_of_pieces
    assert "▁the" in vocabulary.tokens


@pytest.mark.slow
def test_words_stay_whole_without_pieces(tmp_path):
    options = ["--vectors", "none", "--pieces", 0, "--no-ngrams", "--preset", "tiny", "--epochs", 1]
    call_main("train", [GLOSSES, *options, "--out", tmp_path / "run"])
    vocabulary = parse_vocabulary((tmp_path / "run" / "vocab.json").read_text("utf-8"))
    assert vocabulary.tokenizer == WORDS
    assert not (tmp_path / "run" / "ngrams.bin").exists()
