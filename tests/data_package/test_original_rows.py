"""The rows of some texts, read again for reports: their numbers and other columns."""

import json

from glovelite.data.labelled_text import TextSource, open_rows
from glovelite.data.original_rows import OriginalRow, add_originals, find_rows
from tests.labelled_files import write

MAILS = 'id;text;label;who\n1;"one\nmore";a;x\n2;two;b;y\n3;three;a;"z;z"\n'


def find(path, lines, **options):
    """Return what is found of the texts in these rows of a source."""
    source = TextSource(str(path), **options)
    rows = open_rows(source)
    texts = {row.line: row.text for row in rows if row.line in lines or not lines}
    return list(find_rows(source, rows.files, texts).values())


def test_a_row_of_a_table_has_its_number_and_other_columns(tmp_path):
    found = find(write(tmp_path, MAILS), [2, 5])
    assert found == [
        OriginalRow(1, {"id": "1", "who": "x"}),
        OriginalRow(3, {"id": "3", "who": "z;z"}),
    ]


def test_columns_without_a_header_are_numbered(tmp_path):
    path = write(tmp_path, "1,one,a\n2,two,b\n")
    (found,) = find(path, [2], text_column=("2",), label_column="3", header=False)
    assert found == OriginalRow(2, {"column_1": "2"})


def test_values_of_objects_are_json(tmp_path):
    record = {"text": "t", "label": "a", "id": 7, "tags": ["é"], "none": None, "who": "me"}
    (found,) = find(write(tmp_path, json.dumps(record), "d.jsonl"), [])
    assert found == OriginalRow(1, {"id": "7", "tags": '["é"]', "none": "", "who": "me"})


def test_rows_of_a_folder_are_found_in_their_files(tmp_path):
    (tmp_path / "mails").mkdir()
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "mails", MAILS.replace(";x", f";{name}"), name)
    source = TextSource(str(tmp_path / "mails"))
    rows = open_rows(source)
    texts = {row.line: row.text for row in rows if row.text.startswith("one")}
    found = find_rows(source, rows.files, texts)
    assert [original.others["who"] for original in found.values()] == ["a.csv", "b.csv"]


def test_html_that_was_removed_does_not_hide_a_row(tmp_path):
    path = write(tmp_path, "text,label,id\n<b>one</b>,a,1\n")
    assert find(path, [2], strip_html=True) == [OriginalRow(1, {"id": "1"})]


def test_rows_that_have_changed_or_are_gone_are_not_found(tmp_path, logged):
    path = write(tmp_path, MAILS)
    source = TextSource(str(path))
    assert find_rows(source, None, {4: "other", 99: "one"}) == {}
    path.unlink()
    assert find_rows(source, None, {4: "two"}) == {}
    assert "the columns of rows cannot be listed" in logged[-1]


def test_text_that_is_in_no_row_is_not_looked_for(tmp_path):
    for label in "ab":
        (tmp_path / "texts" / label).mkdir(parents=True)
        (tmp_path / "texts" / label / "1.txt").write_text("one")
    assert find(tmp_path / "texts", []) == []
    assert find_rows(None, None, {0: "in memory"}) == {}
    assert find_rows(TextSource("-"), None, {1: "one"}) == {}


def test_a_report_keeps_its_columns_and_gets_the_others():
    originals = [OriginalRow(7, {"id": "1", "label": "old"}), OriginalRow()]
    rows = [("f", 8, "a"), ("g", None, "b")]
    header, rows = add_originals(("source", "line", "label"), rows, originals)
    assert header == ["source", "line", "row", "label", "id", "original_label"]
    assert list(rows) == [["f", 8, 7, "a", "1", "old"], ["g", None, None, "b", None, None]]
