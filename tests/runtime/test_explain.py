"""Explanations add up to the label's logit; the terminal formatter shows them."""

import json
import os
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glovelite import Classifier, InputError
from glovelite.runtime.classifier import Prediction
from glovelite.runtime.cli.terminal import (
    TerminalFormatter,
    draw_bar,
    highlight_words,
    one_line,
    supports_color,
)
from glovelite.runtime.interpreter import TFLiteModel
from tests.helpers import ALL_DIMENSIONS, read_json

TEXTS = [
    "a small wild bird that sings at night",
    "one who sells meat, fish and bread in the market",
    "It wasn't a tree, it was a flowering shrub of the rose family!",
    "",
]


def log_odds(prediction: Prediction) -> float:
    logs = {label: np.log(value) for label, value in prediction.probabilities.items()}
    own = logs.pop(prediction.label)
    against = list(logs.values()) if len(logs) == 1 else [own, *logs.values()]
    return float(own - np.mean(against))


@pytest.fixture(scope="module")
def bundles(exported):
    """Classifiers of every recipe, of two and four classes, and of each layout."""
    paths = {
        "dynamic": exported("glosses"),
        "two-classes": exported("two", "--quantize", "float32"),
        "folded": exported("glosses", "--layout", "folded"),
        "int4": exported("glosses", "--quantize", "int4"),
        "float16": exported("glosses", "--quantize", "float16"),
        "folded-float16": exported("glosses", "--quantize", "float16", "--layout", "folded"),
        "int8": exported("glosses", "--quantize", "int8", *ALL_DIMENSIONS),
    }
    return {name: Classifier.load(path) for name, path in paths.items()}


@pytest.mark.parametrize("name", ["dynamic", "two-classes", "folded", "int4", "float16", "int8"])
def test_scores_do_not_depend_on_the_order_of_lengths(bundles, name):
    vocabulary = bundles[name].bundle.vocabulary
    words = (vocabulary.tokens[2:] * 40)[:1200]
    model = TFLiteModel(bundles[name].bundle.model, bundles[name].bundle.fixed_length)
    for count in (100, 300, 10, 900, 120, 40, 600, 100, 10, 1000, 200, 900, 60):
        ids = vocabulary.encode(" ".join(words)).ids
        ids = (ids * 50)[:count]
        fresh = TFLiteModel(bundles[name].bundle.model, bundles[name].bundle.fixed_length)
        expected = fresh.run(ids, vocabulary.trailing_padding)
        assert (model.run(ids, vocabulary.trailing_padding) == expected).all()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["dynamic", "two-classes", "folded", "int4", "float16"])
def test_parts_add_up_to_the_logit(bundles, name, text):
    explanation = bundles[name].explain(text)
    (prediction,) = bundles[name].predict(text)
    assert explanation.method == "exact"
    assert explanation.label == prediction.label
    total = sum(explanation.parts) + explanation.rest
    assert total == pytest.approx(log_odds(prediction), abs=0.02)


def test_both_layouts_give_the_same_parts(bundles):
    conv, folded = (bundles[name].explain(TEXTS[0]) for name in ("float16", "folded-float16"))
    assert conv.tokens == folded.tokens
    assert conv.parts == pytest.approx(folded.parts, abs=0.02)


def test_int8_models_are_explained(bundles):
    explanation = bundles["int8"].explain(TEXTS[0])
    exact = bundles["dynamic"].explain(TEXTS[0])
    assert explanation.label == exact.label
    assert np.argmax(explanation.parts) == np.argmax(exact.parts)


def test_occlusion_explains_a_model_that_does_not_split(bundles, monkeypatch):
    exact = bundles["dynamic"].explain(TEXTS[0])
    monkeypatch.setattr("glovelite.runtime.explain.split_logit", lambda *_: None)
    occluded = bundles["dynamic"].explain(TEXTS[0])
    (prediction,) = bundles["dynamic"].predict(TEXTS[0])
    assert occluded.method == "occlusion"
    assert sum(occluded.parts) + occluded.rest == pytest.approx(log_odds(prediction), abs=0.001)
    assert np.argmax(occluded.parts) == np.argmax(exact.parts)


