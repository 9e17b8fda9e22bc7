"""Scores and thresholds of texts with several labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from glovelite.evaluation.scores import (
    average_precision,
    choose_thresholds,
    decide,
    name_classes,
    score,
)
from glovelite.runtime.decision import NEVER_GIVEN
from tests.evaluation.labels import drawn_labels

LABELS = ("a", "b", "c")


def test_scores_of_a_small_case():
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], np.bool_)
    probabilities = np.array(
        [[0.9, 0.2, 0.1], [0.6, 0.4, 0.0], [0.1, 0.1, 0.1], [0.7, 0.8, 0.1]], np.float32
    )
    scores = score(targets, probabilities, LABELS, (0.5, 0.3, 0.5))
    a, b, c = scores.classes
    assert (a.precision, a.recall, a.texts) == (pytest.approx(2 / 3), 1, 2)
    assert (b.precision, b.recall, b.f1) == (0.5, 0.5, 0.5)
    assert (c.precision, c.recall, c.f1) == (0, 0, 0)
    assert scores.accuracy == 0.25  # only the text without labels is right in all of them
    assert scores.micro_f1 == pytest.approx(2 * 3 / (4 + 5))
    assert scores.macro_f1 == pytest.approx((0.8 + 0.5) / 2)  # `c` neither occurs nor is given
    multi_label = scores.multi_label
    assert multi_label.co_occurrence == ((0, 0, 2), (0, 1, 1), (1, 0, 2), (1, 1, 1))
    assert multi_label.labels_per_text == (1.0, 1.25)
    assert multi_label.mean_average_precision == pytest.approx((1 + 2 / 3) / 2)  # of a and b


def test_average_precision_takes_equal_probabilities_together():
    assert average_precision(np.array([1, 0, 1], bool), np.array([0.9, 0.8, 0.7])) == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert average_precision(np.array([1, 0], bool), np.array([0.5, 0.5])) == 0.5


def test_thresholds_are_near_half_the_reachable_f1():
    """The best threshold of calibrated probabilities (Lipton, Elkan, Naryanaswamy, 2014)."""
    logits, targets = drawn_labels(20_000)
    probabilities = expit(logits)
    thresholds = choose_thresholds(probabilities, targets)
    scores = score(targets, probabilities, LABELS, thresholds)
    for row, threshold in zip(scores.classes, thresholds):
        assert threshold == pytest.approx(row.f1 / 2, abs=0.08)
    halves = score(targets, probabilities, LABELS, (0.5,) * 3)
    assert scores.micro_f1 > halves.micro_f1
    assert scores.macro_f1 > halves.macro_f1 + 0.05


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_chosen_thresholds_are_probabilities_or_never(data):
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(2, 4)))
    probabilities = data.draw(arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    targets = data.draw(arrays(np.bool_, shape))
    thresholds = choose_thresholds(probabilities, targets)
    assert len(thresholds) == shape[1]
    assert all(0 <= threshold <= NEVER_GIVEN for threshold in thresholds)
    assert decide(probabilities, thresholds).shape == shape


def test_names_of_labels_are_joined():
    assert name_classes(np.array([True, False, True]), LABELS) == "a|c"
    assert name_classes(np.array([False] * 3), LABELS) == ""
    assert name_classes(np.array(1), LABELS) == "b"
