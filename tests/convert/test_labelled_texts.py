"""Labelled texts for a bundle: single-label and multi-label files for bundles of either kind."""

import numpy as np
import pytest

from glovelite.convert.run_folder import read_labelled
from glovelite.data.labelled_text import TextSource, open_rows
from glovelite.runtime.errors import DataError

LABELS = ("a", "b", "c")


def read(folder, content, multi_label, name="d.csv", **options):
    (folder / name).write_text(content, "utf-8")
    source = TextSource(str(folder / name))
    return read_labelled(open_rows(source), LABELS, multi_label=multi_label, **options)


def test_a_single_label_bundle_gets_the_class_of_each_text(tmp_path):
    texts = read(tmp_path, "text,label\nx,c\ny,a\n", multi_label=False)
    assert (texts.targets.tolist(), texts.targets.dtype) == ([2, 0], np.int64)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", "text,labels\nx,c|a\ny,\nz,b\n"),
        ("d.ft", "__label__c __label__a x\ny\n__label__b z\n"),
        (
            "d.jsonl",
            '{"text": "x", "labels": ["a", "c"]}\n{"text": "y", "labels": []}\n'
            '{"text": "z", "labels": "b"}\n',
        ),
    ],
)
def test_a_multi_label_bundle_gets_all_labels_of_each_text(tmp_path, name, content):
    texts = read(tmp_path, content, multi_label=True, name=name)
    assert texts.targets.dtype == np.bool_
    assert texts.targets.astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_a_multi_label_bundle_reads_single_label_files(tmp_path):
    texts = read(tmp_path, "text,label\nx,c\ny,a\n", multi_label=True)
    assert texts.targets.astype(int).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_single_label_bundle_refuses_label_sets(tmp_path):
    with pytest.raises(DataError, match=r"d\.csv, line 2: found a set of labels, \['a', 'c'\]"):
        read(tmp_path, "text,labels\nx,a|c\n", multi_label=False)


@pytest.mark.parametrize("skip_bad_rows", [False, True])
def test_lines_without_a_label_are_bad_rows_of_single_label_bundles(tmp_path, skip_bad_rows):
    def read_lines():
        content = "__label__a x\ny\n"
        options = {"name": "d.ft", "skip_bad_rows": skip_bad_rows}
        return read(tmp_path, content, multi_label=False, **options)

    if skip_bad_rows:
        assert read_lines().texts == ("x",)
    else:
        with pytest.raises(DataError, match="line 2: expected one label, found 0"):
            read_lines()


def test_an_unknown_label_is_named_or_skipped(tmp_path):
    content = "text,labels\nx,a|d\ny,b\n"
    with pytest.raises(DataError, match="line 2: label 'd' is not one of a, b, c"):
        read(tmp_path, content, multi_label=True)
    texts = read(tmp_path, content, multi_label=True, skip_bad_rows=True)
    assert texts.texts == ("y",)
