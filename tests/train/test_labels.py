"""Labels: their order, rare, suspicious and implausible ones, and the column that they are in."""

import json
import shutil

import numpy as np
import pytest

from glovelite.data.labelled_text import Row, TextSource
from glovelite.data.labels import are_implausible, describe_suspicious_labels, sort_labels
from glovelite.train import DataError, OptionsError, TrainingRequest, make_options, train_classifier
from glovelite.train.data.build_corpus import build_corpus, check_corpus, join_corpora
from glovelite.train.data.corpus import Origin
from glovelite.train.data.inputs import InputTexts, drop_rare_labels
from tests.helpers import GLOSSES, SLICE, interrupted, read_json
from tests.train.command import train
from tests.train.corpora import corpus_of

QUICK = make_options("tiny", filters=2, max_words=100, epochs=1)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["1", "-1", "0"], ["-1", "0", "1"]),
        (["4.5", "10", "4"], ["4", "4.5", "10"]),
        (["b", "10", "a", "9"], ["9", "10", "a", "b"]),
        (["nan", "1_0", "٣", "inf", "2"], ["2", "1_0", "inf", "nan", "٣"]),
        (["01", "1", "1.0"], ["01", "1", "1.0"]),
        (["9" * 400, "8"], ["8", "9" * 400]),
    ],
)
def test_labels_that_are_numbers_are_sorted_by_value(labels, expected):
    assert list(sort_labels(labels)) == expected
    assert list(sort_labels(labels[::-1])) == expected


def test_a_corpus_sorts_its_classes_by_value():
    corpus = corpus_of([("x", "10"), ("y", "9"), ("z", "10")])
    assert corpus.classes == ("9", "10")
    assert corpus.labels == ["10", "9", "10"]
    other = corpus_of([("u", "2"), ("v", "10")])
    joined = join_corpora([corpus, other])
    assert joined.classes == ("2", "9", "10")
    assert joined.labels == ["10", "9", "10", "2", "10"]


def test_corpora_of_the_same_classes_are_joined_in_their_order():
    corpus = corpus_of([("x", "10"), ("y", "9")]).with_classes(("10", "9"))
    joined = join_corpora([corpus, corpus])
    assert joined.classes == ("10", "9")
    assert joined.labels == ["10", "9", "10", "9"]


def test_suspicious_labels_are_named_with_their_texts():
    counts = {"N/A": 3, "nan": 1, "Spam": 2, "spam": 9, "ham": 4, "not spam": 1, "not  Spam": 5}
    missing, variants = describe_suspicious_labels(counts)
    assert missing == (
        "warning: labels that may stand for missing values: 'N/A' (3 texts), 'nan' (1 texts)"
    )
    assert "'Spam' (2 texts), 'spam' (9 texts), 'not spam' (1 texts), 'not  Spam'" in variants
    assert "'ham'" not in variants
    assert list(describe_suspicious_labels({"a": 1, "b": 2})) == []


def texts_of(classes, texts):
    return [(f"{label} {n}", f"{label}") for n in range(texts) for label in range(classes)]


@pytest.mark.parametrize(("classes", "texts"), [(1_000, 20), (150, 20), (1_000, 3), (5_000, 5)])
def test_plausible_corpora_are_accepted_in_any_order(classes, texts):
    for pairs in (texts_of(classes, texts), sorted(texts_of(classes, texts))):
        check_corpus(corpus_of(pairs))


def test_many_values_are_implausible_labels_if_most_are_rare():
    assert are_implausible([1] * 1_001)
    assert are_implausible([2] * 600 + [50] * 500)
    assert not are_implausible([2] * 500 + [50] * 600)
    assert not are_implausible([1] * 1_000)
    assert are_implausible([50] * 10_001)


def test_reading_stops_at_implausibly_many_labels():
    def rows():
        yield from (Row(f"{n}", (f"{n}",), n) for n in range(10_001))
        pytest.fail("read on")

    with pytest.raises(
        DataError, match=r"more than 10,000 different labels .* are these the labels"
    ):
        build_corpus(Origin("c", "c"), rows())


