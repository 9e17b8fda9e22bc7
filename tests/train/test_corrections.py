"""Corrected labels: a list of label errors whose column `correct` is filled in."""

import json

import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.runtime.errors import DataError
from glovelite.train.data.inputs import read_sequences
from glovelite.train.data.sources import read_inputs
from tests.helpers import SLICE, read_csv, read_json, write_csv
from tests.labelled_files import as_csv, as_jsonl, write
from tests.train.command import train

ROWS = [(f"text {n}", "ab"[n % 2]) for n in range(6)]
HEADER = ("rank", "source", "line", "row", "text", "label", "suggested", "correct")


def corrections(folder, *rows, name="label_errors.csv"):
    """Write a list of label errors, from source, line, text, label and what is correct."""
    listed = [
        (rank, source, line, "", text, label, "", correct)
        for rank, (source, line, text, label, correct) in enumerate(rows, start=1)
    ]
    return write_csv(folder / name, listed, HEADER)


def labels(path, listed, **options):
    """Return the labels of a source after corrections."""
    source = TextSource(str(path), **options)
    return read_inputs([source], corrections=listed).train.labels


class TestRows:
    """The rows of any source are corrected."""

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [("d.csv", as_csv(ROWS), 3), ("d.jsonl", as_jsonl(ROWS), 2)],
    )
    def test_a_row_gets_the_correct_label(self, tmp_path, name, content, line):
        path = write(tmp_path, content, name)
        empty = (name, line + 1, "text 2", "a", "")
        listed = corrections(tmp_path, (name, line, "text 1", "b", "a"), empty)
        assert labels(path, listed) == ["a", "a", "a", "b", "a", "b"]

    def test_a_list_of_an_evaluation_has_paths(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS))
        for source in (path, "elsewhere/data.csv"):
            listed = corrections(tmp_path, (source, 3, "text 1", "b", "a"))
            assert labels(path, listed)[1] == "a"

    def test_a_text_of_a_folder_is_named_by_its_file(self, tmp_path):
        for text, label in ROWS:
            (tmp_path / "all" / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / "all" / label / f"{text[-1]}.txt").write_text(text)
        listed = corrections(tmp_path, ("all/a/2.txt", "", "text 2", "a", "b"))
        assert labels(tmp_path / "all", listed) == ["a", "b", "a", "b", "b", "b"]

    def test_several_labels_are_separated_or_a_list(self, tmp_path):
        rows = [(f"text {n}", "a|b" if n % 2 else "") for n in range(4)]
        path = write(tmp_path, as_csv(rows, ("text", "labels")))
        listed = corrections(
            tmp_path,
            ("data.csv", 2, "text 0", "", "b|a"),
            ("data.csv", 3, "text 1", "a|b", "[]"),
            ("data.csv", 5, "text 3", "a|b", '["a"]'),
        )
        assert labels(path, listed) == [("a", "b"), (), (), ("a",)]

    def test_texts_in_memory_are_corrected_by_their_index(self, tmp_path):
        listed = corrections(tmp_path, ("texts", 1, "text 1", "b", "a"))
        inputs = read_sequences(*zip(*ROWS), corrections=listed)
        assert inputs.train.labels == ["a", "a", "a", "b", "a", "b"]
        assert (inputs.corrections.file, inputs.corrections.texts) == (listed.name, 1)

    def test_held_out_text_is_corrected_too(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS))
        test = write(tmp_path, as_csv([("new 1", "a"), ("new 2", "b")]), "test.csv")
        listed = corrections(tmp_path, ("test.csv", 2, "new 1", "a", "b"))
        inputs = read_inputs([TextSource(str(path))], test=test, corrections=listed)
        assert inputs.test.labels == ["b", "b"]

    def test_a_spreadsheet_may_change_separator_line_breaks_and_numbers(self, tmp_path):
        path = write(tmp_path, as_csv([("one\ntwo", "a"), *ROWS]))
        content = "source;line;text;correct\ndata.csv;2.0;one  two;b\n"
        assert labels(path, write(tmp_path, content, "list.csv"))[0] == "b"

    def test_a_row_that_is_right_already_stays(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS))
        listed = corrections(tmp_path, ("data.csv", 3, "text 1", "a", "b"))
        assert labels(path, listed) == [label for _, label in ROWS]

    def test_a_label_of_no_other_text_is_a_warning(self, tmp_path, logged):
        path = write(tmp_path, as_csv(ROWS))
        labels(path, corrections(tmp_path, ("data.csv", 3, "text 1", "b", "B")))
        assert any("no other text has the label B" in line for line in logged)


