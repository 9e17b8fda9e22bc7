"""An explanation adds up to the label's logit, and says how it was come by."""

import json
import os
import subprocess

import numpy as np
import pytest
from helpers import convert, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import Classifier, InputError
from runtime.interpreter import Model
from runtime.prediction import Prediction
from runtime.terminal import Screen, draw_bar, mark_words, one_line, wants_colour

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
def bundles(run_folder, binary_run_folder, tmp_path_factory):
    """A bundle of every arithmetic, of two classes and of four, and one of each layout."""
    folder, made = tmp_path_factory.mktemp("explained"), {}
    for name, source, *options in (
        ("dynamic", run_folder),
        ("two-classes", binary_run_folder),
        ("folded", run_folder, "--layout", "folded"),
        ("int4", run_folder, "--quantize", "int4"),
        ("float16", run_folder, "--quantize", "float16"),
        ("int8", run_folder, "--quantize", "int8"),
    ):
        convert("export", source, "--out", folder / name, "--max-accuracy-drop", 100, *options)
        made[name] = Classifier.load(folder / name)
    return made


@pytest.mark.parametrize("name", ["dynamic", "two-classes", "folded", "int4", "float16", "int8"])
def test_lengths_in_any_order_are_answered_alike(bundles, name):
    vocabulary = bundles[name].bundle.vocabulary
    words = (vocabulary.tokens[2:] * 40)[:1200]
    model = Model(bundles[name].bundle.model, bundles[name].bundle.fixed_length)
    for count in (100, 300, 10, 900, 120, 40, 600, 100, 10, 1000, 200, 900, 60):
        ids = vocabulary.encode(" ".join(words)).ids
        ids = (ids * 50)[:count]
        fresh = Model(bundles[name].bundle.model, bundles[name].bundle.fixed_length)
        expected = fresh.run(ids, vocabulary.trailing_padding)
        assert (model.run(ids, vocabulary.trailing_padding) == expected).all()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["dynamic", "two-classes", "folded", "int4", "float16"])
def test_the_parts_of_the_words_add_up_to_the_logit(bundles, name, text):
    explanation = bundles[name].explain(text)
    (prediction,) = bundles[name].predict(text)
    assert explanation.method == "exact"
    assert explanation.label == prediction.label
    total = sum(explanation.parts) + explanation.rest
    assert total == pytest.approx(log_odds(prediction), abs=0.02)


def test_both_layouts_of_a_model_tell_the_same(bundles):
    conv, folded = (bundles[name].explain(TEXTS[0]) for name in ("dynamic", "folded"))
    assert conv.tokens == folded.tokens
    assert conv.parts == pytest.approx(folded.parts, abs=0.1)


def test_arithmetic_in_whole_numbers_is_explained_too(bundles):
    explanation = bundles["int8"].explain(TEXTS[0])
    exact = bundles["dynamic"].explain(TEXTS[0])
    assert explanation.label == exact.label
    assert np.argmax(explanation.parts) == np.argmax(exact.parts)


def test_a_model_that_does_not_split_is_explained_by_leaving_words_out(bundles, monkeypatch):
    exact = bundles["dynamic"].explain(TEXTS[0])
    monkeypatch.setattr("runtime.explain.split_exactly", lambda *_: None)
    occluded = bundles["dynamic"].explain(TEXTS[0])
    (prediction,) = bundles["dynamic"].predict(TEXTS[0])
    assert occluded.method == "occlusion"
    assert sum(occluded.parts) + occluded.rest == pytest.approx(log_odds(prediction), abs=0.001)
    assert np.argmax(occluded.parts) == np.argmax(exact.parts)


def test_a_word_alone_decides_by_itself(bundles):
    explanation = bundles["two-classes"].explain("bird")
    bare = bundles["two-classes"].explain("")
    (prediction,), (empty,) = (bundles["two-classes"].predict(text) for text in ("bird", ""))
    assert explanation.label == prediction.label == "animal"
    sign = 1 if empty.label == "animal" else -1
    assert explanation.parts[0] > 0
    assert explanation.rest <= sign * bare.rest + 0.02  # padding loses n-grams to the word


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80))
def test_any_text_is_explained(bundles, text):
    explanation = bundles["dynamic"].explain(text)
    assert len(explanation.tokens) == len(explanation.parts)
    assert np.isfinite([*explanation.parts, explanation.rest]).all()


def test_what_is_no_text_is_refused(bundles):
    with pytest.raises(InputError):
        bundles["dynamic"].explain(None)


def test_the_command_tells_in_words_and_in_json(bundle, device_python):
    command = (device_python, "-m", "runtime", bundle, "--explain", TEXTS[0])
    answer, told = run(*command).stdout.splitlines()
    assert answer.startswith("animal")
    assert told.split(":")[0].strip() == "animal"
    assert " bird" in told
    found = json.loads(run(*command, "--json").stdout)["explanation"]
    assert found["method"] == "exact"
    assert [word for word, _ in found["words"]] == TEXTS[0].split()


ANSWER = Prediction("b", 0.75, {"a": 0.25, "b": 0.75}, False, 1.0, False, False)


def test_bars_and_colour_are_for_terminals_only(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    with (tmp_path / "file").open("w") as file:
        assert not wants_colour(file)
    assert not wants_colour(None)
    assert Screen(1, False, colour=False).show("x", ANSWER) == "b   75.0%  x"
    assert "███████▌" in Screen(1, False, colour=True).show("x", ANSWER)


@pytest.mark.parametrize(
    ("share", "bar"), [(0, " " * 10), (0.25, "██▌       "), (1, "█" * 10), (2, "█" * 10)]
)
def test_a_bar_is_as_long_as_its_share(share, bar):
    assert draw_bar(share) == bar


@given(st.text())
def test_nothing_a_terminal_obeys_is_shown(text):
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in one_line(text))


def test_the_words_that_decided_are_marked_where_they_stand(bundles):
    text = "A SMALL, wild bird’s nest\n\x1b[2Jhere"
    marked = mark_words(text, bundles["dynamic"].explain(text))
    plain = marked
    for code in ("\033[1m", "\033[32m", "\033[31m", "\033[0m"):
        plain = plain.replace(code, "")
    assert plain == "A SMALL, wild bird’s nest �[2Jhere"
    assert marked != plain


def test_a_terminal_is_asked_for_its_wish(bundle, device_python):
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [device_python, "-m", "runtime", bundle, "a wild bird"]
    with subprocess.Popen(list(map(str, command)), stdout=other, env=environment):
        os.close(other)
        shown = os.read(main, 10_000).decode()
    os.close(main)
    assert "█" in shown
    assert "\033[" in shown
