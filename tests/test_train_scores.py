"""Scores by hand and by formula."""

import numpy as np
import pytest

from train.scores import score, wilson_interval


def test_scores_of_a_small_case_by_hand():
    scores = score(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 1]), ("a", "b", "c"))
    assert scores.confusion == ((2, 1, 0), (1, 1, 0), (0, 1, 0))
    assert scores.accuracy == 0.5
    a, b, c = scores.classes
    assert (a.precision, a.recall, a.f1) == (pytest.approx(2 / 3),) * 3
    assert (b.precision, b.recall, b.texts) == (pytest.approx(1 / 3), 0.5, 2)
    assert (c.precision, c.recall, c.f1) == (0, 0, 0)


@pytest.mark.parametrize(
    ("right", "total", "expected"),
    [(869, 1000, (0.8467, 0.8885)), (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (0, 0, (0, 1))],
)
def test_wilson_interval(right, total, expected):
    assert wilson_interval(right, total) == pytest.approx(expected, abs=1e-4)
