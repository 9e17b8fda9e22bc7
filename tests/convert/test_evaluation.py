"""The command evaluate: a bundle measured on labelled text."""

import csv
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glovelite import Classifier
from glovelite.convert import DataError, compare_bundles, evaluate_bundle, inspect_bundle
from glovelite.convert.evaluation import evaluate
from glovelite.convert.report import describe_evaluation
from glovelite.convert.run_folder import LabelledTexts
from glovelite.convert.verify.device import DevicePredictions
from glovelite.runtime.bundle import Bundle
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.helpers import GLOSSES, LEGACY_BUNDLE, convert, read_csv, read_json, read_json_lines


def evaluate_scores(labels, targets, scores, abstained, words=("word",)):
    """Evaluate scores of texts that repeat these words."""
    count = len(targets)
    texts = [words[row % len(words)] for row in range(count)]
    places = tuple(("data.csv", row + 2) for row in range(count))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "word"), tuple(labels), 10, 1)
    return evaluate(
        Bundle(Path("bundles/x"), {}, vocabulary, b""),
        LabelledTexts(tuple(texts), np.array(targets), places, name="data.csv"),
        DevicePredictions(np.array(scores, np.float32), np.array(abstained)),
    )


@pytest.fixture
def small_case():
    """Five texts: one of a read as b with 0.9, one of b read as a with 0.6, the others correct."""
    scores = [[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]
    abstained = [False, False, True, False, False]
    words = ("word word odd", "word odd rare")
    return evaluate_scores(["a", "b"], [0, 0, 1, 1, 0], scores, abstained, words)


def test_a_small_case_has_the_scores_computed_by_hand(small_case):
    assert small_case.scores.accuracy == 0.6
    assert small_case.scores.confusion == ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 1))
    assert [(pair.label, pair.predicted, pair.texts) for pair in small_case.confusions] == [
        ("a", "b", 1),
        ("b", "a", 1),
    ]
    assert small_case.confusions[0].share == pytest.approx(1 / 3)
    calibration = small_case.calibration
    assert calibration.mean_probability == pytest.approx(0.78)
    assert sum(range_.texts for range_ in calibration.bins) == 5
    # Both texts with 0.9 share a bin, half of them correct; the others differ by their own.
    assert calibration.error == pytest.approx((2 * 0.4 + 0.6 + 0.2 + 0.3) / 5)


def test_errors_are_listed_with_their_place_the_most_confident_first(small_case):
    first, second = small_case.errors
    assert (first.line, first.label, first.predicted) == (3, "a", "b")
    assert first.probability == pytest.approx(0.9)
    assert (second.line, second.label, second.abstained) == (4, "b", True)


def test_answered_and_abstained_texts_are_scored_apart(small_case):
    assert small_case.abstention.answered_share == pytest.approx(0.8)
    assert small_case.abstention.answered.accuracy == 0.75
    assert small_case.abstention.abstained.accuracy == 0
    nothing = evaluate_scores(["a", "b"], [0], [[0.6, 0.4]], [True]).abstention
    assert (nothing.answered_share, nothing.answered) == (0, None)


def test_unknown_words_are_counted(small_case):
    words = small_case.unknown_words
    assert (words.tokens, words.distinct) == (15, 2)
    assert words.share == pytest.approx(7 / 15)
    assert words.most_frequent == (("odd", 5), ("rare", 2))


def test_the_report_of_many_classes_lists_the_largest_confusions():
    labels = [f"class {number}" for number in range(12)]
    predicted = [*range(12), 3, 3, 5]
    evaluation = evaluate_scores(
        labels, [*range(12), 7, 7, 0], np.eye(12)[predicted], [False] * len(predicted)
    )
    lines = describe_evaluation(evaluation).splitlines()
    start = lines.index("confusions: 2, the most frequent:")
    assert lines[start + 1] == "      2   66.7% of class 7 predicted as class 3"
    assert "errors: 3, the most confident:" in lines


def test_control_characters_do_not_reach_the_terminal():
    evaluation = evaluate_scores(["a", "b"], [0], [[0.4, 0.6]], [False], ["x\x1b[2Jy\ud800"])
    assert "b, not a (line 2): x\ufffd[2Jy\ufffd" in describe_evaluation(evaluation)


