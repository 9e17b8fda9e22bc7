"""Wide weights, several widths, word dropout, a rounded table: each does what it says."""

import json
import sys

import numpy as np
import pytest
from conftest import GLOSSES, SLICE, run, train

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
    train(GLOSSES, *FEW, "--kernel-size", 3, "--filters", 8, "--out", tmp_path / "narrow")
    scores = [
        json.loads((folder / "metrics.json").read_text("utf-8"))["scores"]["test"]["accuracy"]
        for folder in (target, tmp_path / "narrow")
    ]
    assert scores[0] > scores[1]


def test_a_table_of_4_bits(tmp_path):
    train(GLOSSES, *FEW, "--table-bits", 4, "--out", tmp_path / "run")
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
