"""Abstention: chosen on dev, recorded in the bundle, applied on the device."""

import json
import sys

import numpy as np
import pytest
from helpers import convert, run
from hypothesis import given
from hypothesis import strategies as st

from convert.errors import ConversionError
from convert.verify.abstention import apply_abstention, choose_abstention

SCORES = np.float32([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.55, 0.45], [0.5, 0.5]])
TARGETS = np.array([0, 0, 1, 1, 0, 1])


def test_choose_abstention_takes_the_lowest_sufficient_threshold():
    chosen = choose_abstention(SCORES, TARGETS, 1.0)
    assert chosen.probability == pytest.approx(0.7, abs=2e-6)
    answered = apply_abstention(SCORES, TARGETS, chosen)
    assert (answered.share, answered.accuracy) == (0.5, 1.0)


def test_choose_abstention_halves_the_errors_by_default():
    answered = apply_abstention(SCORES, TARGETS, choose_abstention(SCORES, TARGETS, None))
    assert answered.accuracy >= 1 - (2 / 6) / 2


def test_choose_abstention_answers_all_texts_of_a_perfect_model():
    assert choose_abstention(SCORES, SCORES.argmax(axis=1), None).probability == 0


def test_choose_abstention_reports_what_is_reachable():
    with pytest.raises(ConversionError, match=r"reach 0.0%; ask for less"):
        choose_abstention(SCORES[:1], np.array([1]), 0.9)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_apply_abstention_reaches_the_chosen_accuracy(texts, wanted):
    confidence = np.float32([0.5 + 0.5 * n / 20 for n, _ in texts])
    scores = np.stack([confidence, 1 - confidence], axis=1)
    targets = scores.argmax(axis=1) ^ np.array([not right for _, right in texts])
    try:
        chosen = choose_abstention(scores, targets, wanted)
    except ConversionError:
        reachable = [
            np.mean([r for n, r in texts if n >= least]) for least in {n for n, _ in texts}
        ]
        assert max(reachable) < wanted
    else:
        answered = apply_abstention(scores, targets, chosen)
        assert answered.accuracy >= wanted - 1e-9


def test_bundle_and_model_card_record_the_thresholds(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    abstention = manifest["abstention"]
    assert 0 <= abstention["probability"] < 1
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
    if done.returncode:
        assert "ask for less" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        manifest = json.loads((tmp_path / "bundle/manifest.json").read_text("utf-8"))
        assert manifest["abstention"]["dev"]["accuracy"] == 1