def test_evaluate_agrees_with_what_export_measured(bundle, run_folder):
    answer = json.loads(convert("evaluate", bundle, run_folder / "test.jsonl", "--json").stdout)
    manifest = read_json(bundle / "manifest.json")
    scores = answer["scores"]
    assert scores["texts"] == manifest["accuracy"]["test"]["texts"]
    assert scores["accuracy"] == pytest.approx(manifest["accuracy"]["test"]["device"])
    assert len(answer["errors"]) == round((1 - scores["accuracy"]) * scores["texts"])


def test_abstention_is_the_device_s_own(bundle, tmp_path):
    rows = ["text,label", "zxqv wvut,animal", "a small wild bird,animal"]
    (tmp_path / "d.csv").write_text("\n".join(rows))
    answer = json.loads(convert("evaluate", bundle, tmp_path / "d.csv", "--json").stdout)
    assert answer["abstention"]["answered_share"] == 0.5
    assert answer["abstention"]["answered"]["accuracy"] == 1
    assert dict(answer["unknown_words"]["most_frequent"]) == {"zxqv": 1, "wvut": 1}


def test_evaluate_writes_a_picture_and_all_errors(bundle, tmp_path):
    out = tmp_path / "evaluation"
    shown = convert("evaluate", bundle, GLOSSES, "--out", out).stdout
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json",
        "evaluation.png",
        "errors.csv",
    }
    assert (out / "evaluation.png").stat().st_size > 10_000
    answer = read_json(out / "evaluation.json")
    with (out / "errors.csv").open(encoding="utf-8", newline="") as file:
        errors = list(csv.DictReader(file))
    assert len(errors) == len(answer["errors"])
    assert f"errors: {len(errors)}, the most confident:" in shown
    lines = GLOSSES.read_text("utf-8").splitlines()
    for error in errors:
        line = lines[int(error["line"]) - 1]
        assert line.endswith(f",{error['label']}")
        assert error["predicted"] != error["label"]
    again = json.loads(convert("evaluate", bundle, out / "errors.csv", "--json").stdout)
    assert again["scores"]["accuracy"] == 0


def test_evaluate_overwrites_only_an_evaluation_and_only_if_asked(bundle, tmp_path):
    rows = [json.dumps({"text": text, "label": "animal"}) for text in ("a bird \ud800", "bread")]
    (tmp_path / "d.jsonl").write_text("\n".join(rows))
    command = ("evaluate", bundle, tmp_path / "d.jsonl", "--out")
    convert(*command, tmp_path / "out")
    done = convert(*command, tmp_path / "out", check=False)
    assert done.returncode == 1
    assert "exists: choose another folder, or --overwrite it" in done.stderr
    convert(*command, tmp_path / "out", "--overwrite")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    done = convert(*command, tmp_path / "other", "--overwrite", check=False)
    assert done.returncode == 1
    assert "holds no evaluation.json: choose another folder" in done.stderr


def test_texts_in_memory_are_scored_like_a_file(bundle, run_folder):
    rows = read_json_lines(run_folder / "test.jsonl")
    texts, labels = ([row[name] for row in rows] for name in ("text", "label"))
    of_file = evaluate_bundle(bundle, run_folder / "test.jsonl")
    of_lists = evaluate_bundle(bundle, texts, labels)
    frame = pd.DataFrame(rows)
    with Classifier.load(bundle) as classifier:
        of_columns = classifier.evaluate(frame["text"], frame["label"])
    assert of_file.scores == of_lists.scores
    assert of_columns.scores == of_file.scores
    assert of_columns.abstention == of_file.abstention
    assert [error.line + 1 for error in of_lists.errors] == [e.line for e in of_file.errors]
    assert f"(index {of_lists.errors[0].line}): " in describe_evaluation(of_lists)


def test_the_errors_of_texts_in_memory_are_written(bundle, tmp_path):
    evaluate_bundle(bundle, ["a bird", "a tree"], ["animal", "animal"], out=tmp_path / "out")
    (error,) = read_csv(tmp_path / "out" / "errors.csv")
    assert (error["source"], error["line"], error["row"], error["text"]) == (
        "texts",
        "1",
        "",
        "a tree",
    )


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (["x"], None, "texts: expected a label for each: give labels too, or a file"),
        (GLOSSES, ["animal"], "labels are of texts in memory: a file has its own"),
        (["x"], ["mineral"], "texts, index 0: label 'mineral' is not one of animal, food"),
        ([], [], "texts is empty"),
        (["x"], [["animal"]], "texts, index 0: found a set of labels"),
    ],
)
def test_what_cannot_be_scored_in_memory_is_named(bundle, data, labels, message):
    with pytest.raises(DataError, match=message):
        evaluate_bundle(bundle, data, labels)


