"""Unlabelled text with a teacher's scores: reading, targets, loss, and training."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.data.labelled_text import TextSource
from glovelite.runtime.errors import DataError
from glovelite.train import TrainingRequest, UnlabelledTexts, make_options, train_classifier
from glovelite.train.data.batches import encode_split
from glovelite.train.data.corpus import make_soft, soften, to_distributions
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import split_inputs
from glovelite.train.data.unlabelled import ScoreReader, add_unlabelled, read_unlabelled
from glovelite.train.fitting.self_training import label_unlabelled
from glovelite.train.model.outputs import class_weights, make_goals
from glovelite.train.model.wide import initial_wide_weights
from glovelite.train.preparation import prepare
from tests.helpers import (
    SLICE,
    read_csv,
    read_json,
    write_json_lines,
    write_pairs,
    write_two_classes,
)
from tests.train.command import train

TEXTS = ("a small tree", "a big dog", "a red flower")


@pytest.fixture(scope="module")
def gold(tmp_path_factory):
    """Training text of two classes, animal and plant."""
    path = write_two_classes(tmp_path_factory.mktemp("gold"))
    return read_inputs([TextSource(str(path))])


@pytest.fixture
def texts(tmp_path):
    return write_json_lines(tmp_path / "texts.jsonl", [{"text": text} for text in TEXTS])


def read(gold, texts, teacher, **options):
    source = UnlabelledTexts(str(texts), None if teacher is None else str(teacher), **options)
    return read_unlabelled(source, gold.train)


ROWS = [(0.9, 0.1), (0.2, 0.8), (0.5, 0.5)]


@pytest.mark.parametrize("form", ["jsonl", "prediction", "csv", "tsv"])
def test_scores_are_read_from_each_format(gold, texts, tmp_path, form):
    records = [{"animal": one, "plant": other} for one, other in ROWS]
    if form in ("csv", "tsv"):
        teacher = tmp_path / f"scores.{form}"
        with teacher.open("w", encoding="utf-8", newline="") as file:
            separator = "\t" if form == "tsv" else ","
            writer = csv.DictWriter(file, ["animal", "plant"], delimiter=separator)
            writer.writeheader()
            writer.writerows(records)
    else:
        wrapped = [{"probabilities": record} for record in records]
        if form == "prediction":
            wrapped = [{"text": "x", "prediction": prediction} for prediction in wrapped]
        teacher = write_json_lines(tmp_path / "scores.jsonl", wrapped)
    corpus = read(gold, texts, teacher)
    assert list(corpus.texts) == list(TEXTS)
    assert corpus.soft.probabilities == pytest.approx(np.array(ROWS))
    assert corpus.labels[:2] == ["animal", "plant"]


def test_scores_may_be_beside_the_texts_with_weights(gold, tmp_path):
    path = write_json_lines(
        tmp_path / "soft.jsonl",
        [
            {"text": "a dog", "probabilities": {"animal": 1.0}, "weight": 2},
            {"text": "a tree", "label": "plant", "weight": 0},
            {"text": "a rose", "label": "plant"},
        ],
    )
    corpus = read(gold, path, None, weight=0.5)
    assert list(corpus.texts) == ["a dog", "a rose"]
    assert corpus.soft.weights.tolist() == [1.0, 0.5]
    assert corpus.soft.probabilities.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([{"label": "animal"}] * 2, "scores for each of the 3 texts of .*, found 2"),
        ([{"label": "animal"}] * 5, "scores for each of the 3 texts of .*, found 5"),
        ([{"label": "stone"}] * 3, "line 1: 'stone' is not a label of the training text"),
        ([{"probabilities": {"animal": 0.4, "plant": 0.4}}] * 3, "sum to 1, found a sum of 0.8"),
        ([{"probabilities": {"animal": -1, "plant": 2}}] * 3, "from 0 to 1, found -1"),
        ([{"probabilities": {"animal": "x"}}] * 3, "animal: expected a number, found 'x'"),
        ([{"labels": ["animal", "plant"]}] * 3, "expected probabilities or a label"),
        ([{"score": 1}] * 3, "expected probabilities of the labels animal, plant, found score"),
        ([{"label": "animal", "weight": -1}] * 3, "expected a weight of 0 or more, found -1"),
        ([{"label": "animal", "weight": 0}] * 3, "all have a weight of 0"),
    ],
)
def test_scores_that_do_not_fit_are_a_one_line_error(gold, texts, tmp_path, scores, message):
    with pytest.raises(DataError, match=message) as caught:
        read(gold, texts, write_json_lines(tmp_path / "scores.jsonl", scores))
    assert "\n" not in str(caught.value)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=5))
def test_distributions_are_normalized(values):
    total = sum(values)
    labels = [f"l{number}" for number in range(len(values))]
    row = ScoreReader(labels, multi_label=False)(
        {label: value / total for label, value in zip(labels, values)}
    )
    assert sum(row) == pytest.approx(1)


def test_probabilities_of_several_labels_are_independent():
    assert ScoreReader(("a", "b"), multi_label=True)({"a": 0.9, "b": 0.8}) == [0.9, 0.8]
    assert ScoreReader(("a", "b"), multi_label=True)([]) == [0, 0]


def test_scores_may_be_of_numpy_and_labels_numbers():
    reader = ScoreReader(("0", "1"), multi_label=False)
    classes, probabilities = np.array([0, 1]), np.array([0.25, 0.75], np.float32)
    assert reader(dict(zip(classes, probabilities))) == [0.25, 0.75]
    assert reader(classes[1]) == reader(1) == reader("1") == [0, 1]
    with pytest.raises(ValueError, match="2 is not a label of the training text"):
        reader(2)


def test_a_temperature_above_1_makes_a_teacher_less_certain():
    row = np.array([[0.9, 0.1]], np.float32)
    assert soften(row, 1.0, multi_label=False) == pytest.approx(row)
    assert soften(row, 2.0, multi_label=False) == pytest.approx(np.array([[0.75, 0.25]]))
    assert soften(row, 2.0, multi_label=True) == pytest.approx(np.array([[0.75, 0.25]]))


def test_copies_of_held_out_and_of_labelled_text_are_dropped(gold, tmp_path):
    split = split_inputs(gold, 0)
    copies = [next(iter(part.texts)) for _, part in split]
    path = write_json_lines(
        tmp_path / "soft.jsonl", [{"text": text, "label": "plant"} for text in (*copies, "new")]
    )
    added, lines = add_unlabelled(split, read(gold, path, None))
    assert len(added.train) == len(split.train) + 1
    assert (len(added.dev), len(added.test)) == (len(split.dev), len(split.test))
    assert sum("dropped" in line for line in lines) == 3
    assert added.train.soft.weights.tolist() == [1.0] * len(added.train)
    assert added.train.fingerprint != split.train.fingerprint


@pytest.fixture
def encoded(gold, tmp_path, vocabulary):
    """Three labelled texts, and an unlabelled one of weight 0.5."""
    split = split_inputs(gold, 0)
    part = split.train.select([0, 1, 2])
    record = {"text": "new text", "probabilities": {"animal": 0.3, "plant": 0.7}}
    path = write_json_lines(tmp_path / "soft.jsonl", [record])
    split, _ = add_unlabelled(
        type(split)(part, split.dev, split.test), read(gold, path, None, weight=0.5)
    )
    return encode_split(split, vocabulary, make_options())


@pytest.fixture
def vocabulary():
    from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary

    return Vocabulary((*SPECIAL_TOKENS, "new", "a"), ("animal", "plant"), 20, 1)


def test_texts_are_trained_towards_probabilities_with_their_weights(encoded):
    train_text, dev, _ = encoded
    goals = make_goals(train_text, 1, train_text, balanced=False)
    assert goals.targets[-1] == pytest.approx([0.7])
    assert goals.weights.tolist() == [1, 1, 1, 0.5]
    assert set(goals.targets[:3, 0].tolist()) <= {0.0, 1.0}
    dev_goals = make_goals(dev, 1, train_text, balanced=False)
    assert dev_goals.targets.shape == (len(dev), 1)
    assert set(dev_goals.targets[:, 0].tolist()) == {0.0, 1.0}


def test_counts_of_classes_are_expected_counts(encoded):
    train_text, _, _ = encoded
    given_plants = int(train_text.targets[:3].sum())
    counts = train_text.count_classes(2)
    assert counts == pytest.approx([3 - given_plants + 0.15, given_plants + 0.35])
    assert train_text.total_weight == 3.5
    weights = class_weights(train_text, 2)
    assert weights @ counts == pytest.approx(3.5)


def test_wide_weights_count_a_teachers_labels_by_probability(encoded):
    """The word `new` occurs only in the unlabelled text, which is rather of the second class."""
    weights = initial_wide_weights(encoded[0], 4, 2).rows
    assert weights[2, 0] > 0


def test_certain_distributions_are_the_classes():
    assert to_distributions(np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert make_soft(np.array([[True, False]]), 2).probabilities.tolist() == [[1, 0]]


@pytest.mark.nightly
def test_certain_scores_train_like_labels(tmp_path):
    """Unlabelled texts with the scores 0 and 1 give what the same labelled texts give."""
    rows = read_csv(write_two_classes(tmp_path))
    held_out = write_json_lines(tmp_path / "held.jsonl", rows[:60])
    more = write_json_lines(tmp_path / "more.jsonl", rows[160:600])
    first = write_json_lines(tmp_path / "first.jsonl", rows[60:160])
    both = write_json_lines(tmp_path / "both.jsonl", rows[60:600])
    common = ("--glove", SLICE, "--dev", held_out, "--test", held_out.with_name("test.jsonl"))
    write_json_lines(held_out.with_name("test.jsonl"), rows[600:])
    common += ("--filters", 4, "--epochs", 2, "--no-wide")
    train(both, *common, "--out", tmp_path / "labelled")
    train(first, *common, "--out", tmp_path / "soft", "--unlabelled", more)
    scores = [
        read_json(tmp_path / name / "metrics.json")["scores"]["test"]
        for name in ("labelled", "soft")
    ]
    assert scores[1]["accuracy"] == pytest.approx(scores[0]["accuracy"], abs=0.02)


def test_a_teacher_without_texts_is_wrong_usage(tmp_path):
    done = train(write_pairs(tmp_path), "--teacher", "x", "--out", tmp_path / "run", check=False)
    assert done.returncode == 2
    assert "--unlabelled" in done.stderr


def test_texts_and_scores_are_taken_from_memory(tmp_path):
    rows = read_csv(write_two_classes(tmp_path))
    columns = [[row[name] for row in rows[:200]] for name in ("text", "label")]
    options = make_options("article", filters=2, epochs=1)
    further = {"unlabelled": ["an odd new tree", "an odd new dog"], "vectors": SLICE}
    run = train_classifier(
        *columns, tmp_path / "run", options, **further, teacher_weight=0.5,
        teacher=[{"animal": 0.2, "plant": 0.8}, "animal"],
    )  # fmt: skip
    assert run.metrics.as_dict()["teacher"] == {
        "texts": 2, "weight": 0.5, "temperature": 1.0, "self_training": False,
    }  # fmt: skip
    column = np.array(["animal"])
    with pytest.raises(DataError, match="scores of each of the 2 texts, found 1"):
        train_classifier(*columns, tmp_path / "x", options, **further, teacher=column)


class TestSelfTraining:
    """Models of the labelled text score the unlabelled text."""

    @pytest.fixture
    def parts(self, tmp_path):
        """Few labelled texts, many unlabelled ones and others to be scored on."""
        path = write_two_classes(tmp_path)
        rows = read_csv(path)
        return (
            write_json_lines(tmp_path / "gold.jsonl", rows[:60]),
            write_json_lines(
                tmp_path / "more.jsonl", [{"text": row["text"]} for row in rows[60:600]]
            ),
            write_json_lines(tmp_path / "test.jsonl", rows[600:]),
        )

    @pytest.fixture
    def data(self, parts):
        """The prepared text."""
        inputs = read_inputs([TextSource(str(parts[0]))], None, str(parts[2]))
        source = UnlabelledTexts(str(parts[1]), self_training=True)
        unlabelled = read_unlabelled(source, inputs.train)
        assert (unlabelled.soft.probabilities == 0.5).all()
        request = TrainingRequest((), "run", vectors=SLICE, unlabelled=source)
        options = make_options("tiny", filters=4, epochs=2)
        return prepare(replace(inputs, unlabelled=unlabelled), request, options)

    @staticmethod
    def label(data, teacher=None):
        """Return the training text that models label, and which rows of it they do."""
        source = UnlabelledTexts("more.jsonl", teacher, self_training=True)
        given = data.split, data.gold, data.table, data.vocabulary, data.run.options
        taught = label_unlabelled(*given, source).train
        return taught, taught.is_from({"unlabelled"})

    @pytest.mark.slow
    def test_labels_follow_the_models_and_given_labels_stay(self, data):
        taught, rows = self.label(data)
        before = data.split.train.soft.probabilities
        np.testing.assert_array_equal(taught.soft.probabilities[~rows], before[~rows])
        assert np.ptp(taught.soft.probabilities[rows], axis=0).min() > 0.1
        np.testing.assert_array_equal(
            taught.targets[rows], taught.soft.probabilities[rows].argmax(axis=1)
        )

    @pytest.mark.nightly
    def test_the_mean_with_a_teachers_scores_is_taken(self, data):
        alone, rows = self.label(data)
        both, _ = self.label(data, "scores")
        np.testing.assert_allclose(
            both.soft.probabilities[rows], (alone.soft.probabilities[rows] + 0.5) / 2, atol=1e-6
        )

    @pytest.mark.slow
    def test_it_trains_on_texts_alone(self, parts, tmp_path):
        gold, more, test = parts
        train(
            gold, "--test", test, "--unlabelled", more, "--self-training",
            "--glove", SLICE, "--filters", 4, "--epochs", 2, "--out", tmp_path / "run",
        )  # fmt: skip
        metrics = read_json(tmp_path / "run/metrics.json")
        assert metrics["teacher"]["self_training"]
        assert metrics["teacher"]["texts"] > 500

    @pytest.mark.slow
    def test_texts_without_scores_are_named_with_the_way_out(self, gold, parts):
        with pytest.raises(DataError, match="--self-training needs no scores"):
            read(gold, parts[1], None)

    @pytest.mark.slow
    def test_texts_are_not_scored_by_models_that_learned_from_them(self, parts, tmp_path):
        given = ("--unlabelled", parts[1], "--self-training", "--out", tmp_path / "run")
        done = train(parts[0], *given, "--folds", 2, check=False)
        assert done.returncode == 2
        assert "and --self-training" in done.stderr
