"""Several labels a text: formats, columns of 0 and 1, bad rows, and what is refused."""

import csv
import io
import json

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.train import DataError
from glovelite.train.data.build_corpus import check_corpus, describe_corpus
from glovelite.train.data.inputs import read_sequences
from tests.labelled_files import read, write

ROWS = [("one", ("a", "b")), ("two", ()), ("three", ("b",)), ("four", ("c", "a"))]
words = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=5)
label_sets = st.lists(st.lists(words, max_size=4, unique=True), min_size=1, max_size=8)


def as_table(rows, header=("text", "labels"), separator="|", delimiter=","):
    content = io.StringIO()
    writer = csv.writer(content, delimiter=delimiter)
    writer.writerows([header, *((text, separator.join(labels)) for text, labels in rows)])
    return content.getvalue().replace("\r\n", "\n")


def as_jsonl(rows, key="labels"):
    return "".join(json.dumps({"text": text, key: list(labels)}) + "\n" for text, labels in rows)


def as_fasttext(rows):
    return "".join(
        " ".join([*(f"__label__{label}" for label in labels), text]) + "\n" for text, labels in rows
    )


def write_parquet(rows, path):
    labels = polars.Series("labels", [list(labels) for _, labels in rows], polars.List(polars.Utf8))
    polars.DataFrame([polars.Series("text", [text for text, _ in rows]), labels]).write_parquet(
        path
    )
    return path


def as_flags(rows, values=("0", "1")):
    labels = sorted({label for _, labels in rows for label in labels})
    lines = [[text, *(values[label in given] for label in labels)] for text, given in rows]
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows([("text", *labels), *lines])
    return content.getvalue(), labels


def sets(corpus):
    assert corpus.multi_label
    return [(text, set(labels)) for text, labels in zip(corpus.texts, corpus.labels)]


def expected(rows):
    return [(text, set(labels)) for text, labels in rows]


