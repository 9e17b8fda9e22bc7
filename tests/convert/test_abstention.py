"""Which answers are relied on: chosen on dev, stated in the bundle, honoured on the device."""

import json
import sys

import numpy as np
import pytest
from helpers import convert, run
from hypothesis import given
from hypothesis import strategies as st

from convert.errors import ConversionError
from convert.verify.abstention import apply_abstention, choose_abstention

SURE = np.float32([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.55, 0.45], [0.5, 0.5]])
TRUE = np.array([0, 0, 1, 1, 0, 1])


def test_most_texts_are_answered_at_the_accuracy_that_is_wanted():
    chosen = choose_abstention(SURE, TRUE, 1.0)
    assert chosen.probability == pytest.approx(0.7, abs=2e-6)
    answered = apply_abstention(SURE, TRUE, chosen)
    assert (answered.share, answered.accuracy) == (0.5, 1.0)


def test_by_default_half_the_errors_are_left_out():
    answered = apply_abstention(SURE, TRUE, choose_abstention(SURE, TRUE, None))
    assert answered.accuracy >= 1 - (2 / 6) / 2


def test_a_model_without_errors_answers_everything():
    assert choose_abstention(SURE, SURE.argmax(axis=1), None).probability == 0


def test_what_no_threshold_reaches_is_refused_with_what_one_does():
    with pytest.raises(ConversionError, match=r"reach 0.0%; ask for less"):
        choose_abstention(SURE[:1], np.array([1]), 0.9)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_a_threshold_holds_what_it_promises(texts, wanted):
    sure = np.float32([0.5 + 0.5 * n / 20 for n, _ in texts])
    scores = np.stack([sure, 1 - sure], axis=1)
    targets = scores.argmax(axis=1) ^ np.array([not right for _, right in texts])
    try:
        chosen = choose_abstention(scores, targets, wanted)
    except ConversionError:
        everything = [
            np.mean([r for n, r in texts if n >= least]) for least in {n for n, _ in texts}
        ]
        assert max(everything) < wanted
    else:
        answered = apply_abstention(scores, targets, chosen)
        assert answered.accuracy >= wanted - 1e-9


def test_the_bundle_states_it_and_the_card_tells(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    stated = manifest["abstention"]
    assert 0 <= stated["probability"] < 1
    assert stated["test"]["share"] <= 1
    assert "--abstain" in (bundle / "MODEL_CARD.md").read_text("utf-8")


def ask(bundle, *options):
    done = run(sys.executable, "-m", "runtime", bundle, *options)
    return done.stdout.strip()


def test_the_device_abstains_when_it_is_asked_to(bundle):
    bird = "a small wild bird that sings at night"
    assert ask(bundle, "--abstain-below", 0.0, bird).startswith("animal")
    assert ask(bundle, "--abstain-below", 1.0, bird).startswith("?")
    answer = json.loads(ask(bundle, "--json", "--abstain-below", 1.0, bird))["prediction"]
    assert answer["label"] is None
    assert answer["abstained"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", ["2", "-1", "nan", "half"])
def test_a_threshold_is_a_probability(bundle, value):
    command = (sys.executable, "-m", "runtime", bundle, f"--abstain-below={value}", "bird")
    done = run(*command, check=False)
    assert done.returncode == 2
    assert "expected a probability from 0 to 1" in done.stderr


@pytest.mark.parametrize("text", ["", "zyxq wvut srqp", "der schnelle braune Fuchs springt"])
def test_text_of_unknown_words_is_flagged_and_abstained_from(bundle, text):
    assert "(few known words)" in ask(bundle, text)
    assert ask(bundle, "--abstain", text).startswith("?")


def test_a_wanted_accuracy_that_is_out_of_reach_is_one_line(run_folder, tmp_path):
    options = ("--out", tmp_path / "bundle", "--abstain-accuracy", 100)
    done = convert("export", run_folder, *options, check=False)
    if done.returncode:
        assert "ask for less" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        manifest = json.loads((tmp_path / "bundle/manifest.json").read_text("utf-8"))
        assert manifest["abstention"]["dev"]["accuracy"] == 1
