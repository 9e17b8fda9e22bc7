"""Presets and what they are made of: each does what it says."""

import json
import sys

import numpy as np
import pytest
from helpers import GLOSSES, SLICE, run, train

from train import SettingsError
from train.options import PRESETS, choose_settings

READ = """
import json, sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
weights = {each.name: each.get_weights()[0].tolist() for each in model.layers if each.get_weights()}
ids = np.array([[5, 6, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
print(json.dumps([weights, np.asarray(model(ids)).tolist()]))
"""
FEW = ("--glove", SLICE, "--epochs", 2)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    target = tmp_path_factory.mktemp("wide") / "run"
    options = ("--wide", "--kernel-size", 2, "--kernel-size", 3, "--filters", 8)
    train(GLOSSES, *FEW, *options, "--word-dropout", 0.1, "--out", target)
    done = run(sys.executable, "-c", READ, target / "model.keras")
    weights, scores = json.loads(done.stdout.splitlines()[-1])
    return target, {name: np.array(each) for name, each in weights.items()}, np.array(scores)


def test_the_layers_are_those_of_the_contract(wide):
    target, weights, _ = wide
    assert set(weights) == {"table", "conv_1", "conv_2", "wide", "logits"}
    assert weights["conv_1"].shape == (2, 100, 8)
    assert weights["conv_2"].shape == (3, 100, 8)
    assert weights["wide"].shape == (len(weights["table"]), 4)
    vocabulary = json.loads((target / "vocab.json").read_text("utf-8"))
    assert vocabulary["trailing_padding"] == 3


def test_padding_weighs_nothing(wide):
    _, weights, scores = wide
    assert not weights["wide"][0].any()
    assert np.all(np.isfinite(scores))


def test_wide_weights_know_the_words_of_their_class(wide):
    target, weights, _ = wide
    tokens = json.loads((target / "vocab.json").read_text("utf-8"))["tokens"]
    animal, food, person, plant = range(4)
    for word, label in (("bird", animal), ("sauce", food), ("someone", person), ("shrub", plant)):
        assert weights["wide"][tokens.index(word)].argmax() == label


def test_wide_weights_bring_something(wide, tmp_path):
    target, *_ = wide
    same = ("--kernel-size", 2, "--kernel-size", 3, "--filters", 8, "--word-dropout", 0.1)
    train(GLOSSES, *FEW, *same, "--no-wide", "--out", tmp_path / "narrow")
    scores = [
        json.loads((folder / "metrics.json").read_text("utf-8"))["scores"]["test"]["accuracy"]
        for folder in (target, tmp_path / "narrow")
    ]
    assert scores[0] > scores[1]


def test_a_table_of_4_bits(tmp_path):
    train(GLOSSES, *FEW, "--preset", "article", "--table-bits", 4, "--out", tmp_path / "run")
    done = run(sys.executable, "-c", READ, tmp_path / "run/model.keras")
    table = np.array(json.loads(done.stdout.splitlines()[-1])[0]["table"])
    frozen = table[2:60]  # the commonest words, which GloVe has
    codes = frozen / np.abs(frozen).max(axis=1, keepdims=True) * 7
    assert np.mean(np.abs(codes - np.rint(codes)) < 1e-3) > 0.95  # but for a few learned rows


def test_dev_text_that_is_longer_sets_the_length(tmp_path):
    lines = ["text,label"] + [
        f"a small bird number {n},animal\na green leaf {n},plant" for n in range(40)
    ]
    longer = ["text,label"] + [f"{'a very long text ' * 10} bird {n},animal" for n in range(5)]
    longer += [f"{'a very long text ' * 10} leaf {n},plant" for n in range(5)]
    for name, content in (("train", lines), ("dev", longer)):
        (tmp_path / f"{name}.csv").write_text("\n".join(content) + "\n", "utf-8")
    given = (tmp_path / "train.csv", "--dev", tmp_path / "dev.csv")
    train(*given, *FEW, "--out", tmp_path / "run")
    assert json.loads((tmp_path / "run/vocab.json").read_text("utf-8"))["max_tokens"] == 42


@pytest.mark.parametrize("options", [("--wide",), ("--kernel-size", 3, "--kernel-size", 4)])
def test_conv_lstm_takes_neither(tmp_path, options):
    done = train(
        *(GLOSSES, *FEW, "--architecture", "conv-lstm", *options, "--out", tmp_path / "run"),
        check=False,
    )
    assert done.returncode == 1
    assert "conv-lstm has one kernel size and no wide weights" in done.stderr
    assert "Traceback" not in done.stderr


def settings_of(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))["configuration"]


def test_a_preset_sets_what_is_not_given(tmp_path):
    train(GLOSSES, *FEW, "--preset", "tiny", "--filters", 4, "--out", tmp_path / "run")
    settings = settings_of(tmp_path / "run")
    assert settings["filters"] == 4
    assert settings["max_words"] == PRESETS["tiny"].max_words
    assert settings["wide"]
    assert settings["adapter"]


def test_the_article_s_own_model_is_a_preset():
    article = choose_settings("article")
    assert (article.filters, article.kernel_sizes) == (64, (5,))
    assert (article.wide, article.adapter, article.tuned_words) == (False, 0, 0)
    assert article.weight_average == 0


