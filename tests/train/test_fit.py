"""The schedule of a training."""

import pytest

from glovelite.train import OptionsError, TrainingOptions, make_options, train_classifier
from glovelite.train.fitting.fit import MAX_RATE, plan_training


@pytest.mark.parametrize(
    ("texts", "epochs", "passes", "steps"),
    [
        (1, 20, 20, 20),
        (200, 20, 5, 20),
        (5_000, 20, 1, 79),
        (10_000, 14, 1, 157),
        (1_000_000, 7, 1, 3_907),
    ],
)
def test_few_texts_are_trained_for_more_epochs_of_more_passes(texts, epochs, passes, steps):
    schedule = plan_training(texts, TrainingOptions())
    assert (schedule.epochs, schedule.passes, schedule.steps) == (epochs, passes, steps)


def test_more_steps_have_a_lower_learning_rate():
    rates = [plan_training(texts, TrainingOptions()).learning_rate for texts in (1, 70_000, 99_000)]
    assert rates[0] == MAX_RATE
    assert rates[0] > rates[1] > rates[2]


def test_few_texts_are_trained_with_more_dropout():
    few, many = (plan_training(texts, TrainingOptions()) for texts in (200, 20_000))
    assert few.dropout > many.dropout


def test_options_set_epochs_learning_rate_and_dropout():
    options = TrainingOptions(epochs=3, learning_rate=0.01, dropout=0.0)
    schedule = plan_training(5_000, options)
    assert (schedule.epochs, schedule.learning_rate, schedule.dropout) == (3, 0.01, 0)


def test_a_training_that_diverges_says_what_to_change(tmp_path):
    words = ("warm", "cold", "a", "day", "night")
    rows = [f"{word} {' '.join(['1e30'] * 4)}\n" for word in words]
    (tmp_path / "huge.txt").write_text("".join(rows), "utf-8")
    texts = [f"a {word} {words[3 + n % 2]} {n}" for n in range(40) for word in ("warm", "cold")]
    options = make_options("article", filters=2, epochs=2)
    with pytest.raises(OptionsError, match="not finite after epoch 1: use a lower learning rate"):
        train_classifier(
            texts, ["yes", "no"] * 40, tmp_path / "run", options, vectors=str(tmp_path / "huge.txt")
        )
