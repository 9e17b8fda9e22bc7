"""Training on texts with several labels: loss, weights, temperatures, thresholds, scores."""

import keras
import numpy as np
import pytest
from scipy.special import expit, logit

from glovelite.runtime.text.vocabulary import count_outputs
from glovelite.train.data.batches import EncodedCorpus
from glovelite.train.fitting.calibration import fit_calibration, to_probabilities
from glovelite.train.fitting.final_model import class_frequencies
from glovelite.train.model.outputs import (
    LabelCrossentropy,
    MicroF1,
    choose_activation,
    label_weights,
    make_goals,
    weight_bias,
)
from glovelite.train.model.wide import WIDE_INITIAL_SCALE, initial_wide_weights
from glovelite.train.options import make_options
from glovelite.train.trials.cross_validation import find_label_errors
from tests.evaluation.labels import drawn_labels
from tests.helpers import SLICE, read_json, read_json_lines, write_json_lines, write_pairs
from tests.train.command import train


def encoded(targets, ids=None):
    """Return texts of one token each, with these labels."""
    ids = np.full(len(targets), 2, np.int32) if ids is None else np.array(ids, np.int32)
    starts = np.arange(len(targets) + 1)
    return EncodedCorpus(ids, starts, np.array(targets, np.bool_), trailing_padding=1)


def test_every_label_has_a_logit_even_if_there_are_two():
    assert count_outputs(2, multi_label=True) == 2
    assert choose_activation(2, multi_label=True) == "sigmoid"
    assert count_outputs(2, multi_label=False) == 1
    assert choose_activation(3, multi_label=False) == "softmax"


def test_goals_hold_the_labels_as_numbers():
    corpus = encoded([[1, 0, 1], [0, 0, 0]])
    goals = make_goals(corpus, 3, corpus, balanced=False)
    assert goals.targets.dtype == np.float32
    assert goals.targets.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert goals.weights.tolist() == [1, 1]


def test_the_loss_is_the_binary_cross_entropy_of_all_labels():
    logits, targets = drawn_labels(50)
    reference = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = float(reference(targets.astype(np.float32), logits))
    assert float(LabelCrossentropy()(targets.astype(np.float32), logits)) == pytest.approx(expected)


