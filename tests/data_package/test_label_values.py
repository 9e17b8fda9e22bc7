"""Labels of any type and script: one rule for files and for Python."""

import json
from datetime import datetime

import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource, good_rows, open_rows
from glovelite.data.labels import describe_suspicious_labels
from glovelite.data.rows import read_label
from glovelite.runtime.errors import DataError
from glovelite.train.data.inputs import read_sequences


class NAType:
    """What pandas.NA is like."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


HIDDEN = [
    ("a\u200db", "U\\+200D ZERO WIDTH JOINER, which cannot be seen: remove it"),
    ("\u200cسلام", "U\\+200C ZERO WIDTH NON-JOINER"),
    ("می\u200c\u200cشود\u200f", "U\\+200C"),
    ("spam\u200b", "U\\+200B ZERO WIDTH SPACE"),
    ("ab\u00adc", "U\\+00AD SOFT HYPHEN"),
    ("x\u202ey", "U\\+202E RIGHT-TO-LEFT OVERRIDE"),
    ("new\u00a0york", "U\\+00A0 NO-BREAK SPACE, which cannot be seen: replace it by a space"),
    ("x\U000e0067", "U\\+E0067"),
    ("x\0", "U\\+0000, which"),
]
VISIBLE = [
    "❤️\u200d🔥",
    "🏳️\u200d🌈",
    "👩\u200d👩\u200d👧\u200d👦",
    "👩🏽\u200d💻",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\U0001faea",
    "می\u200cشود",
    "ශ්\u200dරී",
    "ന്\u200d",
    "naïve",
]


@pytest.mark.parametrize("label", VISIBLE)
def test_joiners_inside_emoji_and_words_are_part_of_a_label(label, tmp_path):
    assert read_label(label) == label
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x", "label": label}) + "\n", "utf-8")
    (tmp_path / "a.csv").write_text(f"text,label\nx,{label}\n", "utf-8")
    (tmp_path / "classes" / label).mkdir(parents=True)
    (tmp_path / "classes" / label / "1.txt").write_text("x", "utf-8")
    for name in ("a.jsonl", "a.csv", "classes"):
        (row,) = good_rows(open_rows(TextSource(str(tmp_path / name))))
        assert row.labels == (label,)
    flags = tmp_path / "flags.csv"
    flags.write_text(f"text,{label},other\nx,1,0\n", "utf-8")
    (row,) = good_rows(open_rows(TextSource(str(flags), label_columns="2-3")))
    assert row.labels == (label,)


@pytest.mark.parametrize(("label", "message"), HIDDEN)
def test_a_character_that_cannot_be_seen_is_named(label, message):
    with pytest.raises(ValueError, match=message):
        read_label(label)


def test_labels_that_differ_in_joiners_are_reported():
    (warning,) = describe_suspicious_labels({"می\u200cشود": 3, "میشود": 2})
    assert "differ only in case, space or joiners" in warning


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (True, "true"),
        (np.False_, "false"),
        (1, "1"),
        (np.int64(1), "1"),
        (1.0, "1.0"),
        (np.float64(0.1), "0.1"),
        (np.float32(0.1), "0.1"),
        (1e22, "1e+22"),
        (" a ", "a"),
        (np.str_("a"), "a"),
        (10**399, "1" + 399 * "0"),
    ],
)
def test_a_label_is_what_json_writes(value, label):
    assert read_label(value) == label
    corpus = read_sequences(["x", "y"], [value, value]).train
    assert corpus.classes == (label,)


@pytest.mark.parametrize(
    "value", [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), NAType()]
)
def test_a_missing_label_is_missing(value):
    with pytest.raises(DataError, match="texts, index 1: 'label' is missing"):
        read_sequences(["x", "y"], ["a", value])
    with pytest.raises(DataError, match="texts, index 0: 'label' is missing"):
        read_sequences(["x", "y"], [["a", value], ["a"]])
    with pytest.raises(DataError, match="texts, index 1: 'group' is missing"):
        read_sequences(["x", "y"], ["a", "a"], groups=["g", value])


@pytest.mark.parametrize("value", [b"a", {}, datetime(2024, 5, 31), float("inf"), object()])
def test_other_types_are_no_labels(value):
    with pytest.raises(ValueError, match="'label' is neither a string nor a number"):
        read_label(value)


def test_missing_flags_count_as_0_in_files_and_in_python(tmp_path, logged):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "x", "a": 1, "b": NaN}\n{"text": "y", "a": null, "b": 1}\n', "utf-8"
    )
    source = TextSource(str(tmp_path / "a.jsonl"), label_columns="a,b")
    assert [row.labels for row in good_rows(open_rows(source))] == [("a",), ("b",)]
    for values in ([[1, np.nan], [np.nan, 1]], np.array([[1, NAType()], [None, 1]], object)):
        table = np.asarray(values).view(type("Table", (np.ndarray,), {"columns": ["a", "b"]}))
        corpus = read_sequences(["x", "y"], table).train
        assert [corpus.labels_of(n) for n in range(2)] == [("a",), ("b",)]
    assert sum("empty label columns count as 0" in line for line in logged) == 3
