"""Temperature scaling: calibrated probabilities, unchanged labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.evaluation.scores import calibration_error
from glovelite.train.data.corpus import SoftTargets, join_soft, make_soft
from glovelite.train.fitting.calibration import (
    PRIOR_MEAN,
    Calibration,
    calibrate,
    calibrate_folds,
    choose_prior_mean,
    fit_temperature,
    to_probabilities,
)
from tests.helpers import read_json


def calibrated_logits(classes, texts=20_000, seed=0):
    """Return logits, and classes drawn from their probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (texts, classes if classes > 2 else 1)).astype(np.float32)
    chances = np.cumsum(to_probabilities(logits), axis=1)
    targets = (random.random((texts, 1)) > chances).sum(axis=1)
    return logits, np.minimum(targets, classes - 1).astype(np.int32)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_fit_temperature_recovers_the_scale(classes, temperature):
    logits, targets = calibrated_logits(classes)
    assert fit_temperature(logits * np.float32(temperature), targets) == pytest.approx(
        temperature, rel=0.05
    )


def test_few_texts_predicted_correctly_make_no_extreme_temperature():
    logits = np.full((20, 1), 2, np.float32)
    assert fit_temperature(logits, np.ones(20, np.int32)) > 0.5


def test_models_of_a_teachers_probabilities_are_not_taken_for_overconfident():
    given = make_soft(np.array([0, 1]), 2)
    uncertain = SoftTargets(np.array([[0.6, 0.4]], np.float32), np.array([6], np.float32))
    assert choose_prior_mean(None) == choose_prior_mean(given) == PRIOR_MEAN
    assert choose_prior_mean(uncertain) == 0
    assert choose_prior_mean(join_soft(given, uncertain)) == pytest.approx(PRIOR_MEAN / 4)


@pytest.mark.parametrize("classes", [2, 5])
def test_calibrate_corrects_overconfidence(classes):
    logits, targets = calibrated_logits(classes)
    overconfident = {"dev": logits[:10_000] * 3, "test": logits[10_000:] * 3}
    halves = {"dev": targets[:10_000], "test": targets[10_000:]}
    before, after = calibrate(overconfident, halves).error["test"]
    assert before > 0.1
    assert after < 0.02
    assert calibration_error(to_probabilities(logits), targets) < 0.02


def test_calibrate_takes_a_temperature_that_is_fitted_already():
    logits, targets = calibrated_logits(2)
    fitted = Calibration(2.0, {"out_of_fold": (0.3, 0.2)}, "out_of_fold")
    calibration = calibrate({"test": logits * 2}, {"test": targets}, fitted)
    assert (calibration.temperature, calibration.fitted_on) == (2.0, "out_of_fold")
    assert calibration.error["out_of_fold"] == (0.3, 0.2)
    assert calibration.error["test"][1] < 0.02


@pytest.mark.parametrize("classes", [2, 5])
def test_a_folds_probabilities_do_not_depend_on_its_labels(classes):
    logits, targets = calibrated_logits(classes, texts=900)
    folds = np.arange(900) % 3
    probabilities, calibration = calibrate_folds(logits * 3, targets, folds)
    assert calibration.temperature == fit_temperature(logits * 3, targets)
    assert calibration.error["out_of_fold"][0] > calibration.error["out_of_fold"][1]
    others = folds != 1
    temperature = fit_temperature(logits[others] * 3, targets[others])
    expected = to_probabilities(logits[~others] * 3 / np.float32(temperature))
    assert np.allclose(probabilities[~others], expected, atol=1e-6)
    targets[folds == 1] = 0
    changed, _ = calibrate_folds(logits * 3, targets, folds)
    assert np.array_equal(changed[folds == 1], probabilities[folds == 1])
    assert not np.array_equal(changed[folds == 0], probabilities[folds == 0])


def test_calibration_error_of_a_small_case():
    probabilities = np.tile(np.float32([0.8, 0.2]), (10, 1))
    targets = np.int32([0] * 6 + [1] * 4)
    assert calibration_error(probabilities, targets) == pytest.approx(0.2)


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=20), st.floats(0.3, 4))
def test_temperature_changes_no_label(values, temperature):
    logits = np.float32(values)[:, None]
    probabilities = to_probabilities(logits)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.allclose(probabilities[:, 1], 1 / (1 + np.exp(-logits[:, 0])), atol=1e-6)
    cooler = to_probabilities(logits / np.float32(temperature))
    clear = np.abs(logits[:, 0]) > 1e-3
    assert np.array_equal(probabilities.argmax(axis=1)[clear], cooler.argmax(axis=1)[clear])


def test_metrics_record_temperature_and_error(run_folder):
    metrics = read_json(run_folder / "metrics.json")
    calibration = metrics["calibration"]
    assert 0.2 <= calibration["temperature"] <= 5
    assert all(0 <= value <= 1 for pair in calibration["error"].values() for value in pair)
