"""Texts whose labels are probably wrong: confident learning on out-of-fold probabilities."""

import random

import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.train import OptionsError, TrainingRequest
from glovelite.train.data.sources import read_inputs
from glovelite.train.trials.cross_validation import find_label_errors
from tests.helpers import SLICE, read_csv, read_json, write_csv, write_two_classes
from tests.train.command import train


def test_a_class_is_suggested_above_its_own_threshold():
    """The thresholds are 0.7 for a and 0.5 for b: 0.65 suffices to suggest b, but not a."""
    a_columns = [0.9, 0.85, 0.35, 0.65, 0.2, 0.65]
    probabilities = np.array([[a, 1 - a] for a in a_columns], np.float32)
    found = find_label_errors(probabilities, np.array([0, 0, 0, 1, 1, 1]))
    assert found.thresholds == pytest.approx([0.7, 0.5])
    assert (found.rows.tolist(), found.suggested.tolist()) == ([2], [1])


def test_only_the_most_probable_class_is_suggested_and_the_largest_margin_is_first():
    """The thresholds are 0.3 for a, 0.45 for b and 0.7 for c."""
    probabilities = np.array(
        [
            [0.8, 0.1, 0.1],
            [0.1, 0.8, 0.1],
            [0.1, 0.1, 0.8],
            [0.1, 0.5, 0.4],
            [0.0, 0.9, 0.1],
            [0.2, 0.1, 0.7],
        ],
        np.float32,
    )
    found = find_label_errors(probabilities, np.array([0, 1, 1, 0, 0, 2]))
    assert found.rows.tolist() == [4, 2, 3]
    assert found.suggested.tolist() == [1, 2, 1]


@pytest.mark.nightly
def test_most_flipped_labels_are_found_and_few_others(tmp_path):
    rows = read_csv(write_two_classes(tmp_path))
    generator = random.Random(0)
    flipped = set(generator.sample(range(len(rows)), len(rows) // 20))
    for row in flipped:
        rows[row]["label"] = "plant" if rows[row]["label"] == "animal" else "animal"
    write_csv(tmp_path / "noisy.csv", [(row["text"], row["label"]) for row in rows])
    options = ("--glove", SLICE, "--preset", "tiny", "--epochs", 4, "--filters", 8, "--folds", 3)
    out = tmp_path / "run"
    shown = train(tmp_path / "noisy.csv", "--find-label-errors", *options, "--out", out).stdout

    found = read_csv(out / "label_errors.csv")
    correct = [int(error["line"]) - 2 in flipped for error in found]  # line 1 is the header
    base_rate = len(flipped) / len(rows)
    assert sum(correct) > 0.6 * len(flipped)
    assert np.mean(correct) > 8 * base_rate
    assert np.mean(correct[: len(flipped) // 2]) > 12 * base_rate

    assert [int(error["rank"]) for error in found] == list(range(1, len(found) + 1))
    assert {error["source"] for error in found} == {"noisy.csv"}
    margins = []
    for error in found:
        row = rows[int(error["line"]) - 2]
        assert (error["text"], error["label"]) == (row["text"], row["label"])
        assert error["suggested"] != error["label"]
        margins.append(float(error["label_probability"]) - float(error["suggested_probability"]))
    assert margins == sorted(margins)

    metrics = read_json(out / "metrics.json")
    assert metrics["split"]["folds"] == 3
    assert metrics["label_errors"]["texts"] == len(found)
    assert metrics["label_errors"]["thresholds"].keys() == {"animal", "plant"}
    first = f"noisy.csv, line {found[0]['line']}: {found[0]['label']}, probably"
    assert f"label errors: {len(found)} of {len(rows):,} texts are probably mislabelled" in shown
    assert first in shown


def test_a_text_of_a_folder_is_named_by_its_file_without_private_paths(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "texts" / "train" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "texts" / "train" / label / f"{number}.txt").write_text(f"{label} {number}")
    for path, expected in (("texts", "train/a/1.txt"), ("texts/train", "train/a/1.txt")):
        corpus = read_inputs([TextSource(str(tmp_path / path))]).train
        assert corpus.place(1) == (expected, None)


def test_five_folds_are_the_default(tmp_path):
    def request(**options):
        return TrainingRequest((TextSource("x.csv"),), tmp_path, find_label_errors=True, **options)

    assert request().folds == 5
    assert request(folds=3).folds == 3
    with pytest.raises(OptionsError, match="--find-label-errors draws dev text"):
        request(dev="dev.csv")
    with pytest.raises(OptionsError, match="--find-label-errors and --init"):
        request(init=tmp_path)
    with pytest.raises(OptionsError, match="--folds draws dev text"):
        request(folds=3, dev="dev.csv")
