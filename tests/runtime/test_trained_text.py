"""What a bundle records about the text of its training, and what is read by that."""

import io
import json
import shutil

import pytest

from glovelite import Classifier
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.cli.input_lines import read_objects, read_texts
from glovelite.runtime.errors import BundleDamagedError, InputError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.records import open_records, read_text
from glovelite.runtime.http.application import (
    Application,
    RequestError,
    parse_explained,
    parse_texts,
)
from glovelite.runtime.scoring.score import ScoringOptions, score_file
from glovelite.runtime.trained_text import UNRECORDED, TrainedText, parse_trained_text
from tests.helpers import LEGACY_BUNDLE, read_csv, read_json, write_csv, write_json_lines

MAILS = TrainedText(("Subject", "body"), strip_html=True)
HEADER = ("id", "body", "subject", "note")
ROW = ("1", "<p>with a tall trunk</p>", "a tree", "text")
TEXT = "a tree\nwith a tall trunk"


@pytest.fixture
def mails_bundle(bundle, tmp_path):
    """A bundle that was trained on two columns without HTML."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    manifest = read_json(folder / "manifest.json")
    manifest["text"] = MAILS.as_json()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def find_columns(path, trained, **requested):
    """Return the text of the only record, and what is said about the columns."""
    names = ColumnNames(trained=trained, **requested)
    file = open_records(str(path), names, labelled=False)
    lines = [line.replace(f"{path}: ", "") for line in file.describe_columns()]
    return read_text(next(iter(file)), file.columns), lines


class TestColumns:
    """The text columns of the training are read where they are there."""

    def test_they_are_joined_in_the_order_of_the_training(self, tmp_path):
        path = write_csv(tmp_path / "new.csv", [("1", "b", "s", "n")], HEADER)
        assert find_columns(path, MAILS.columns) == ("s\nb", ["text: 'subject' + 'body'"])
        path = write_json_lines(tmp_path / "new.jsonl", [dict(zip(HEADER, "1bsn"))])
        assert find_columns(path, MAILS.columns)[0] == "s\nb"

    def test_names_beyond_the_known_ones_are_found(self, tmp_path):
        path = write_csv(tmp_path / "new.csv", [("1", "t", "s")], ("id", "Werk", "title"))
        assert find_columns(path, ("werk",)) == ("t", ["text: 'Werk'"])

    def test_those_that_are_missing_are_a_warning(self, tmp_path):
        path = write_csv(tmp_path / "new.csv", [("1", "b")], ("id", "body"))
        text, (_, note) = find_columns(path, MAILS.columns)
        assert text == "b"
        assert note == (
            "warning: the model was trained on 'Subject' + 'body', and there is no 'Subject': "
            "it reads 'body'; --text-column names other columns"
        )

    def test_another_column_is_found_as_ever_and_named(self, tmp_path):
        path = write_csv(tmp_path / "new.csv", [("1", "t")], ("id", "text"))
        text, (columns, note) = find_columns(path, ("review",))
        assert (text, columns) == ("t", "text: 'text'")
        assert note.startswith("the model was trained on 'review', and there is no 'review'")

    def test_columns_that_are_asked_for_are_read_without_a_word(self, tmp_path):
        path = write_csv(tmp_path / "new.csv", [("1", "b", "s", "n")], HEADER)
        found = find_columns(path, MAILS.columns, text=("note",))
        assert found == ("n", ["text: 'note'"])


def test_a_file_is_classified_as_it_was_trained(mails_bundle, tmp_path, logged):
    source = write_csv(tmp_path / "new.csv", [ROW], HEADER)
    with Classifier.load(mails_bundle) as classifier:
        score_file(classifier, ScoringOptions(source, tmp_path / "out.csv"), lambda _: None)
        (expected,) = classifier.predict(TEXT)
    (row,) = read_csv(tmp_path / "out.csv")
    assert float(row["probability"]) == pytest.approx(expected.probability, abs=1e-6)
    assert row["body"] == ROW[1]  # as it was
    assert logged[:2] == [
        f"{source}: text: 'subject' + 'body'",
        f"{source}: HTML is removed from the texts, as in training",
    ]


class TestStandardInput:
    """Objects with all columns of the training, or with a text."""

    @staticmethod
    def read(*records):
        stream = io.StringIO("".join(json.dumps(record) + "\n" for record in records))
        return [item.text for item in read_objects(stream, MAILS, [], False, print)]

    def test_objects_are_read_by_the_columns_or_by_text(self):
        assert self.read(
            {"Subject": "a tree", "body": "<p>tall", "text": "other"}, {"text": "<b>tree</b>"}
        ) == ["a tree\ntall", "tree"]

    def test_an_object_without_either_is_refused(self):
        message = 'line 1 of stdin is not an object with strings "Subject" and "body", or with'
        with pytest.raises(InputError, match=message):
            self.read({"body": "tall"})
        with pytest.raises(InputError, match=message):
            self.read({"Subject": "a tree", "body": 3})

    def test_html_is_removed_from_lines(self):
        stream = io.StringIO("a <b>tree</b>\n")
        (item,) = read_texts(stream, MAILS, print)
        assert (item.text, item.fields) == ("a tree", {"text": "a <b>tree</b>"})


class TestRequests:
    """Records over HTTP."""

    @staticmethod
    def parse(content, trained=MAILS):
        return parse_texts(json.dumps(content).encode(), trained)

    def test_records_are_read_as_in_training(self):
        records = [{"Subject": "a tree", "body": "<p>with a tall trunk</p>", "id": 3.0}]
        assert self.parse({"records": records}) == ([TEXT], None)
        assert self.parse({"texts": ["<b>a</b>", "b"], "top": 2}) == (["a", "b"], 2)
        assert parse_explained(b'{"text": "<b>a</b>"}', MAILS) == ("a", None)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                {"records": [{"body": "b"}]},
                'object with the strings "Subject", "body", found',
            ),
            ({"records": ["b"]}, "record 0 to be an object with .*, found a string"),
            ({"records": [{"Subject": [], "body": ""}]}, "found an object with"),
            ({"records": {}}, 'expected "records" to be a list'),
            ({"a": []}, r'or {"records": \[{"Subject": …, "body": …}\]}, found an object with "a"'),
            ({"texts": [], "records": []}, "found an object with"),
        ],
    )
    def test_other_content_is_refused(self, content, message):
        with pytest.raises(RequestError, match=message) as refusal:
            self.parse(content)
        assert refusal.value.status == 400

    def test_a_bundle_without_the_names_takes_no_records(self):
        with pytest.raises(RequestError, match=r'expected {"text": …} or {"texts": \[…\]}, found'):
            self.parse({"records": [{"text": "a"}]}, UNRECORDED)

    def test_help_and_health_say_what_is_read(self, mails_bundle):
        with Classifier.load(mails_bundle) as classifier:
            application = Application(classifier, "http://x")
            _, _, shown = application.answer("GET", "/", {}, b"")
            _, _, health = application.answer("GET", "/health", {}, b"")
        assert '{"records": [{"Subject": …, "body": …}]}' in shown.decode()
        assert "HTML is removed from the texts" in shown.decode()
        assert json.loads(health)["text"] == MAILS.as_json()


class TestManifest:
    """The entry in `manifest.json`."""

    def test_it_is_read_as_it_was_written(self):
        assert parse_trained_text(json.loads(json.dumps(MAILS.as_json()))) == MAILS

    def test_older_bundles_have_none(self):
        assert read_bundle(LEGACY_BUNDLE).text == parse_trained_text(None) == UNRECORDED

    def test_a_bundle_has_that_of_its_run(self, bundle):
        assert read_bundle(bundle).text == TrainedText(("text",))

    @pytest.mark.parametrize(
        "change",
        [
            {"columns": "text"},
            {"columns": [3]},
            {"columns": ["a", "a"]},
            {"columns": [""]},
            {"columns": [str(n) for n in range(101)]},
            {"joined_by": " "},
            {"strip_html": 1},
        ],
    )
    def test_a_damaged_one_is_refused(self, mails_bundle, change):
        manifest = read_json(mails_bundle / "manifest.json")
        manifest["text"].update(change)
        (mails_bundle / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        with pytest.raises(BundleDamagedError, match=r"manifest\.json: 'text\."):
            read_bundle(mails_bundle)
