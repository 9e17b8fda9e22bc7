"""Scores of a small case, computed by hand."""

import numpy as np
import pytest

from glovelite.evaluation.scores import score


def test_score_of_a_small_case():
    predicted = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 0, 1]]
    scores = score(np.array([0, 0, 0, 1, 1, 2]), predicted, ("a", "b", "c"))
    assert scores.confusion == ((2, 1, 0), (1, 1, 0), (0, 1, 0))
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