def test_conv_lstm_is_the_article_s_unless_told_otherwise():
    assert not choose_settings(architecture="conv-lstm").wide
    with pytest.raises(SettingsError):
        choose_settings("base", architecture="conv-lstm")


def test_every_preset_is_offered():
    offered = train("--help").stdout
    assert all(name in offered for name in PRESETS)


def test_vectors_that_move_are_not_rounded_first():
    with pytest.raises(SettingsError, match="--preset article"):
        choose_settings("base", table_bits=4)


LOOK_UP = """
import json
import numpy as np
from train.model.lookup import LearnedTable, choose_rows
from train.options import Settings
from train.vectors.embedding_table import Table

random = np.random.default_rng(0)
vectors = random.normal(size=(9, 5)).astype(np.float32)
vectors[[0, 1, 4]] = 0
table = Table(tuple("abcdefghi"), vectors, (1, 4), None)
plain = LearnedTable(table, Settings(adapter=0))
adapted = LearnedTable(table, Settings(adapter=7, tuned_words=3))
ids = np.array([3, 2, 0, 4, 1, 8])
answers = {name: (layer(ids).numpy().tolist(), layer.merged().tolist())
           for name, layer in (("plain", plain), ("adapted", adapted))}
rows = choose_rows(table, 3)
print(json.dumps([vectors.tolist(), answers, rows.ids, rows.pace[:, 0].tolist()]))
"""


@pytest.fixture(scope="module")
def looked_up():
    done = run(sys.executable, "-c", LOOK_UP)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_merged_table_holds_all_that_training_looked_up(looked_up):
    _, answers, *_ = looked_up
    for seen, merged in answers.values():
        assert np.allclose(np.array(seen), np.array(merged)[[3, 2, 0, 4, 1, 8]], atol=1e-6)


def test_padding_stays_zero_and_glove_stays_glove(looked_up):
    vectors, answers, *_ = looked_up
    plain, adapted = (np.array(answers[name][1]) for name in ("plain", "adapted"))
    assert not plain[0].any()
    assert not adapted[0].any()
    assert np.allclose(plain[[2, 3, 5, 6, 7, 8]], np.array(vectors)[[2, 3, 5, 6, 7, 8]])
    assert not np.allclose(adapted[8], vectors[8])  # a word that is neither learned nor tuned


def test_the_commonest_words_are_tuned_slowly(looked_up):
    *_, ids, pace = looked_up
    assert ids == [1, 2, 3, 4]
    assert pace == pytest.approx([1, 0.3, 0.3, 1])


AVERAGE = """
import json
import keras
from train.model.optimizer import AveragingAdam

optimizer, weight = AveragingAdam(0.5, 0.6), keras.Variable([0.0])
optimizer.build([weight])
steps = []
for _ in range(5):
    optimizer.apply([keras.ops.array([1.0])], [weight])
    steps.append(float(weight[0]))
optimizer.finalize_variable_values([weight])
print(json.dumps([steps, float(weight[0])]))
"""


def test_the_average_is_of_the_later_steps_and_not_of_the_start():
    done = run(sys.executable, "-c", AVERAGE)
    steps, average = json.loads(done.stdout.splitlines()[-1])
    expected = 0.0
    for number, weight in enumerate(steps):
        momentum = min(0.6, number / (number + 2))  # 0, 1/3, 1/2, then 0.6
        expected = momentum * expected + (1 - momentum) * weight
    assert average == pytest.approx(expected)


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """Five hundred texts of one class and 25 of another."""
    folder = tmp_path_factory.mktemp("rare")
    lines = list(dict.fromkeys(GLOSSES.read_text("utf-8").splitlines()))
    animals = [line for line in lines if line.endswith(",animal")][:500]
    plants = [line for line in lines if line.endswith(",plant")][:25]
    held = [line for line in lines if line.endswith(",plant")][200:300]
    (folder / "rare.csv").write_text("\n".join(["text,label", *animals[:400], *plants]), "utf-8")
    for name, part in (("dev", slice(0, 50)), ("test", slice(50, 100))):
        held_out = [*animals[400:][part], *held[part]]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *held_out]), "utf-8")
    recalls = {}
    for name, options in (("alike", ()), ("balanced", ("--class-weights", "balanced"))):
        given = (folder / "rare.csv", "--dev", folder / "dev.csv", "--test", folder / "test.csv")
        train(*given, *FEW, *options, "--out", folder / name)
        scores = json.loads((folder / name / "metrics.json").read_text("utf-8"))["scores"]["test"]
        recalls[name] = scores["classes"][1]["recall"]
    return recalls


def test_balanced_weights_find_more_of_a_rare_class(rare):
    assert rare["balanced"] > rare["alike"] + 0.1


def test_two_hundred_texts_are_enough_to_begin(tmp_path):
    lines = GLOSSES.read_text("utf-8").splitlines()
    (tmp_path / "few.csv").write_text("\n".join([lines[0], *lines[1::10][:200]]) + "\n", "utf-8")
    (tmp_path / "rest.csv").write_text("\n".join([lines[0], *lines[2::10]]) + "\n", "utf-8")
    options = ("--glove", SLICE, "--test", tmp_path / "rest.csv", "--out", tmp_path / "run")
    train(tmp_path / "few.csv", *options)
    scores = json.loads((tmp_path / "run/metrics.json").read_text("utf-8"))["scores"]["test"]
    assert scores["accuracy"] > 0.75
