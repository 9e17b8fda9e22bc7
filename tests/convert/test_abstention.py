"""Abstention: chosen on dev, recorded in the bundle, applied on the device."""

import json
import sys

import numpy as np
import pytest
from helpers import GLOSSES, SLICE, convert, run, train
from hypothesis import given
from hypothesis import strategies as st

from convert.errors import ConversionError
from convert.verify.abstention import (
    ABSTAIN_FROM_ALL,
    apply_abstention,
    choose_abstention,
    lower_bound,
    needed_texts,
)


def texts(*groups):
    """Return scores and targets of groups of texts: confidence, number right, number wrong."""
    confidence = np.concatenate([np.full(right + wrong, c) for c, right, wrong in groups])
    wrong = np.concatenate([np.arange(right + wrong) >= right for _, right, wrong in groups])
    return np.float32(np.stack([confidence, 1 - confidence], axis=1)), wrong.astype(np.int64)


def test_choose_abstention_takes_the_lowest_threshold_that_shows_the_accuracy():
    scores, targets = texts((0.9, 100, 0), (0.8, 100, 2), (0.6, 50, 50))
    chosen = choose_abstention(scores, targets, 0.96)
    assert chosen.probability == pytest.approx(0.8, abs=2e-6)
    answered = apply_abstention(scores, targets, chosen)
    assert (answered.share, answered.accuracy) == (202 / 302, 200 / 202)


def test_choose_abstention_halves_the_errors_by_default():
    scores, targets = texts((0.9, 200, 4), (0.6, 70, 30))
    chosen = choose_abstention(scores, targets, None)
    assert chosen.accuracy == pytest.approx(1 - (34 / 304) / 2)
    assert apply_abstention(scores, targets, chosen).accuracy >= chosen.accuracy


def test_choose_abstention_answers_all_texts_of_a_model_shown_to_be_good():
    assert choose_abstention(*texts((0.9, 150, 0)), None).probability == 0


@pytest.mark.parametrize(
    "groups", [[(0.9, 3, 0)], [(0.9, 0, 6)], [(0.9, 50, 50), (0.6, 50, 50)], [(1.0, 10, 0)]]
)
def test_choose_abstention_relies_on_nothing_that_the_texts_do_not_show(groups):
    scores, targets = texts(*groups)
    chosen = choose_abstention(scores, targets, None)
    assert chosen.probability == ABSTAIN_FROM_ALL
    assert apply_abstention(scores, targets, chosen).share == 0


def test_choose_abstention_reports_what_is_reachable():
    with pytest.raises(ConversionError, match=r"the 3 of 3 dev texts .* show 46.4% at 90%"):
        choose_abstention(*texts((0.9, 3, 0)), 0.9)


@pytest.mark.parametrize(
    ("correct", "of", "bound"), [(0, 5, 0), (3, 3, 0.1 ** (1 / 3)), (9, 10, 0.663)]
)
def test_lower_bound_is_clopper_and_pearsons(correct, of, bound):
    assert lower_bound(np.array([correct]), np.array([of])) == pytest.approx(bound, abs=5e-4)


def test_needed_texts_are_as_many_as_the_bound_asks_for():
    for accuracy in (0.5, 0.9, 0.98):
        count = needed_texts(accuracy)
        assert lower_bound(np.array([count]), np.array([count])) >= accuracy
        assert lower_bound(np.array([count - 1]), np.array([count - 1])) < accuracy


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.floats(0.01, 1),
)
def test_apply_abstention_reaches_the_chosen_accuracy(rows, wanted):
    scores, targets = texts(*((0.5 + n / 40, int(right), int(not right)) for n, right in rows))
    try:
        chosen = choose_abstention(scores, targets, wanted)
    except ConversionError:
        return
    assert apply_abstention(scores, targets, chosen).accuracy >= wanted


@pytest.mark.slow
def test_a_bundle_of_few_dev_texts_relies_on_no_prediction(tmp_path):
    lines = GLOSSES.read_text("utf-8").splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:61]), "utf-8")
    options = ("--glove", SLICE, "--filters", 4, "--epochs", 2, "--out", tmp_path / "run")
    train(tmp_path / "few.csv", *options)
    done = convert("export", tmp_path / "run", "--out", tmp_path / "bundle")
    assert "warning: --abstain relies on no prediction" in done.stdout
    assert run_device(tmp_path / "bundle", "--abstain", "a small wild bird").startswith("?")
    assert "relies on no prediction" in (tmp_path / "bundle/MODEL_CARD.md").read_text("utf-8")


def test_bundle_and_model_card_record_the_thresholds(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    abstention = manifest["abstention"]
    assert 0 <= abstention["probability"] <= 1
    assert 0 < abstention["accuracy"] < 1
    assert abstention["test"]["share"] <= 1
    assert "--abstain" in (bundle / "MODEL_CARD.md").read_text("utf-8")


def run_device(bundle, *options):
    done = run(sys.executable, "-m", "runtime", bundle, *options)
    return done.stdout.strip()


def test_device_abstains_below_the_threshold(bundle):
    bird = "a small wild bird that sings at night"
    assert run_device(bundle, "--abstain-below", 0.0, bird).startswith("animal")
    assert run_device(bundle, "--abstain-below", 1.0, bird).startswith("?")
    answer = json.loads(run_device(bundle, "--json", "--abstain-below", 1.0, bird))["prediction"]
    assert answer["label"] is None
    assert answer["abstained"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", ["2", "-1", "nan", "half"])
def test_abstain_below_takes_a_probability(bundle, value):
    command = (sys.executable, "-m", "runtime", bundle, f"--abstain-below={value}", "bird")
    done = run(*command, check=False)
    assert done.returncode == 2
    assert "expected a probability from 0 to 1" in done.stderr


@pytest.mark.parametrize("text", ["", "zyxq wvut srqp", "der schnelle braune Fuchs springt"])
def test_device_abstains_on_unknown_words(bundle, text):
    assert "(few known words)" in run_device(bundle, text)
    assert run_device(bundle, "--abstain", text).startswith("?")


@pytest.mark.slow
def test_export_reports_an_unreachable_accuracy(run_folder, tmp_path):
    options = ("--out", tmp_path / "bundle", "--abstain-accuracy", 100)
    done = convert("export", run_folder, *options, check=False)
    assert done.returncode == 1
    assert "ask for less" in done.stderr
    assert not (tmp_path / "bundle").exists()