class TestFormats:
    """Each format says by its content that a text may have several labels."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("d.csv", as_table(ROWS)),
            ("d.tsv", as_table(ROWS, delimiter="\t")),
            ("d.csv", as_table(ROWS, ("text", "Labels"))),
            ("d.jsonl", as_jsonl(ROWS)),
            ("d.jsonl", as_jsonl(ROWS, "label")),
            ("d.jsonl", as_jsonl(ROWS, "topic")),
            ("d.ft", as_fasttext(ROWS)),
        ],
    )
    def test_are_read_equally(self, tmp_path, name, content):
        corpus = read(write(tmp_path, content, name)).train
        assert sets(corpus) == expected(ROWS)
        assert corpus.classes == ("a", "b", "c")
        assert corpus.targets.dtype == np.bool_

    def test_of_parquet_are_lists(self, tmp_path):
        assert sets(read(write_parquet(ROWS, tmp_path / "d.parquet")).train) == expected(ROWS)

    @settings(deadline=None)
    @given(label_sets)
    def test_any_label_sets_are_read_back(self, tmp_path_factory, drawn):
        rows = [(f"text {n}", labels) for n, labels in enumerate(drawn)]
        folder = tmp_path_factory.mktemp("rows")
        for name, content in (
            ("d.csv", as_table(rows)),
            ("d.tsv", as_table(rows, delimiter="\t")),
            ("d.jsonl", as_jsonl(rows)),
        ):
            assert sets(read(write(folder, content, name)).train) == expected(rows)
        assert sets(read(write_parquet(rows, folder / "d.parquet")).train) == expected(rows)
        if any(len(labels) > 1 for labels in drawn):
            assert sets(read(write(folder, as_fasttext(rows), "d.ft")).train) == expected(rows)
        content, labels = as_flags(rows)
        if len({label.casefold() for label in [*labels, "text"]}) == len(labels) + 1 > 2:
            flags = read(write(folder, content), label_columns=tuple(labels), text_column="text")
            assert sets(flags.train) == expected(rows)
            assert list(flags.train.classes) == sorted(labels)

    def test_of_one_label_each_stay_sets(self, tmp_path):
        rows = [("one", ("a",)), ("two", ("b",))]
        logged = list(describe_corpus(read(write(tmp_path, as_table(rows))).train))
        (line,) = [line for line in logged if "multi-label" in line]
        assert "multi-label: 2 labels, 1.00 a text, 0 texts without any; every text has" in line
        assert "name their column with --label-column" in line
        named = read(write(tmp_path, as_table(rows)), label_column="labels").train
        assert (named.multi_label, named.labels) == (False, ["a", "b"])

    def test_are_described_in_one_line(self, tmp_path):
        corpus = read(write(tmp_path, as_table(ROWS))).train
        lines = [line for line in describe_corpus(corpus) if "multi-label" in line]
        assert lines == [
            f"{tmp_path / 'data.csv'}: multi-label: 3 labels, 1.25 a text, 1 texts without any"
        ]


class TestSeparators:
    """A column named labels is split at pipes, others at what --label-separator names."""

    def test_a_label_column_is_not_split(self, tmp_path):
        corpus = read(write(tmp_path, "text,label\nx,a|b\ny,c\n")).train
        assert (corpus.multi_label, corpus.labels) == (False, ["a|b", "c"])

    @pytest.mark.parametrize("options", [{}, {"label_column": "tags"}, {"label_column": "2"}])
    def test_a_separator_makes_any_column_multi_label(self, tmp_path, options):
        path = write(tmp_path, 'text,tags\nx,"a, b"\ny,c\nz,\n')
        corpus = read(path, label_separator=",", **options).train
        assert corpus.labels == [("a", "b"), ("c",), ()]

    def test_parts_are_stripped_and_empty_or_repeated_ones_ignored(self, tmp_path):
        path = write(tmp_path, 'text,labels\nx," a || b | a|"\ny,|\n')
        assert read(path).train.labels == [("a", "b"), ()]

    @pytest.mark.parametrize(
        ("cell", "labels"),
        [
            ('["a", "b"]', ("a", "b")),
            ("['a', \"b\"]", ("a", "b")),
            ("['a|b',]", ("a|b",)),
            ("[]", ()),
            ("[3, 12]", ("12", "3")),
            ("[urgent]|b", ("[urgent]", "b")),
        ],
    )
    def test_a_list_in_a_cell_is_read(self, tmp_path, cell, labels):
        content = io.StringIO()
        csv.writer(content).writerows([("text", "labels"), ("x", cell), ("y", "z")])
        assert set(read(write(tmp_path, content.getvalue())).train.labels[0]) == set(labels)

    @pytest.mark.parametrize(
        "cell", ["['a' 'b']", '["a", "b"', "['a', 'b'", '["a", {}]', '[[1], "a"]']
    )
    def test_a_broken_list_is_no_label(self, tmp_path, cell):
        content = io.StringIO()
        csv.writer(content).writerows([("text", "labels"), ("x", cell), ("y", "z")])
        path = write(tmp_path, content.getvalue())
        if cell.endswith("]"):
            with pytest.raises(DataError, match="1 row cannot be used: line 2: "):
                read(path)
        else:
            assert read(path).train.labels[0] == (cell,)

    def test_frequent_labels_that_look_joined_give_a_warning(self, tmp_path):
        rows = [f"text {n},{'abc'[n % 3]} {'de'[n % 2]}\n" for n in range(60)]
        for separator, warned in (("|", True), (" ", False)):
            content = "text,genre\n" + "".join(rows).replace(" d", f"{separator}d")
            content = content.replace(" e", f"{separator}e")
            lines = list(describe_corpus(read(write(tmp_path, content)).train))
            assert any("--label-separator" in line for line in lines) == warned

    def test_rare_labels_that_look_joined_suggest_a_separator(self, tmp_path):
        rows = [
            f"text {n},{'abc'[n % 3]};{'abcd'[n % 4]};{'ab'[n % 2]}{n % 5}\n" for n in range(60)
        ]
        path = write(tmp_path, "text,genres\n" + "".join(rows))
        corpus = read(path, format="csv").train
        with pytest.raises(DataError, match=r"hold several labels\? .* --label-separator \";\""):
            check_corpus(corpus)


class TestLabelColumns:
    """One column of 0 and 1 a label."""

    CONTENT = "id,text,toxic,Obscene,threat\n1,x,1,0,1\n2,y,0,1.0,false\n3,z,,0.0,TRUE\n"

    @pytest.mark.parametrize(
        "columns", ["toxic,obscene,threat", "3-5", "3,4-5", ("toxic", "Obscene", "threat")]
    )
    def test_are_named_or_numbered(self, tmp_path, columns, logged):
        path = write(tmp_path, self.CONTENT)
        corpus = read(path, label_columns=columns).train
        assert corpus.classes == ("Obscene", "threat", "toxic")
        assert corpus.labels == [("threat", "toxic"), ("Obscene",), ("threat",)]
        assert logged[1:] == [
            f"{path}, line 4: the column 'toxic' is empty: empty label columns count as 0"
        ]

    def test_of_json_lines(self, tmp_path):
        content = '{"text": "x", "p": 1, "q": true}\n{"text": "y", "p": 0.0, "q": null}\n'
        corpus = read(write(tmp_path, content, "d.jsonl"), label_columns="p,q").train
        assert corpus.labels == [("p", "q"), ()]

    def test_that_no_text_has_stay_labels(self, tmp_path):
        path = write(tmp_path, "text,p,q\nx,1,0\ny,0,0\n")
        assert read(path, label_columns="p,q").train.classes == ("p", "q")

    @pytest.mark.parametrize(
        ("content", "columns", "message"),
        [
            (CONTENT, "toxic", "names only the column 'toxic': name two or more"),
            (CONTENT, "toxic,toxic", "column 'toxic' is asked for twice"),
            (CONTENT, "text,toxic", "asked for twice|cannot find text"),
            (CONTENT, "toxic,insult", "there is no column 'insult' among"),
            (CONTENT, "3-9", "--label-columns 3-9: expected a range within 1-5"),
            ("x,1,0\ny,0,1\n", "2-3", "expected a header that names the labels"),
            ("text,p,\nx,1,0\n", "2-3", "the name of column 3: the label is empty"),
            ("text,p,q\nx,1,2\n", "p,q", "line 2: column 'q': expected 0 or 1, found '2'"),
            ("text,p,q\nx,yes,0\n", "p,q", "column 'p': expected 0 or 1, found 'yes'"),
        ],
    )
    def test_that_cannot_be_used_are_an_error(self, tmp_path, content, columns, message):
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, content), label_columns=columns)


class TestRefused:
    """Contradictory options and texts are an error in one line."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"label_columns": "a,b", "label_column": "c"}, "--label-column c is about one column"),
            ({"label_columns": "a,b", "label_separator": ";"}, "--label-separator ; is about one"),
            ({"label_separator": " "}, "--label-separator: expected at least one character"),
            ({"label_separator": ""}, "--label-separator: expected at least one character"),
        ],
    )
    def test_options(self, tmp_path, options, message):
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, as_table(ROWS)), **options)

    @pytest.mark.parametrize("options", [{"label_columns": "a,b"}, {"label_separator": ";"}])
    def test_text_without_columns(self, tmp_path, options):
        with pytest.raises(
            DataError, match=r"has no columns, so --label-.* needs a table or JSONL"
        ):
            read(write(tmp_path, as_fasttext(ROWS), "d.ft"), **options)

    def test_multi_label_dev_text_of_single_label_training(self, tmp_path):
        train = write(tmp_path, "text,label\nx,a\ny,b\n", "train.csv")
        dev = write(tmp_path, '{"text": "z", "label": ["a"]}\n', "dev.jsonl")
        with pytest.raises(DataError, match=r"dev\.jsonl is multi-label, .*train\.csv is single"):
            read(train, dev=str(dev))

    @pytest.mark.parametrize(
        "row",
        [
            '{"text": "x"}',
            '{"text": "x", "labels": {}}',
            '{"text": "x", "labels": [null]}',
            '{"text": "x", "labels": ["a\\u0000"]}',
            '{"text": "x", "labels": [["a"]]}',
        ],
    )
    def test_labels_that_are_none(self, tmp_path, row):
        path = write(tmp_path, as_jsonl(ROWS) + row + "\n", "d.jsonl")
        with pytest.raises(DataError, match="1 row cannot be used: line 5: "):
            read(path)
        assert sets(read(path, skip_bad_rows=True).train) == expected(ROWS)

    def test_a_line_without_a_label_in_a_single_label_fasttext_file(self, tmp_path, logged):
        path = write(tmp_path, "__label__a x\nno label\n__label__b y\n", "d.ft")
        with pytest.raises(
            DataError, match="1 row cannot be used: line 2: expected one label, fou"
        ):
            read(path)
        corpus = read(path, skip_bad_rows=True).train
        assert (corpus.labels, list(corpus.texts)) == (["a", "b"], ["x", "y"])
        assert len(logged) == 1


