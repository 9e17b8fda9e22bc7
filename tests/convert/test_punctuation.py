"""From text whose labels depend on punctuation and emoji to a bundle that predicts them."""

import json

import pytest

from glovelite import Classifier
from glovelite.runtime.cli.terminal import highlight_words
from glovelite.runtime.text.tokenizer import WORDS_AND_PUNCTUATION
from tests.helpers import GLOSSES, SLICE, convert, read_json, train_in_child

MARKS = {"curious": "?", "excited": "!", "amused": " 😂", "plain": "."}
TEXTS = 1000


@pytest.fixture(scope="module")
def marked_run(tmp_path_factory):
    """A run on definitions whose label is only in the mark at the end."""
    folder = tmp_path_factory.mktemp("punctuation")
    glosses = [line.rsplit(",", 1)[0].strip('"') for line in GLOSSES.read_text("utf-8").split("\n")]
    marks = list(MARKS.items())
    rows = [
        {"text": text + marks[row % 4][1], "label": marks[row % 4][0]}
        for row, text in enumerate(glosses[1 : 1 + TEXTS])
    ]
    source = folder / "marked.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = ("--punctuation", "--preset", "tiny", "--epochs", 4)
    train_in_child(source, "--glove", SLICE, "--out", folder / "run", *options)
    return folder / "run"


@pytest.fixture(scope="module")
def classifier(marked_run):
    options = ("--listed-words", 300, "--hashed-words", 1000)
    convert("export", marked_run, "--out", marked_run.parent / "bundle", *options)
    return Classifier.load(marked_run.parent / "bundle")


@pytest.mark.slow
def test_training_learns_what_the_marks_mean(marked_run):
    metrics = read_json(marked_run / "metrics.json")
    assert metrics["configuration"]["punctuation"] is True
    assert metrics["scores"]["test"]["accuracy"] > 0.9


@pytest.mark.slow
def test_the_bundle_predicts_by_the_marks(classifier):
    assert classifier.bundle.vocabulary.tokenizer == WORDS_AND_PUNCTUATION
    assert {"!", "?", "😂"} <= {*classifier.bundle.vocabulary.tokens}
    texts = [f"It’s a small bird{mark}" for mark in MARKS.values()]
    assert [prediction.label for prediction in classifier.predict(texts)] == [*MARKS]


@pytest.mark.slow
def test_the_golden_texts_hold_marks(classifier):
    goldens = classifier.bundle.manifest["goldens"]
    assert classifier.self_test().goldens == len(goldens)
    tokens = {token for golden in goldens for token in golden["tokens"]}
    assert {"!", "?", "👍", "❤", "👩", "🌾", "⭐"} <= tokens


@pytest.mark.slow
def test_explain_attributes_the_label_to_the_mark(classifier):
    text = "It’s a small bird, isn't it?"
    explanation = classifier.explain(text)
    assert explanation.tokens == ("it's", "a", "small", "bird", "isn't", "it", "?")
    assert explanation.tokens[explanation.parts.index(max(explanation.parts))] == "?"
    marked = highlight_words(text, explanation, classifier.bundle.vocabulary.tokenizer)
    assert marked.endswith("?\033[0m")
    assert "bird, " in marked


@pytest.mark.slow
def test_evaluate_counts_marks_as_tokens(classifier, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"text": "a bird 🤔!", "label": "excited"}\n', "utf-8")
    path = classifier.bundle.path
    done = convert("evaluate", path, tmp_path / "one.jsonl", "--json")
    unknown = json.loads(done.stdout)["unknown_words"]
    assert (unknown["tokens"], unknown["most_frequent"]) == (4, [["🤔", 1]])


@pytest.mark.slow
def test_mediapipe_is_refused_before_the_conversion(marked_run, tmp_path):
    options = ("--out", tmp_path / "bundle", "--mediapipe")
    done = convert("export", marked_run, *options, check=False)
    assert done.returncode == 1
    assert "converting" not in done.stdout
    assert done.stderr.strip().count("\n") == 0
    assert "trained with --punctuation" in done.stderr
    assert "export without --mediapipe" in done.stderr
    assert not (tmp_path / "bundle").exists()
