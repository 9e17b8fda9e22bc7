"""Which columns are read: their names, the guess of a header, and what is said about both."""

import json

import pytest

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.records import open_records
from tests.labelled_files import as_csv, write

REVIEWS = [(f"a fine film with {n} songs", f"songs {n}", "14"[n % 2]) for n in range(6)]


def open_table(tmp_path, rows, names, labelled=True, **requested):
    path = write(tmp_path, as_csv(rows, names))
    return open_records(str(path), ColumnNames(**requested), labelled=labelled)


def describe(tmp_path, rows, names, labelled=True, **requested):
    """Return what is said about the columns, without the name of the file."""
    file = open_table(tmp_path, rows, names, labelled, **requested)
    return [line.replace(f"{file.name}: ", "") for line in file.describe_columns()]


class TestNames:
    """Names match without case, spaces, `_` and `-`, and by their last word."""

    @pytest.mark.parametrize(
        "name", ["Text", "Review Text", "review_text", "reviewText", "review-text", "reviews.text"]
    )
    def test_the_last_word_names_a_column_before_a_weaker_name(self, tmp_path, name):
        first, *_ = describe(tmp_path, REVIEWS, (name, "Title", "Rating"))
        assert first == f"text: {name!r}, label: 'Rating'"
        line = dict(zip((name, "Title", "Rating"), REVIEWS[0]))
        path = write(tmp_path, json.dumps(line), "d.jsonl")
        columns = open_records(str(path), ColumnNames()).columns
        assert (columns.text, columns.label) == ((name,), "Rating")

    @pytest.mark.parametrize("asked", ["Review Text", "review text", "reviewtext", "REVIEW-TEXT"])
    def test_a_name_that_is_asked_for_matches_in_any_spelling(self, tmp_path, asked):
        file = open_table(tmp_path, REVIEWS, ("review_text", "title", "rating"), text=(asked,))
        assert file.columns.text == (0,)

    def test_the_spelling_that_is_asked_for_comes_first(self, tmp_path):
        header = ("text_", "TEXT", "label")
        assert open_table(tmp_path, REVIEWS, header, text=("TEXT",)).columns.text == (1,)
        assert open_table(tmp_path, REVIEWS, header, text=("Text_",)).columns.text == (0,)

    @pytest.mark.parametrize(
        ("header", "text", "label"),
        [
            (("text", "label", "label_text"), 0, 1),
            (("label_text", "sentence", "label"), 1, 2),
            (("tweet_id", "airline_sentiment", "text"), 2, 1),
            (("pos_y", "comment_text", "kind"), 1, None),
            (("my opinion on this text", "body", "class"), 1, 2),
        ],
    )
    def test_of_several_columns_the_meant_one_is_found(self, tmp_path, header, text, label):
        rows = [(f"a b c d e f {n}", f"g h i j k l m {n}", f"n o p q {n}") for n in range(5)]
        columns = open_table(tmp_path, rows, header, labelled=label is not None).columns
        assert (columns.text, columns.label) == ((text,), label)

    @pytest.mark.parametrize(
        ("header", "warnings"),
        [
            (("text", "id", "label"), []),
            (("text", "label", "label_text"), []),
            (("review", "title", "rating"), ["'title' may be the text too: --text-column"]),
            (("review", "stars", "rating"), ["'stars' may be the label too: --label-column"]),
            (("coarse_label", "fine_label", "text"), ["'fine_label' may be the label too"]),
        ],
    )
    def test_other_candidates_are_a_warning(self, tmp_path, header, warnings):
        lines = describe(tmp_path, REVIEWS, header)[1:]
        assert len(lines) == len(warnings)
        assert all(f"warning: {text}" in line for text, line in zip(warnings, lines))

    def test_columns_that_are_asked_for_have_no_other_candidates(self, tmp_path):
        header = ("review", "title", "rating")
        lines = describe(tmp_path, REVIEWS, header, text=("title", "review"), label="rating")
        assert lines == ["text: 'title' + 'review', label: 'rating'"]

    @pytest.mark.parametrize(
        ("header", "requested"),
        [
            (("text", "text", "label"), {}),
            (("text", "label", "label"), {}),
            (("text", "label", "text"), {"text": ("Text",)}),
            (("words", "kind", "words"), {"text": ("words",), "label": "kind"}),
        ],
    )
    def test_the_same_name_twice_is_an_error(self, tmp_path, header, requested):
        with pytest.raises(
            DataError, match=r"two columns of one name, .* \(\d and \d\): .*by its number"
        ):
            open_table(tmp_path, REVIEWS, header, **requested)

    def test_numbers_choose_between_columns_of_one_name(self, tmp_path):
        header = ("text", "text", "label")
        assert open_table(tmp_path, REVIEWS, header, text=("2",)).columns.text == (1,)

    def test_the_same_key_twice_is_a_bad_row(self, tmp_path):
        path = write(tmp_path, '{"text": "a", "label": "b", "text": "c"}', "d.jsonl")
        (bad,) = open_records(str(path), ColumnNames())
        assert bad.reason == "the key 'text' occurs twice"

    @pytest.mark.parametrize(
        ("requested", "expected"),
        [
            ({"text": ("1",), "label": "3", "group": "2"}, "text: 'a', label: 'c', group: 'b'"),
            ({"text": ("a",), "time": "b", "label": "c"}, "text: 'a', label: 'c', time: 'b'"),
            ({"text": ("a",), "label_columns": ("2-3",)}, "text: 'a', labels: 'b', 'c'"),
        ],
    )
    def test_every_kind_of_column_is_named(self, tmp_path, requested, expected):
        rows = [("some text", "1", "0")] * 3
        assert describe(tmp_path, rows, ("a", "b", "c"), header=True, **requested) == [expected]


