"""Labelled text in memory: what is checked, and how messages name it."""

from array import array

import numpy as np
import pandas as pd
import pytest

from glovelite.convert import Budget, ExportOptions
from glovelite.data.labelled_text import TextSource
from glovelite.data.sequences import check_texts, open_sequences
from glovelite.runtime.errors import DataError
from glovelite.train import TrainingOptions, make_options


def read(texts, labels):
    return [(row.text, row.labels) for row in open_sequences("texts", texts, labels)]


def test_columns_of_a_frame_are_read_like_lists():
    frame = pd.DataFrame({"text": ["x", "y"], "label": [1, 0]}, index=[7, 3])
    expected = [("x", ("1",)), ("y", ("0",))]
    assert read(frame["text"], frame["label"]) == expected
    assert read(["x", "y"], [1, 0]) == expected


def test_a_frame_of_0_and_1_names_the_labels():
    flags = pd.DataFrame({"a": [1, 0], "b": [1, 0]})
    opened = open_sequences("texts", ["x", "y"], flags)
    assert opened.labels == ("a", "b")
    assert [(row.labels, row.multi_label) for row in opened] == [(("a", "b"), True), ((), True)]


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("a text", ["a"], "texts: expected a list or a column of texts, found str"),
        (iter(["x"]), ["a"], "texts: expected a list or a column of texts, found list_iterator"),
        (["x"], (label for label in "a"), "expected a list or a column of labels, found generator"),
        (np.array([["x", "y"]]), ["a"], "one column of texts, found a table of 2 columns: give"),
        (pd.DataFrame({"t": ["x"]}), ["a"], "one column of texts, found a table of 1 columns"),
        (["x", "y"], ["a"], "expected as many labels as texts, found 1 labels for 2 texts"),
        (["x", None], ["a", "b"], "texts, index 1: expected a string, found NoneType"),
        (["x", np.nan], ["a", "b"], "texts, index 1: expected a string, found float"),
        (["x", " "], ["a", "b"], "texts, index 1: the text is empty"),
        (["x", "y"], ["a", ["b"]], "texts, index 1: expected one label as before, found ['b']"),
    ],
)
def test_what_cannot_be_used_is_named(texts, labels, message):
    with pytest.raises(DataError) as error:
        read(texts, labels)
    assert message in str(error.value)


def test_texts_without_labels_are_checked():
    assert check_texts("X", pd.Series(["x", ""])) == ["x", ""]
    for texts in ("x", array("i", [1]), [b"x"]):
        with pytest.raises(DataError, match="X"):
            check_texts("X", texts)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (
            TextSource("d.csv", label_column="stars"),
            "TextSource(path='d.csv', label_column='stars')",
        ),
        (make_options("small", epochs=3), "TrainingOptions(filters=32, epochs=3)"),
        (TrainingOptions(), "TrainingOptions()"),
        (ExportOptions("int4"), "ExportOptions(recipe='int4')"),
        (Budget(max_bytes=300_000), "Budget(max_bytes=300000)"),
    ],
)
def test_options_show_only_what_differs_from_the_defaults(options, shown):
    assert repr(options) == shown
    assert eval(shown) == options
