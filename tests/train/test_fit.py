"""The schedule of a training."""

import pytest

from train import OptionsError, TrainingOptions, make_options, train_classifier
from train.fitting.fit import Schedule, plan_epochs


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (1, Schedule(epochs=20, passes=20, steps=20)),
        (200, Schedule(epochs=20, passes=5, steps=20)),
        (5_000, Schedule(epochs=20, passes=1, steps=79)),
        (10_000, Schedule(epochs=14, passes=1, steps=157)),
        (1_000_000, Schedule(epochs=7, passes=1, steps=15_625)),
    ],
)
def test_few_texts_are_trained_for_more_epochs_of_more_passes(texts, expected):
    assert plan_epochs(texts, TrainingOptions()) == expected


def test_the_option_sets_the_number_of_epochs():
    assert plan_epochs(5_000, TrainingOptions(epochs=3)).epochs == 3


def test_a_training_that_diverges_says_what_to_change(tmp_path):
    words = ("warm", "cold", "a", "day", "night")
    rows = [f"{word} {' '.join(['1e30'] * 4)}\n" for word in words]
    (tmp_path / "huge.txt").write_text("".join(rows), "utf-8")
    texts = [f"a {word} {words[3 + n % 2]} {n}" for n in range(40) for word in ("warm", "cold")]
    options = make_options("tiny", filters=2, epochs=2)
    with pytest.raises(OptionsError, match="not finite after epoch 1: use a lower learning rate"):
        train_classifier(
            texts, ["yes", "no"] * 40, tmp_path / "run", options, vectors=str(tmp_path / "huge.txt")
        )