def test_bundles_are_compared_on_texts_in_memory(bundle, int4_bundle):
    compared = compare_bundles(bundle, int4_bundle, ["a bird", "a tree"], ["animal", "plant"])
    assert compared.texts == 2
    assert compared.accuracy[0].accuracy == 1


def test_results_describe_themselves_in_a_line(bundle):
    evaluation = evaluate_bundle(bundle, ["a bird", "a tree"], ["animal", "food"])
    results = (evaluation, compare_bundles(bundle, bundle), inspect_bundle(bundle))
    with Classifier.load(bundle) as classifier:
        results += (classifier, classifier.bundle, *classifier.predict("a bird"))
        results += (classifier.explain("a small bird"),)
    for result in results:
        assert re.fullmatch(r"<\w+.{10,180}>", repr(result))


def test_rows_with_a_label_of_no_class_can_be_skipped(bundle, tmp_path):
    (tmp_path / "d.csv").write_text("text,label\na stone,mineral\na small wild bird,animal\n")
    done = convert("evaluate", bundle, tmp_path / "d.csv", "--skip-bad-rows", "--json")
    assert "skipped" in done.stderr
    assert "line 2: unknown label 'mineral'" in done.stderr
    assert json.loads(done.stdout)["scores"]["texts"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2,3\n", "cannot find text and label among the columns"),
        (
            "text,label\nx,mineral\ny,animal\n",
            "d.csv, line 2: label 'mineral' is not one of animal, food, person, plant: correct it, "
            "or skip such rows with --skip-bad-rows",
        ),
        ("text,label\nx\n", "line 2: expected 2 fields, found 1"),
        ('text,label\nx,animal\n"y,animal\n', "d.csv: the quote opened in line 3 is never closed"),
        ("text,label\n", "is empty"),
    ],
)
def test_evaluate_names_the_row_of_invalid_data(bundle, tmp_path, content, message):
    (tmp_path / "d.csv").write_text(content)
    done = convert("evaluate", bundle, tmp_path / "d.csv", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["d.tsv", "d.jsonl", "d.ft", "d.csv.gz", "folder", "columns.csv"])
def test_evaluate_reads_what_training_reads(bundle, tmp_path, name):
    rows = [("a small wild bird", "animal"), ("a tall tree with leaves", "plant")]
    path, options = tmp_path / name, ()
    if name == "d.tsv":
        path.write_text("text\tlabel\n" + "".join(f"{t}\t{label}\n" for t, label in rows))
    elif name == "d.jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in rows))
    elif name == "d.ft":
        path.write_text("".join(f"__label__{label} {text}\n" for text, label in rows))
    elif name == "d.csv.gz":
        lines = ["text,label", *(f"{text},{label}" for text, label in rows)]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    elif name == "folder":
        for text, label in rows:
            (path / label).mkdir(parents=True)
            (path / label / "1.txt").write_text(text)
    else:
        options = ("--text-column", "words", "--label-column", "3", "--skip-bad-rows")
        lines = ["words,id,kind", *(f"{text},7,{label}" for text, label in rows), ",8,animal"]
        path.write_text("\n".join(lines))
    done = convert("evaluate", bundle, path, *options, "--json")
    assert json.loads(done.stdout)["scores"]["texts"] == 2
    assert ("skipped" in done.stderr) == (name == "columns.csv")


def test_data_options_are_those_of_training(tmp_path):
    path = tmp_path / "mails.csv"
    path.write_text("subject;body;kind\nschön;<p>grün</p>;animal\n;<br>;animal\n", "cp1252")
    columns = ("--text-column", "subject", "--text-column", "body")
    command = ("evaluate", LEGACY_BUNDLE, path, *columns, "--strip-html")
    done = convert(*command, check=False)
    assert "mails.csv is not UTF-8: read as cp1252" in done.stdout
    assert "1 row cannot be used: line 3: there is no text but HTML" in done.stderr
    assert "is not utf-16" in convert(*command, "--encoding", "utf-16", check=False).stderr