def test_balanced_weights_let_texts_with_and_without_a_label_count_equally():
    corpus = encoded([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
    without, given_weights = label_weights(corpus)
    assert given_weights.tolist() == pytest.approx([4 / 6, 2, 2])
    assert without.tolist() == pytest.approx([2, 4 / 6, 4 / 6])
    logits = np.zeros((4, 3), np.float32)
    losses = LabelCrossentropy(label_weights(corpus)).call(corpus.targets.astype("f"), logits)
    assert float(np.sum(losses)) == pytest.approx(4 * np.log(2), rel=1e-5)


def test_without_the_bias_of_the_weights_a_label_has_its_frequency_again():
    """The weighted optimum of a label without evidence is 0.5, hence the logit 0."""
    corpus = encoded([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
    assert expit(0 - weight_bias(corpus)) == pytest.approx([0.75, 0.25, 0.25])


def test_micro_f1_of_a_batch_counts_all_decisions():
    metric = MicroF1(name="micro_f1")
    targets = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    metric.update_state(targets, np.array([[2, 1, -1], [-1, 3, -2]], np.float32))
    assert float(metric.result()) == pytest.approx(2 * 2 / (3 + 3))


def test_wide_weights_start_with_each_labels_ratio_of_texts_with_and_without_it():
    """Word 2 occurs with and without `a`, word 3 only without."""
    corpus = encoded([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], ids=[2, 2, 2, 3])
    weights = initial_wide_weights(corpus, training_words=4, classes=3).rows
    assert weights.shape == (4, 3)
    assert weights[2, 0] > 0 > weights[3, 0]
    pseudo = 2 * 2 / 4  # a pseudo-count of 2, shared by the frequency of `a`
    expected = np.log((2 + pseudo) / (1 + pseudo)) - 0  # both sums over words are equal
    assert weights[2, 0] == pytest.approx(WIDE_INITIAL_SCALE * expected, rel=1e-5)


def test_each_label_has_a_temperature_that_few_texts_hardly_move():
    logits, targets = drawn_labels(temperature=1.0)
    logits[:, 0] *= 2  # only the first label is overconfident
    many = fit_calibration(logits, targets)
    assert many.label_temperatures[0] == pytest.approx(2, abs=0.25)
    assert many.label_temperatures[1] == pytest.approx(1, abs=0.15)
    few = fit_calibration(logits[:20], targets[:20])
    spread = np.ptp(np.log(few.label_temperatures))
    assert spread < np.ptp(np.log(many.label_temperatures)) / 2
    assert to_probabilities(logits / many.divisors, multi_label=True)[0].sum() != pytest.approx(1)


def test_a_text_of_unknown_words_gets_the_frequency_of_each_label():
    corpus = encoded([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
    assert class_frequencies(corpus, 3, make_options()).tolist() == [0.75, 0.25, 0.25]


def test_a_text_with_a_label_too_many_or_too_few_is_probably_mislabelled():
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.1], [0.1, 0.9], [0.2, 0.9], [0.95, 0.05], [0.02, 0.95]], np.float32
    )
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [1, 1]], np.bool_)
    found = find_label_errors(probabilities, targets)
    assert sorted(found.rows.tolist()) == [4, 5]
    suggested = dict(zip(found.rows.tolist(), found.suggested.tolist()))
    assert suggested == {4: [True, False], 5: [False, True]}
    assert (found.suggested_probability > found.given_probability).all()


def test_a_run_of_several_labels_learns_them(pairs_run):
    metrics = read_json(pairs_run / "metrics.json")
    assert sorted(metrics["thresholds"]) == ["animal", "person", "plant"]
    assert metrics["scores"]["dev"]["multi_label"]["micro_f1"] > 0.75
    assert len(metrics["calibration"]["label_temperatures"]) == 3
    assert {"loss", "micro_f1", "val_loss", "val_micro_f1"} == set(metrics["history"])


def test_held_out_texts_keep_their_labels_and_some_have_none(pairs_run):
    records = read_json_lines(pairs_run / "dev.jsonl")
    assert {len(record["labels"]) for record in records} == {0, 1, 2}


def test_the_saved_model_gives_each_label_a_probability_of_its_own(pairs_run):
    model = keras.saving.load_model(pairs_run / "model.keras")
    outputs = np.asarray(model(np.array([[3, 4, 5, 0, 0, 0]], np.int32)))
    assert outputs.shape == (1, 3)
    assert model.get_layer("probabilities").activation.__name__ == "sigmoid"
    assert np.isfinite(logit(outputs)).all()


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Run folder and output of a training in folds, and on two texts of a teacher."""
    folder = tmp_path_factory.mktemp("pairs")
    scored = {"text": "a quite new dog", "probabilities": {"animal": 0.9, "plant": 0.1}}
    unlabelled = write_json_lines(folder / "soft.jsonl", [scored] * 2)
    options = ("--filters", 16, "--epochs", 5, "--folds", 2, "--find-label-errors")
    options += ("--unlabelled", unlabelled)
    done = train(write_pairs(folder), "--glove", SLICE, "--out", folder / "run", *options)
    return folder / "run", done.stdout


@pytest.mark.slow
def test_training_reports_f1_labels_and_thresholds(folds):
    _, output = folds
    assert "multi-label: 3 labels" in output
    assert "micro F1" in output
    assert "threshold" in output
    assert "mean average precision" in output


@pytest.mark.slow
def test_folds_of_several_labels_learn_them(folds):
    run, _ = folds
    metrics = read_json(run / "metrics.json")
    assert metrics["scores"]["dev"]["multi_label"]["micro_f1"] > 0.75
    out_of_fold = metrics["cross_validation"]["out_of_fold"]
    assert out_of_fold["multi_label"]["micro_f1"] > 0.7
    assert out_of_fold["multi_label"]["mean_average_precision"] > 0.75
    assert metrics["cross_validation"]["micro_f1"]["mean"] > 0.65
    assert (run / "label_errors.csv").is_file()


@pytest.mark.slow
def test_several_labels_train_towards_a_teacher_too(folds):
    run, _ = folds
    assert read_json(run / "metrics.json")["corpus"]["sources"]["unlabelled"] == 2


@pytest.mark.slow
def test_balanced_training_keeps_probabilities_calibrated(tmp_path):
    options = ("--filters", 8, "--epochs", 3, "--class-weights", "balanced")
    train(write_pairs(tmp_path), "--glove", SLICE, "--out", tmp_path / "run", *options)
    metrics = read_json(tmp_path / "run/metrics.json")
    assert metrics["calibration"]["error"]["test"][1] < 0.12
