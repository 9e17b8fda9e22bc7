"""Abstention: chosen on dev, recorded in the bundle, applied on the device."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.convert.verify.abstention import (
    LOWER_ACCURACIES,
    Answers,
    apply_abstention,
    choose_abstention,
    describe_shortfall,
    lower_bound,
)
from glovelite.runtime.decision import ABSTAIN_FROM_ALL, MAX_PENALTY, FamiliarityPenalty
from tests.helpers import GLOSSES, SLICE, classify, convert, read_json, train_in_child

LABELS = ("yes", "no")


def texts(*groups):
    """Return answers on groups of texts: probability, number right, number wrong."""
    confidence = np.concatenate([np.full(right + wrong, c) for c, right, wrong in groups])
    wrong = np.concatenate([np.arange(right + wrong) >= right for _, right, wrong in groups])
    scores = np.float32(np.stack([confidence, 1 - confidence], axis=1))
    return Answers(scores, wrong.astype(np.int64))


def choose(dev, accuracy=None, by_label=False, **others):
    """Choose the thresholds for the labels of `texts`."""
    return choose_abstention({"dev": dev, **others}, LABELS, accuracy, by_label)


def describe(abstention, explicit=True, folds=False):
    """Return the line about an accuracy that is not shown."""
    (line,) = describe_shortfall(abstention, explicit, folds)
    return line


def test_choose_abstention_takes_the_lowest_threshold_that_shows_the_accuracy():
    dev = texts((0.9, 100, 0), (0.8, 100, 2), (0.6, 50, 50))
    chosen = choose(dev, 0.96)
    assert chosen.probability == pytest.approx(0.8, abs=2e-6)
    answered = apply_abstention(dev, LABELS, chosen)
    assert (answered.share, answered.accuracy) == (202 / 302, 200 / 202)


def test_choose_abstention_halves_the_errors_by_default():
    dev = texts((0.9, 200, 4), (0.6, 70, 30))
    chosen = choose(dev)
    assert chosen.accuracy == pytest.approx(1 - (34 / 304) / 2)
    assert apply_abstention(dev, LABELS, chosen).accuracy >= chosen.accuracy


def test_choose_abstention_answers_all_texts_of_a_model_shown_to_be_good():
    assert choose(texts((0.9, 150, 0))).probability == 0


@pytest.mark.parametrize(
    "groups", [[(0.9, 3, 0)], [(0.9, 0, 6)], [(0.9, 50, 50), (0.6, 50, 50)], [(1.0, 10, 0)]]
)
def test_choose_abstention_relies_on_nothing_that_the_texts_do_not_show(groups):
    dev = texts(*groups)
    chosen = choose(dev)
    assert (chosen.probability, chosen.accuracy) == (ABSTAIN_FROM_ALL, None)
    assert apply_abstention(dev, LABELS, chosen).share == 0


@pytest.mark.parametrize(
    ("right", "shown"), [(45, 0.95), (44, 0.9), (21, 0.85), (14, 0.8), (10, None)]
)
def test_choose_abstention_takes_the_highest_lower_accuracy_that_is_shown(right, shown):
    chosen = choose(texts((0.9, right, 0), (0.6, 5, 5)), 0.99)
    assert (chosen.accuracy, chosen.wanted) == (shown, 0.99)


def test_choose_abstention_takes_no_accuracy_above_the_wanted_one():
    assert choose(texts((0.9, 150, 0)), 0.83).accuracy == 0.83
    assert choose(texts((0.9, 11, 0), (0.6, 5, 5)), 0.83).accuracy == 0.8
    assert choose(texts((0.9, 9, 0), (0.6, 5, 5)), 0.79).accuracy is None


def test_choose_abstention_counts_the_texts_of_all_folds():
    few, many = texts((0.9, 6, 0)), texts((0.9, 95, 0), (0.6, 3, 2))
    chosen = choose(few, 0.95, out_of_fold=many)
    assert chosen.accuracy == 0.95
    assert (chosen.evidence.set, chosen.evidence.texts) == ("out_of_fold", 100)


def test_a_shortfall_names_what_is_kept_and_what_would_help():
    dev = texts((0.9, 44, 0), (0.6, 8, 8))
    assert describe(choose(dev, 0.99)) == (
        "warning: --abstain keeps an accuracy of 90.0%: 60 dev texts do not show 99.0% at any "
        "threshold: let all texts count with glovelite-train --folds 5"
    )
    assert describe(choose(texts((0.9, 60, 0))), explicit=False).startswith(
        "--abstain keeps an accuracy of 95.0%: 60 dev texts do not show the default of 98.0%"
    )
    assert describe(choose(dev, 0.99), folds=True).endswith("give more text")
    assert [*describe_shortfall(choose(dev, 0.9), True, False)] == []


def test_a_shortfall_of_everything_names_the_best_that_is_shown():
    line = describe(choose(texts((0.9, 10, 0), (0.6, 25, 25)), 0.95), explicit=False)
    assert line.startswith("warning: --abstain relies on no prediction: 60 dev texts do not show")
    assert "the 10 with the highest confidence show 79% at 90% confidence" in line
    assert "--abstain-accuracy" in line
    assert "--folds 5" in line


def test_choose_abstention_relies_on_probabilities_that_are_rounded_to_1():
    dev = texts((1.0, 60, 0), (0.6, 5, 5))
    assert apply_abstention(dev, LABELS, choose(dev, 0.95)).share == 60 / 70


def test_choose_abstention_lowers_the_confidence_of_unfamiliar_words():
    probability = np.tile([0.7, 0.8, 0.9], 100)
    familiarity = np.repeat([8.0, 10.0, 12.0], 100)
    scores = np.float32(np.stack([probability, 1 - probability], axis=1))
    dev = Answers(scores, np.zeros(300, np.int64), familiarity)
    penalty = choose(dev).familiarity
    assert penalty.typical == 10
    logits = np.log(probability / (1 - probability))
    assert penalty.penalty == pytest.approx(0.5 * logits.std() / familiarity.std(), abs=1e-3)
    confidence = dev.confidence(penalty)
    assert confidence[100:] == pytest.approx(probability[100:])
    assert np.all(confidence[:100] < probability[:100])


def by_label(yes, no):
    """Return answers on two groups of `texts`, of which the second is predicted as `no`."""
    scores = np.concatenate([yes.scores, no.scores[:, ::-1]])
    return Answers(scores, np.concatenate([yes.targets, 1 - no.targets]))


def test_choose_abstention_by_label_asks_each_label_for_the_accuracy():
    dev = by_label(yes=texts((0.9, 100, 0)), no=texts((0.9, 60, 40)))
    chosen = choose(dev, 0.95, by_label=True)
    assert chosen.labels == {"yes": 0.0, "no": ABSTAIN_FROM_ALL}
    assert apply_abstention(dev, LABELS, chosen).share == 0.5
    assert chosen.as_json()["labels"] == chosen.labels


def test_choose_abstention_by_label_takes_a_lower_accuracy_of_a_label_with_few_texts():
    dev = by_label(yes=texts((0.9, 100, 0)), no=texts((0.9, 22, 0)))
    chosen = choose(dev, 0.95, by_label=True)
    assert chosen.label_accuracies == {"yes": 0.95, "no": 0.9}
    assert chosen.accuracy == 0.9
    assert "keeps a lower accuracy of 1 of 2 labels" in describe(chosen)


def test_choose_abstention_by_label_relies_on_nothing_if_no_label_is_accurate():
    chosen = choose(texts((0.9, 60, 40)), 0.99, by_label=True)
    assert (chosen.accuracy, {*chosen.labels.values()}) == (None, {ABSTAIN_FROM_ALL})
    assert "relies on no prediction" in describe(chosen)


@given(st.floats(0, 1), st.floats(0, 15), st.floats(0, 15), st.floats(0, MAX_PENALTY))
def test_familiarity_penalty_never_raises_a_confidence(probability, typical, familiarity, penalty):
    lowered = FamiliarityPenalty(typical, penalty).lower(probability, familiarity)
    assert 0 <= lowered <= probability + 1e-12
    if familiarity >= typical:
        assert lowered == probability


@pytest.mark.parametrize(
    ("correct", "of", "bound"), [(0, 5, 0), (3, 3, 0.1 ** (1 / 3)), (9, 10, 0.663)]
)
def test_lower_bound_is_clopper_and_pearsons(correct, of, bound):
    assert lower_bound(np.array([correct]), np.array([of])) == pytest.approx(bound, abs=5e-4)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.floats(0.01, 1),
)
def test_apply_abstention_reaches_the_chosen_accuracy(rows, wanted):
    dev = texts(*((0.5 + n / 40, int(right), int(not right)) for n, right in rows))
    chosen = choose(dev, wanted)
    assert chosen.accuracy in (None, wanted, *LOWER_ACCURACIES)
    assert apply_abstention(dev, LABELS, chosen).accuracy >= (chosen.accuracy or 0)


@pytest.mark.slow
def test_a_bundle_of_few_dev_texts_relies_on_no_prediction(tmp_path):
    lines = GLOSSES.read_text("utf-8").splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:61]), "utf-8")
    options = ("--glove", SLICE, "--filters", 4, "--epochs", 2, "--out", tmp_path / "run")
    train_in_child(tmp_path / "few.csv", *options)
    options = ("--out", tmp_path / "bundle", "--quantize", "float32")
    done = convert("export", tmp_path / "run", *options)
    assert "warning: --abstain relies on no prediction" in done.stdout
    assert run_device(tmp_path / "bundle", "--abstain", "a small wild bird").startswith("?")
    assert "relies on no prediction" in (tmp_path / "bundle/MODEL_CARD.md").read_text("utf-8")


def test_bundle_and_model_card_record_the_thresholds(bundle):
    manifest = read_json(bundle / "manifest.json")
    abstention = manifest["abstention"]
    assert 0 <= abstention["probability"] <= 1
    assert 0 < abstention["accuracy"] < 1
    assert abstention["test"]["share"] <= 1
    assert 0 < abstention["familiarity"]["typical"] < 15
    assert "--abstain" in (bundle / "MODEL_CARD.md").read_text("utf-8")


def run_device(bundle, *options):
    return classify(bundle, *options).stdout.strip()


def test_device_abstains_below_the_threshold(bundle):
    bird = "a small wild bird that sings at night"
    assert run_device(bundle, "--abstain-below", 0.0, bird).startswith("animal")
    assert run_device(bundle, "--abstain-below", 1.0, bird).startswith("?")
    answer = json.loads(run_device(bundle, "--json", "--abstain-below", 1.0, bird))["prediction"]
    assert answer["label"] is None
    assert answer["abstained"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_device_is_less_confident_of_words_unlike_training_text(bundle):
    known, foreign = (
        json.loads(run_device(bundle, "--json", text))["prediction"]
        for text in ("a small wild bird", "in the first of the two years")
    )
    assert known["confidence"] == known["probability"]
    assert foreign["known"] == 1
    assert foreign["confidence"] < foreign["probability"]


@pytest.mark.parametrize("value", ["2", "-1", "nan", "half"])
def test_abstain_below_takes_a_probability(bundle, value):
    done = classify(bundle, f"--abstain-below={value}", "bird", check=False)
    assert done.returncode == 2
    assert "expected a probability from 0 to 1" in done.stderr


@pytest.mark.parametrize("text", ["", "zyxq wvut srqp", "der schnelle braune Fuchs springt"])
def test_device_abstains_on_unknown_words(bundle, text):
    assert "(few known words)" in run_device(bundle, text)
    assert run_device(bundle, "--abstain", text).startswith("?")


def test_export_names_the_accuracy_that_it_keeps_instead_of_the_wanted_one(folds_run, tmp_path):
    options = ("--out", tmp_path / "bundle", "--quantize", "float32", "--abstain-accuracy", 100)
    done = convert("export", folds_run, *options)
    assert "warning: --abstain keeps an accuracy of 95.0%: 1,000 out-of-fold texts" in done.stdout
    abstention = json.loads((tmp_path / "bundle/manifest.json").read_text("utf-8"))["abstention"]
    assert (abstention["accuracy"], abstention["wanted"]) == (0.95, 1.0)
    assert abstention["evidence"]["set"] == "out_of_fold"
    assert abstention["out_of_fold"]["accuracy"] >= 0.95
    card = (tmp_path / "bundle/MODEL_CARD.md").read_text("utf-8")
    assert "1,000 out-of-fold texts show 95.0% accuracy, not the wanted 100.0%" in card
    inspected = convert("inspect", tmp_path / "bundle").stdout
    assert "--abstain keeps 95.0%, wanted 100.0%, shown by 1,000 out-of-fold texts" in inspected