def write_ids(folder, name, count):
    path = folder / name
    if name.endswith(".jsonl"):
        rows = [{"label": f"T-{n}", "body": f"text {n}", "team": "ab"[n % 2]} for n in range(count)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        rows = [f"T-{n},text {n},{'ab'[n % 2]}\n" for n in range(count)]
        path.write_text("".join(["label,body,team\n", *rows]), "utf-8")
    return path


@pytest.mark.parametrize("name", ["ids.csv", "ids.jsonl"])
@pytest.mark.parametrize(
    ("count", "problem"),
    [(100, "expected at least 3 distinct texts of each label"), (2_000, "2,000 different labels")],
)
def test_a_column_of_ids_is_questioned_by_name(tmp_path, name, count, problem):
    done = train(write_ids(tmp_path, name, count), "--out", tmp_path / "run", check=False)
    assert done.returncode == 1
    assert problem in done.stderr
    expected = "is 'label' the label column? Name another one with --label-column (there are "
    assert f"{expected}'body', 'team')" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_rare_labels_are_dropped_from_all_parts(logged):
    corpora = [
        corpus_of([("1", "a"), ("2", "a"), ("3", "b"), ("4", "b"), ("4", "b"), ("5", "c")]),
        corpus_of([("6", "c"), ("7", "b")]),
        None,
    ]
    kept, dev, test = drop_rare_labels(*corpora, 2)
    assert (kept.classes, kept.labels) == (("a", "b"), ["a", "a", "b", "b", "b"])
    assert (dev.labels, list(dev.texts)) == (["b"], ["7"])
    assert test is None
    (line,) = logged
    assert line == (
        "dropped: 1 labels of fewer than 2 distinct texts, 'c' (1); with them 1 training, 1 dev "
        "texts"
    )
    assert drop_rare_labels(*corpora, 1)[0] is corpora[0]


def test_dropping_every_label_of_a_part_is_refused():
    one, other = corpus_of([("1", "a"), ("2", "a"), ("3", "b")]), corpus_of([("4", "b")], "dev.csv")
    with pytest.raises(DataError, match="every label of the training text has fewer than 3"):
        drop_rare_labels(one, None, None, 3)
    with pytest.raises(DataError, match=r"dev.csv: every label of the dev text has fewer than 2"):
        drop_rare_labels(one, other, None, 2)


def test_training_drops_rare_labels_on_request(tmp_path):
    texts = [f"{n} animal" for n in range(60)] + ["plant", "another plant"]
    labels = [*("ab"[n % 2] for n in range(60)), "c", "c"]
    with pytest.raises(DataError, match=r"'c' \(2, .*drop these labels with --min-texts 3"):
        train_classifier(texts, labels, tmp_path / "a", QUICK, vectors=SLICE)
    with interrupted("fitting") as lines:
        train_classifier(texts, labels, str(tmp_path / "b"), QUICK, vectors=SLICE, min_texts=3)
    assert any(line.startswith("texts: 60 texts, labels a, b") for line in lines)


def test_min_texts_is_checked():
    with pytest.raises(
        OptionsError, match="min_texts: expected an integer of at least 0, found -1"
    ):
        TrainingRequest((TextSource("x.csv"),), "run", min_texts=-1)


def test_all_labels_that_training_text_lacks_are_named(tmp_path):
    lines = ["text,label", *(f"text {n},{'ab'[n % 2]}" for n in range(40))]
    (tmp_path / "train.csv").write_text("\n".join(lines), "utf-8")
    (tmp_path / "dev.csv").write_text("text,label\nx,a\ny,c\nz,d\n", "utf-8")
    files = (tmp_path / "train.csv", "--dev", tmp_path / "dev.csv")
    done = train(*files, "--out", tmp_path / "run", check=False)
    assert (
        "dev.csv, line 3: label 'c' does not occur in the training text, nor do 'd'" in done.stderr
    )


def test_inputs_are_renumbered_together():
    corpus = corpus_of([("x", "a"), ("y", "b")])
    inputs = InputTexts(corpus, dev=corpus).with_classes(("b", "a"))
    assert inputs.train.labels == inputs.dev.labels == ["a", "b"]
    assert inputs.train.classes == inputs.dev.classes == ("b", "a")
    assert inputs.test is None


def reorder_labels(run, order):
    """Change a run to what it would be if its labels had been sorted otherwise."""
    path = run / "vocab.json"
    vocabulary = read_json(path)
    columns = [vocabulary["labels"].index(label) for label in order]
    path.write_text(json.dumps({**vocabulary, "labels": list(order)}), "utf-8")
    with np.load(run / "training.npz") as file:
        arrays = {name: file[name] for name in file.files}
    for name, array in arrays.items():
        if name.startswith(("weights/logits/", "weights/wide/")):
            arrays[name] = array[..., columns]
    np.savez(run / "training.npz", **arrays)


@pytest.mark.slow
def test_an_initial_run_keeps_the_order_of_its_labels(run_folder, tmp_path):
    run = shutil.copytree(run_folder, tmp_path / "run")
    order = ("plant", "animal", "person", "food")
    before = read_json(run / "metrics.json")["scores"]["dev"]["accuracy"]
    reorder_labels(run, order)
    options = ("--init", run, "--glove", SLICE, "--epochs", 1, "--learning-rate", 0)
    train(GLOSSES, *options, "--out", tmp_path / "more")
    metrics = read_json(tmp_path / "more/metrics.json")
    assert read_json(tmp_path / "more/vocab.json")["labels"] == list(order)
    assert metrics["scores"]["dev"]["accuracy"] == pytest.approx(before, abs=0.02)
    assert [row["label"] for row in metrics["scores"]["dev"]["classes"]] == list(order)