def test_a_single_word_gets_the_logit(bundles):
    explanation = bundles["two-classes"].explain("bird")
    bare = bundles["two-classes"].explain("")
    (prediction,), (empty,) = (bundles["two-classes"].predict(text) for text in ("bird", ""))
    assert explanation.label == prediction.label == "animal"
    sign = 1 if empty.label == "animal" else -1
    assert explanation.parts[0] > 0
    assert explanation.rest <= sign * bare.rest + 0.02  # padding loses n-grams to the word


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80))
def test_explain_accepts_any_text(bundles, text):
    explanation = bundles["dynamic"].explain(text)
    assert len(explanation.tokens) == len(explanation.parts)
    assert np.isfinite([*explanation.parts, explanation.rest]).all()


def test_explain_names_the_stand_ins_of_hashed_words(hashed_bundle, run_folder):
    classifier = Classifier.load(hashed_bundle)
    listed = classifier.bundle.vocabulary.tokens
    trained = read_json(run_folder / "vocab.json")["tokens"]
    others = [word for word in trained if word not in listed]  # hashed, most of them
    text = " ".join([*others[:5], "zyxq"])
    explanation = classifier.explain(text)
    hashed = {t: s for t, s in zip(explanation.tokens, explanation.stand_ins) if s is not None}
    assert hashed
    assert not set(hashed) & set(listed)
    assert set(hashed.values()) <= set(listed)
    assert "zyxq" not in hashed
    assert explanation.as_dict()["stand_ins"] == hashed
    (prediction,) = classifier.predict(text)
    line = TerminalFormatter(1, False, color=False).format(text, prediction, None, [explanation])
    word, stand_in = next(iter(hashed.items()))
    assert f"{word} (as {stand_in})" in line


def test_explain_rejects_what_is_not_text(bundles):
    with pytest.raises(InputError):
        bundles["dynamic"].explain(None)


def test_explain_option_prints_words_and_json(command):
    answer, explanation = command("--explain", TEXTS[0]).stdout.splitlines()
    assert answer.startswith("animal")
    assert explanation.split(":")[0].strip() == "animal"
    assert " bird" in explanation
    found = json.loads(command("--explain", TEXTS[0], "--json").stdout)["explanation"]
    assert found["method"] == "exact"
    assert [word for word, _ in found["words"]] == TEXTS[0].split()


ANSWER = Prediction("b", 0.75, {"a": 0.25, "b": 0.75}, False, 1.0, False, False, 0.75, ("b",))


def test_formatter_uses_color_only_on_a_terminal(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with (tmp_path / "file").open("w") as file:
        assert not supports_color(file)
    assert not supports_color(None)
    assert TerminalFormatter(1, False, color=False).format("x", ANSWER) == "b   75.0%  x"
    assert "███████▌" in TerminalFormatter(1, False, color=True).format("x", ANSWER)


@pytest.mark.parametrize(
    ("share", "bar"), [(0, " " * 10), (0.25, "██▌       "), (1, "█" * 10), (2, "█" * 10)]
)
def test_draw_bar_length_is_the_share(share, bar):
    assert draw_bar(share) == bar


@given(st.text())
def test_one_line_replaces_control_characters(text):
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in one_line(text))


def test_highlight_words_keeps_the_text_as_written(bundles):
    text = "A SMALL, wild bird’s nest\n\x1b[2Jhere"
    marked = highlight_words(text, bundles["dynamic"].explain(text))
    plain = marked
    for code in ("\033[1m", "\033[32m", "\033[31m", "\033[0m"):
        plain = plain.replace(code, "")
    assert plain == "A SMALL, wild bird’s nest �[2Jhere"
    assert marked != plain


def test_command_uses_color_on_a_terminal(bundle, device_python):
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [device_python, "-m", "glovelite.runtime", bundle, "a wild bird"]
    with subprocess.Popen(list(map(str, command)), stdout=other, env=environment):
        os.close(other)
        shown = os.read(main, 10_000).decode()
    os.close(main)
    assert "█" in shown
    assert "\033[" in shown