TICKETS = [
    ("web", "the printer is on fire"),
    ("mail", "my phone does not ring"),
    ("web", "please reset it"),
    ("mail", "the invoice is wrong again"),
]


class TestHeader:
    """A first row that looks like the other rows is data; what is guessed is said."""

    @pytest.mark.parametrize(
        "first",
        [
            ("shop", "the screen is black"),  # a class of one text
            ("shop", "no sound at all"),
            ("chat", "I wrote a comment"),
        ],
    )
    @pytest.mark.parametrize("labelled", [False, True])
    def test_a_first_row_like_the_others_is_data(self, tmp_path, first, labelled):
        file = open_table(tmp_path, [first, *TICKETS], None, labelled, text=("2",))
        assert file.header is None
        assert len(list(file)) == 5
        _, note = file.describe_columns()
        assert note.endswith(
            "no header found, so the first row is data; --header reads it as names"
        )

    @pytest.mark.parametrize(
        "rows",
        [
            [("4", "a fine film"), ("1", "dull"), ("1", "far too long"), ("3", "so so")],
            [("lamp", "noun"), ("title", "noun"), ("go", "verb"), ("sit", "verb")],
            [("title", "noun"), ("lamp", "noun"), ("go", "verb"), ("sit", "verb")],
            [("a moving text", "good"), ("a dull one", "bad"), ("a nice one", "good")],
        ],
    )
    def test_numbers_repeated_labels_and_words_are_data(self, tmp_path, rows):
        text = "1" if rows[0][1].isalpha() else "2"
        file = open_table(tmp_path, rows, None, text=(text,))
        assert len(list(file)) == len(rows)

    @pytest.mark.parametrize(
        ("header", "rows"),
        [
            (("v1", "v2"), TICKETS),
            (("Channel", "What they wrote"), TICKETS),
            (("kanal", "anfrage"), TICKETS),
            (("points", "opinion"), [("4", "fine"), ("1", "dull"), ("2", "long")]),
        ],
    )
    def test_an_unlike_first_row_is_a_header_and_named(self, tmp_path, header, rows):
        file = open_table(tmp_path, rows, header, text=("2",))
        assert file.header == header
        assert len(list(file)) == len(rows)
        note = list(file.describe_columns())[-1]
        assert f"the first row is read as the header: '{header[0]}', '{header[1]}'; --no" in note

    @pytest.mark.parametrize("header", [("kind", "text"), ("category", "words"), ("a", "Review")])
    def test_a_known_name_is_a_header_without_a_word(self, tmp_path, header):
        assert len(describe(tmp_path, TICKETS, header)) == 1

    def test_the_option_decides(self, tmp_path):
        for header in (True, False):
            file = open_table(tmp_path, TICKETS, ("label", "text"), text=("2",), header=header)
            assert file.header == (("label", "text") if header else None)
            assert len(list(file)) == len(TICKETS) + (not header)
            assert len(list(file.describe_columns())) == 1
        file = open_table(tmp_path, TICKETS, ("web", "a printer"), text=("A printer",), header=True)
        assert file.header == ("web", "a printer")

    def test_without_a_header_columns_have_numbers(self, tmp_path):
        lines = describe(tmp_path, TICKETS, None, header=False)
        assert lines == ["text: column 2, label: column 1"]
        with pytest.raises(DataError, match="a column is named by its number from 1, found 'text'"):
            open_table(tmp_path, TICKETS, ("label", "text"), text=("text",), header=False)

    def test_other_formats_have_names_of_their_own(self, tmp_path):
        path = write(tmp_path, '{"text": "a", "label": "b"}', "d.jsonl")
        for header in (True, False):
            assert len(list(open_records(str(path), ColumnNames(header=header)))) == 1
