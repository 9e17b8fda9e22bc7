"""Records of a file with all their fields, also without a label column."""

import gzip

import pytest

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.records import BadRow, Record, open_records, read_text


def write(tmp_path, content, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def open_unlabelled(path, *text, **options):
    return open_records(path, ColumnNames(text), labelled=False, **options)


def texts(file):
    return [read_text(record, file.columns) for record in file]


class TestRecords:
    """All fields, the header and the line of every record."""

    def test_of_a_table(self, tmp_path):
        path = write(tmp_path, 'id,text,label\n7,"one\ntwo",a\n\n8,three\n9,four,b\n')
        file = open_records(path, ColumnNames())
        assert (file.format, file.header) == ("csv", ("id", "text", "label"))
        assert (file.columns.text, file.columns.label) == ((1,), 2)
        assert list(file) == [
            Record(["7", "one\ntwo", "a"], 2),
            BadRow(5, "expected 3 fields, found 2"),
            Record(["9", "four", "b"], 6),
        ]

    def test_of_json_lines(self, tmp_path):
        path = write(tmp_path, '{}\n{"text": "x", "n": [1]}\n\n3\n{"n": 2}\n', "data.jsonl")
        file = open_unlabelled(path)
        assert (file.format, file.header, file.columns.text) == ("jsonl", None, ("text",))
        assert list(file) == [
            BadRow(1, "an empty object"),
            Record({"text": "x", "n": [1]}, 2),
            BadRow(4, "not a JSON object"),
            Record({"n": 2}, 5),
        ]

    def test_have_a_bounded_number_of_levels(self, tmp_path):
        lines = [f'{{"text": "x", "n": {"[" * n}{"]" * n}}}\n' for n in (99, 100, 300)]
        good, *bad = open_unlabelled(write(tmp_path, "".join(lines), "data.jsonl"))
        assert isinstance(good, Record)
        reason = "not JSON (more than 100 levels of lists and objects)"
        assert bad == [BadRow(2, reason), BadRow(3, reason)]

    def test_of_fasttext_lines(self, tmp_path):
        file = open_unlabelled(write(tmp_path, "__label__a b c\n", "x"))
        assert list(file) == [Record(["a", "b c"], 1)]

    def test_are_read_as_they_are_iterated(self, tmp_path):
        content = "text,label\n" + "some text,a\n" * 1000 + '"never closed,a\n'
        file = open_records(write(tmp_path, gzip.compress(content.encode())), ColumnNames())
        assert next(file.records) == Record(["some text", "a"], 2)
        with pytest.raises(DataError, match="opened in line 1002 is never closed"):
            list(file)

    def test_of_a_file_without_json_are_an_error_soon(self, tmp_path):
        with pytest.raises(DataError, match="none of its first 200 lines is a JSON object"):
            open_unlabelled(write(tmp_path, "x\n" * 1000, "data.jsonl"))


class TestColumnsWithoutALabel:
    """The text column is found by the rules of training; a label is not needed."""

    @pytest.mark.parametrize(
        ("content", "text", "expected"),
        [
            ("id,Review\n1,x\n2,y\n", (), ["x", "y"]),
            ("text\nx\ny\n", (), ["x", "y"]),
            ("x\ny\ny\n", (), ["x", "y", "y"]),
            ("what they wrote\nx\n", ("what they wrote",), ["x"]),
            ("x,a\ny,a\nz,a\n", (), ["x", "y", "z"]),
            ("1,x\n2,y\n", ("2",), ["x", "y"]),
            ("label,id\nx,1\n", ("label",), ["x"]),
            ("a,b,kind\n1,x,p\n2,y,p\n3,z,p\n", ("b",), ["x", "y", "z"]),
        ],
    )
    def test_in_a_table(self, tmp_path, content, text, expected):
        assert texts(open_unlabelled(write(tmp_path, content), *text)) == expected

    def test_in_json_lines(self, tmp_path):
        path = write(tmp_path, '{"id": 1, "body": "x"}\n{"body": 2}\n', "d.jsonl")
        assert texts(open_unlabelled(path)) == ["x", BadRow(2, "'body' is not a string")]
        with pytest.raises(DataError, match="no column 'text'"):
            open_unlabelled(path, "text")

    @pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
    def test_text_that_is_not_found_is_an_error(self, tmp_path, name):
        content = {"d.csv": "a,b,c\n1,2,3\n", "d.jsonl": '{"a": 1, "b": 2}'}[name]
        with pytest.raises(DataError, match=r"cannot find text among the columns 'a', .*: name it"):
            open_unlabelled(write(tmp_path, content, name))

    def test_empty_file_has_no_records(self, tmp_path):
        for name in ("d.csv", "d.tsv", "d.jsonl", "d.ft"):
            assert list(open_unlabelled(write(tmp_path, "", name))) == []
