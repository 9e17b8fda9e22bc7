"""Plots of labels that the font can draw, and of others."""

import logging
import warnings

import numpy as np
import pytest

from glovelite.evaluation.fonts import can_draw, spell_out
from glovelite.evaluation.plots import drawable, name_classes, plot_confusion
from glovelite.evaluation.scores import score

LABELS = ("plant", "动物", "café", "食物")


def score_labels(labels):
    targets = np.arange(2 * len(labels)) % len(labels)
    return score(targets, np.eye(len(labels))[targets] * 0.5 + 0.125, labels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plant", True), ("café €", True), ("растение", True), ("植物", False), ("a 植", False)],
)
def test_what_the_font_can_draw(text, expected):
    assert can_draw(text) is expected


def test_letters_that_the_font_lacks_are_spelled_out():
    assert spell_out("木 1") == "\\u6728 1"
    assert drawable("数据.csv") == "\\u6570\\u636e.csv"


def test_labels_that_the_font_lacks_are_numbers():
    names, numbered = name_classes(score_labels(LABELS).classes)
    assert names == ["plant", "#2", "café", "#4"]
    assert numbered == {"#2": "动物", "#4": "食物"}


@pytest.mark.parametrize("labels", [LABELS, ("$a_1$", "b")])
def test_a_plot_is_drawn_without_a_warning(tmp_path, labels, logged, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        plot_confusion(score_labels(labels), "数据.csv", tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 1000
    assert not caplog.records
    numbers = [line for line in logged if "#2 动物, #4 食物" in line]
    assert len(numbers) == (labels is LABELS)


def test_a_plot_of_many_classes_numbers_only_those_that_it_shows(tmp_path, logged):
    labels = [f"木 {number}" for number in range(40)]
    plot_confusion(score_labels(labels), "texts", tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 1000
    (numbered,) = logged
    assert "#30 木 29" in numbered
    assert "木 30" not in numbered
