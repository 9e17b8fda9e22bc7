"""Scores of a small case, computed by hand."""

import numpy as np
import pytest

from glovelite.evaluation.confusions import choose_confused, describe_confusions, find_confusions
from glovelite.evaluation.scores import MAX_LISTED_CLASSES, describe_classes, score


def test_score_of_a_small_case():
    predicted = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 0, 1]]
    scores = score(np.array([0, 0, 0, 1, 1, 2]), predicted, ("a", "b", "c"))
    assert scores.confusion == ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 1, 1))
    assert scores.accuracy == 0.5
    assert scores.interval == pytest.approx((0.188, 0.812), abs=1e-3)
    a, b, c = scores.classes
    assert (a.precision, a.recall, a.f1) == (pytest.approx(2 / 3),) * 3
    assert (b.precision, b.recall, b.texts) == (pytest.approx(1 / 3), 0.5, 2)
    assert (c.precision, c.recall, c.f1) == (0, 0, 0)


def test_macro_f1_is_the_mean_over_classes_that_occur_or_are_predicted():
    labels = ("a", "b", "absent", "only predicted")
    scores = score(np.array([0, 0, 1, 1]), np.eye(4, dtype=np.float32)[[0, 0, 1, 3]], labels)
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3 + 0) / 3)


def score_many(count=40):
    """Return scores of four texts a class: the last class is read as the first, once as another."""
    targets = np.repeat(np.arange(count), 4)
    predicted = targets.copy()
    predicted[-4:] = [0, 0, 0, 5]
    labels = [f"class {number}" for number in range(count)]
    return score(targets, np.eye(count, dtype=np.float32)[predicted], labels)


def test_many_classes_are_described_by_the_best_and_the_worst():
    heading, _, *rows = describe_classes(score_many(), "metrics.json")
    assert "of 40; metrics.json has all" in heading
    assert len(rows) == 20
    assert [row[:8].strip() for row in rows[-3:]] == ["class 5", "class 0", "class 39"]
    assert len([*describe_classes(score_many(MAX_LISTED_CLASSES), "")]) == 1 + MAX_LISTED_CLASSES


def test_confusions_are_the_most_frequent_first():
    assert [*describe_confusions(find_confusions(score_many()))] == [
        "confusions: 2, the most frequent:",
        "      3   75.0% of class 39 predicted as class 0",
        "      1   25.0% of class 39 predicted as class 5",
    ]


def test_the_classes_that_are_confused_most_are_chosen_first():
    assert choose_confused(score_many(), 5) == [39, 0, 5, 1, 2]