class TestRefusals:
    """Rows that do not match are named."""

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (
                ("data.csv", 3, "text 2", "b", "a"),
                "line 2: expected the text 'text 2' at",
            ),
            (
                ("data.csv", 3, "text 1", "c", "a"),
                "expected the label 'c' at .*, found 'b'",
            ),
            (("data.csv", 99, "text 1", "b", "a"), r"1 of 1 corrections .* \(.*csv, line 2\)"),
            (
                ("other.csv", 3, "text 1", "b", "a"),
                "1 of 1 corrections are of texts that no",
            ),
            (("data.csv", "x", "text 1", "b", "a"), "line 2: expected the number of a line"),
            (("data.csv", 3, "text 1", "b", ""), "no row has a label in the column 'correct'"),
        ],
    )
    def test_a_row_that_does_not_match(self, tmp_path, row, message):
        path = write(tmp_path, as_csv(ROWS))
        with pytest.raises(DataError, match=message):
            labels(path, corrections(tmp_path, row))

    def test_two_corrections_of_one_text(self, tmp_path):
        row = ("data.csv", 3, "text 1", "b", "a")
        with pytest.raises(DataError, match=r"line 3: .* corrected twice, before at .* line 2"):
            labels(write(tmp_path, as_csv(ROWS)), corrections(tmp_path, row, row))

    def test_a_table_without_the_columns(self, tmp_path):
        path = write(tmp_path, as_csv(ROWS))
        listed = write(tmp_path, "text,correct\ntext 1,a\n", "list.csv")
        with pytest.raises(DataError, match=r"list\.csv: expected the columns source, line, text"):
            labels(path, listed)
        with pytest.raises(DataError, match="there is no column 'correct'"):
            labels(path, path)


@pytest.mark.slow
def test_a_list_of_label_errors_is_filled_in_and_trained_with(tmp_path):
    rows = [
        (n, f"{word} {n}", label) for n in range(30) for word, label in (("cat", "a"), ("oak", "b"))
    ]
    rows[3] = (1, "oak 1", "a")
    source = write_csv(tmp_path / "noisy.csv", rows, ("id", "text", "label"))
    options = ("--glove", SLICE, "--preset", "article", "--epochs", 6, "--folds", 2)
    train(source, *options, "--find-label-errors", "--out", tmp_path / "check")
    listed = read_csv(tmp_path / "check/label_errors.csv")
    (found,) = [error for error in listed if error["text"] == "oak 1"]
    assert (found["row"], found["id"], found["correct"]) == ("4", "1", "")
    for error in listed:
        error["correct"] = error["suggested"] if error is found else ""
    filled = write_csv(tmp_path / "filled.csv", [error.values() for error in listed], listed[0])
    done = train(source, *options, "--corrections", filled, "--out", tmp_path / "run")
    assert "filled.csv: labels of 1 texts corrected" in done.stdout
    metrics = read_json(tmp_path / "run/metrics.json")
    assert metrics["corrections"] == {"file": "filled.csv", "texts": 1}
    texts = (tmp_path / "run/out_of_fold.jsonl").read_text("utf-8").splitlines()
    corrected = next(record for record in map(json.loads, texts) if record["text"] == "oak 1")
    assert corrected["label"] == "b"