class TestHeldOut:
    """Dev and test text of multi-label training text is multi-label."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("d.ft", "__label__a x\nu v\n"),
            ("d.jsonl", '{"text": "x", "label": "a"}\n'),
            ("d.csv", "text,label\nx,a\n"),
        ],
    )
    def test_one_label_a_text_is_enough(self, tmp_path, name, content):
        train = write(tmp_path, as_jsonl(ROWS), "train.jsonl")
        test = read(train, test=str(write(tmp_path, content, name))).test
        assert (test.multi_label, test.classes) == (True, ("a", "b", "c"))
        assert test.labels[0] == ("a",)


class TestSequences:
    """Lists of labels, or a DataFrame of 0 and 1, from memory."""

    TEXTS = ("x", "y", "z")

    @pytest.mark.parametrize(
        "labels",
        [
            [["a", "b"], [], ["c"]],
            [("a", "b"), (), ("c",)],
            [{"a", "b"}, frozenset(), {"c"}],
            [np.array(["a", "b"]), np.array([]), np.array(["c"])],
            polars.Series([["a", "b"], [], ["c"]]),
            polars.DataFrame({"a": [1, 0, 0], "b": [True, False, False], "c": [0, 0, 1]}),
        ],
    )
    def test_are_label_sets(self, labels):
        corpus = read_sequences(self.TEXTS, labels).train
        assert corpus.labels == [("a", "b"), (), ("c",)]

    def test_dev_labels_may_be_single(self):
        dev = read_sequences(self.TEXTS, [["a"], ["b"], []], dev=(["u"], ["b"])).dev
        assert dev.labels == [("b",)]

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ([["a"], "b", []], "index 1: expected a list of labels as before, found 'b'"),
            (["a", ["b"], "c"], r"index 1: expected one label as before, found \['b'\]"),
            ([["a"], [None], []], "index 1: 'label' is missing"),
            ([["a"], [" "], []], "index 1: the label is empty"),
            ([["a"], []], "expected as many labels as texts, found 2 labels for 3 texts"),
            (np.eye(3), "a DataFrame whose columns name the labels, found an array of 3 by 3"),
            (polars.DataFrame({"a": [1, 0, 2], "b": [0, 0, 1]}), "index 2: column 'a': expected 0"),
            (polars.DataFrame({"a": [1, 0, 1]}), "two different columns of labels or more"),
        ],
    )
    def test_that_cannot_be_used_are_an_error(self, labels, message):
        with pytest.raises(DataError, match=message):
            read_sequences(self.TEXTS, labels)
