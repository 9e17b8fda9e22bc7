"""Training options: validation, presets, and the effect of each option."""

import math

import keras
import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.train import (
    OptionsError,
    TrainingOptions,
    TrainingRequest,
    make_options,
    read_config,
)
from glovelite.train.cli import command
from glovelite.train.data.sources import read_inputs
from glovelite.train.options import PRESETS, RANGES
from glovelite.train.preparation import prepare
from tests.helpers import GLOSSES, SLICE, read_json
from tests.train.command import train
from tests.train.runs import read_metrics

FEW = ("--glove", SLICE, "--epochs", 2)


def read_tokens(folder):
    return read_json(folder / "vocab.json")["tokens"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A run with two kernel sizes, wide weights and word dropout; its first weights; outputs."""
    target = tmp_path_factory.mktemp("wide") / "run"
    options = ("--wide", "--kernel-size", 2, "--kernel-size", 3, "--filters", 8)
    train(GLOSSES, *FEW, *options, "--word-dropout", 0.1, "--out", target)
    model = keras.saving.load_model(target / "model.keras")
    weights = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
    ids = np.array([[5, 6, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    return target, weights, np.asarray(model(ids))


@pytest.mark.slow
def test_layer_names_and_shapes_follow_the_options(wide):
    target, weights, _ = wide
    assert set(weights) == {"table", "conv_1", "conv_2", "wide", "logits"}
    assert weights["conv_1"].shape == (2, 100, 8)
    assert weights["conv_2"].shape == (3, 100, 8)
    assert weights["wide"].shape == (len(weights["table"]), 4)
    vocabulary = read_json(target / "vocab.json")
    assert vocabulary["trailing_padding"] == 3


@pytest.mark.slow
def test_padding_and_the_unknown_word_have_no_wide_weight(wide):
    _, weights, scores = wide
    assert not weights["wide"][:2].any()
    assert np.all(np.isfinite(scores))


@pytest.mark.slow
def test_wide_weights_favor_the_class_of_a_word(wide):
    target, weights, _ = wide
    tokens = read_tokens(target)
    animal, food, person, plant = range(4)
    for word, label in (("bird", animal), ("sauce", food), ("someone", person), ("shrub", plant)):
        assert weights["wide"][tokens.index(word)].argmax() == label


@pytest.mark.nightly
def test_wide_weights_improve_accuracy(wide, tmp_path):
    target, *_ = wide
    same = ("--kernel-size", 2, "--kernel-size", 3, "--filters", 8, "--word-dropout", 0.1)
    train(GLOSSES, *FEW, *same, "--no-wide", "--out", tmp_path / "narrow")
    accuracy = [
        read_metrics(folder)["scores"]["test"]["accuracy"]
        for folder in (target, tmp_path / "narrow")
    ]
    assert accuracy[0] > accuracy[1]


def test_longer_dev_text_sets_the_input_length(tmp_path):
    lines = ["text,label"] + [
        f"a small bird number {n},animal\na green leaf {n},plant" for n in range(40)
    ]
    longer = ["text,label"] + [f"{'a very long text ' * 10} bird {n},animal" for n in range(5)]
    longer += [f"{'a very long text ' * 10} leaf {n},plant" for n in range(5)]
    for name, content in (("train", lines), ("dev", longer)):
        (tmp_path / f"{name}.csv").write_text("\n".join(content) + "\n", "utf-8")
    source, dev = TextSource(tmp_path / "train.csv"), str(tmp_path / "dev.csv")
    request = TrainingRequest((source,), tmp_path / "run", dev=dev, vectors=SLICE)
    data = prepare(read_inputs(request.sources, dev), request, TrainingOptions())
    assert data.vocabulary.max_tokens == data.run.options.max_tokens == 42


@pytest.mark.parametrize("options", [("--wide",), ("--kernel-size", 3, "--kernel-size", 4)])
def test_conv_lstm_rejects_wide_weights_and_several_kernels(tmp_path, options):
    done = train(
        *(GLOSSES, *FEW, "--architecture", "conv-lstm", *options, "--out", tmp_path / "run"),
        check=False,
    )
    assert done.returncode == 1
    assert "conv-lstm takes one kernel size and no wide weights" in done.stderr
    assert "Traceback" not in done.stderr


def test_article_preset_is_the_source_articles_model():
    article = make_options("article")
    assert (article.filters, article.kernel_sizes) == (64, (5,))
    assert (article.wide, article.adapter, article.tuned_words) == (False, 0, 0)


def test_conv_lstm_takes_the_article_preset_by_default():
    assert not make_options(architecture="conv-lstm").wide
    with pytest.raises(OptionsError):
        make_options("base", architecture="conv-lstm")


def test_help_lists_every_preset():
    output = train("--help").stdout
    assert all(name in output for name in PRESETS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "transformer"}, "architecture: expected conv-pool or conv-lstm, found"),
        ({"filters": -3}, "filters: expected an integer from 1 to 1,024, found -3"),
        ({"filters": 2.5}, "filters: expected an integer from 1 to 1,024, found 2.5"),
        ({"filters": None}, "filters: expected an integer from 1 to 1,024, found None"),
        ({"filters": True}, "filters: expected an integer from 1 to 1,024, found True"),
        ({"dropout": float("nan")}, "dropout: expected a number from 0 to 0.9, found nan"),
        ({"punctuation": 1}, "punctuation: expected True or False, found 1"),
        ({"balanced": "yes"}, "balanced: expected True or False, found 'yes'"),
        ({"kernel_sizes": 3}, "kernel_sizes: expected a tuple of one number or more, found 3"),
        ({"unknown_texts": 0.6}, r"unknown_texts: expected a number from 0 to 0.5, found 0.6"),
        ({"dropout": 1.5}, r"dropout: expected a number from 0 to 0.9, found 1.5"),
        ({"epochs": "many"}, "epochs: expected an integer from 1 to 1,000, found 'many'"),
        ({"kernel_sizes": (1, 40)}, "kernel_sizes: expected an integer from 1 to 16, found 40"),
        ({"kernel_sizes": ()}, "kernel_sizes: expected a tuple of one number"),
        ({"max_words": 2}, "max_words: expected an integer of at least 3, found 2"),
    ],
)
def test_invalid_options_are_named(options, message):
    with pytest.raises(OptionsError, match=message):
        TrainingOptions(**options)


def test_every_numeric_option_has_one_range_for_command_line_files_and_python(tmp_path):
    defaults = vars(TrainingOptions())
    of_numbers = {name for name, value in defaults.items() if not isinstance(value, (bool, str))}
    assert of_numbers - {"ngrams"} == set(RANGES)  # which is on, off or chosen
    flags = {option.name: option for option in command.params}
    for name, values in RANGES.items():
        wrong = values.low - 1
        given = {name: (wrong,)} if name == "kernel_sizes" else {name: wrong}
        with pytest.raises(OptionsError, match=f"{name}: expected .*, found {wrong}"):
            TrainingOptions(**given)
        (tmp_path / "options.toml").write_text(f"{name} = {wrong}\n")
        with pytest.raises(
            OptionsError, match=rf"options.toml: {name}: expected .*, found {wrong}"
        ):
            read_config(tmp_path / "options.toml")
        if name in flags:
            assert flags[name].type.min == values.low
            assert flags[name].type.max == (None if values.high == math.inf else values.high)


def test_make_options_takes_lists_and_numbers_of_numpy():
    assert make_options(kernel_sizes=[1, 2]).kernel_sizes == (1, 2)
    options = make_options(filters=np.int64(8), learning_rate=np.float32(0.5), wide=np.bool_(False))
    assert options == make_options(filters=8, learning_rate=0.5, wide=False)
    assert type(options.filters) is int


def test_unknown_options_and_presets_are_named():
    with pytest.raises(OptionsError, match="unknown option 'filter', expected one of adapter"):
        make_options(filter=3)
    with pytest.raises(OptionsError, match="unknown preset 'huge', expected one of tiny"):
        make_options("huge")


@pytest.fixture(scope="module")
def recall_of_rare_class(tmp_path_factory):
    """Recall of a class with 25 texts beside one with 400, with and without class weights."""
    folder = tmp_path_factory.mktemp("rare")
    lines = list(dict.fromkeys(GLOSSES.read_text("utf-8").splitlines()))
    animals = [line for line in lines if line.endswith(",animal")][:500]
    plants = [line for line in lines if line.endswith(",plant")][:25]
    held_out_plants = [line for line in lines if line.endswith(",plant")][200:300]
    (folder / "rare.csv").write_text("\n".join(["text,label", *animals[:400], *plants]), "utf-8")
    for name, part in (("dev", slice(0, 50)), ("test", slice(50, 100))):
        held_out = [*animals[400:][part], *held_out_plants[part]]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *held_out]), "utf-8")
    recall = {}
    for name, options in (("equal", ()), ("balanced", ("--class-weights", "balanced"))):
        sources = (folder / "rare.csv", "--dev", folder / "dev.csv", "--test", folder / "test.csv")
        train(*sources, *FEW, *options, "--out", folder / name)
        recall[name] = read_metrics(folder / name)["scores"]["test"]["classes"][1]["recall"]
    return recall


@pytest.mark.nightly
def test_balanced_class_weights_find_more_of_a_rare_class(recall_of_rare_class):
    assert recall_of_rare_class["balanced"] > recall_of_rare_class["equal"] + 0.1


@pytest.mark.nightly
def test_two_hundred_texts_are_enough_to_start(tmp_path):
    lines = GLOSSES.read_text("utf-8").splitlines()
    (tmp_path / "few.csv").write_text("\n".join([lines[0], *lines[1::10][:200]]) + "\n", "utf-8")
    (tmp_path / "rest.csv").write_text("\n".join([lines[0], *lines[2::10]]) + "\n", "utf-8")
    options = ("--glove", SLICE, "--test", tmp_path / "rest.csv", "--out", tmp_path / "run")
    train(tmp_path / "few.csv", *options)
    assert read_metrics(tmp_path / "run")["scores"]["test"]["accuracy"] > 0.75
