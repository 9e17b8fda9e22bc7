"""Trainings that start from the weights of a finished run."""

import json
import shutil

import numpy as np
import pytest

from glovelite.data.array_archive import read_arrays
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.logs import log_to
from glovelite.runtime.text.vocabulary import parse_vocabulary
from glovelite.train import DataError, OptionsError, TrainingRequest, make_options, train_classifier
from glovelite.train.data.inputs import InputTexts, read_sequences
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.initial_texts import InitialTexts
from glovelite.train.data.splitting.split import split_inputs
from glovelite.train.fitting.fit import start_from, take_weights
from glovelite.train.fitting.initial_run import match_rows, read_initial_config, read_initial_run
from glovelite.train.model.build import build_training_model
from glovelite.train.model.wide import WIDE_COLUMNS, WideWeights
from glovelite.train.options import TrainingOptions
from glovelite.train.preparation import prepare
from glovelite.train.vectors.embedding_table import EmbeddingTable
from tests.helpers import (
    DATA,
    GLOSSES,
    LEGACY_RUN,
    SLICE,
    read_csv,
    read_json,
    write_csv,
)
from tests.train.command import train
from tests.train.corpora import corpus_of
from tests.train.runs import read_metrics, read_texts

GLOVE = ("--glove", SLICE)
TEXTS = 1500  # of the initial run


def prepared(inputs, init, **options):
    """Prepare text for a training that starts from a run."""
    initial = read_initial_run(init)
    request = TrainingRequest((), init.with_name("next"), vectors=SLICE, init=init)
    chosen = make_options(read_initial_config(init).options, **options)
    return prepare(inputs, request, chosen, initial)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """The text of the initial run: a part of the glosses."""
    path = tmp_path_factory.mktemp("part") / "part.csv"
    lines = GLOSSES.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: 1 + TEXTS]), "utf-8")
    return path


@pytest.fixture(scope="module")
def initial(part, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "initial"
    train(part, *GLOVE, "--preset", "tiny", "--epochs", 4, "--out", folder)
    return folder


def table_of(words, learned):
    tokens = ("<PAD>", "<UNKNOWN>", *words)
    vectors = np.random.default_rng(0).normal(size=(len(tokens), 5)).astype(np.float32)
    vectors[0] = 0
    return EmbeddingTable(tokens, vectors, learned, len(tokens), None)


ARCHITECTURES = {
    "conv-pool": make_options(filters=3, adapter=4, tuned_words=3),
    "conv-lstm": make_options(architecture="conv-lstm", filters=3),
}


class TestWeights:
    """What is taken out of a model and put into another one."""

    @staticmethod
    def model(table, options, value, outputs=3):
        full = np.full((table.training_words, outputs), value, np.float32)
        mixed = outputs > WIDE_COLUMNS
        columns = min(WIDE_COLUMNS, len(full))
        weights = WideWeights(full[:, :columns], full[:columns]) if mixed else WideWeights(full)
        wide = weights if options.wide else None
        model = build_training_model(table, outputs, options, 0.1, wide=wide)
        random = np.random.default_rng(int(10 * value))
        for variable in model.trainable_variables:
            variable.assign(random.normal(size=variable.shape))
        return model

    @staticmethod
    def effects(model):
        """What a feature adds to each logit, [features, outputs]."""
        kernel = model.get_layer("logits").kernel.numpy()
        shared = [layer.kernel.numpy() for layer in model.layers if layer.name == "bottleneck"]
        return shared[0] @ kernel if shared else kernel

    @pytest.mark.parametrize("outputs", [3, WIDE_COLUMNS + 1])
    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_a_model_with_the_weights_of_another_computes_the_same(self, name, outputs):
        table, options = table_of("abcdef", (1, 4)), ARCHITECTURES[name]
        one, other = (self.model(table, options, value, outputs) for value in (0.5, 1.5))
        ids = np.array([[2, 3, 4, 5, 6, 7, 1, 4, 0, 0, 0, 0, 0]], np.int32)
        assert not np.allclose(one(ids), other(ids), atol=1e-3)
        start_from(other, take_weights(one, table.tokens, table.training_words), table.tokens)
        assert np.allclose(one(ids), other(ids), atol=1e-5)

    def test_rows_are_matched_by_word(self):
        options = make_options(filters=3, adapter=4)
        old, new = table_of("abcd", (1, 3, 5)), table_of("dxb", (1, 2, 3))
        one, other = self.model(old, options, 0.5), self.model(new, options, 1.5)
        weights = take_weights(one, old.tokens, old.training_words)
        assert weights.learned == ("<UNKNOWN>", "b", "d")
        before = take_weights(other, new.tokens, new.training_words)
        start_from(other, weights, new.tokens)
        after = take_weights(other, new.tokens, new.training_words)
        for name, kept, positions in (
            ("vectors/learned", 2, {0: 0, 1: 2}),
            ("wide/wide", 3, {2: 5, 4: 3}),
        ):
            for row, saved in positions.items():
                assert np.allclose(after.arrays[name][row], weights.arrays[name][saved])
            assert np.allclose(after.arrays[name][kept], before.arrays[name][kept])

    @pytest.mark.parametrize("name", ARCHITECTURES)
    @pytest.mark.parametrize("outputs", [1, 3, WIDE_COLUMNS])
    def test_the_outputs_of_new_labels_leave_the_others_as_they_were(self, name, outputs):
        table, options = table_of("abcdef", (1, 4)), ARCHITECTURES[name]
        one = self.model(table, options, 0.5, outputs)
        other, untouched = (self.model(table, options, 1.5, outputs + 2) for _ in range(2))
        ids = np.array([[2, 3, 4, 5, 6, 7, 1, 4, 0, 0, 0, 0, 0]], np.int32)
        expected = one(ids).numpy()
        start_from(other, take_weights(one, table.tokens, table.training_words), table.tokens)
        found = other(ids).numpy()
        if outputs == 1:  # of two classes
            assert np.allclose(found[:, 1] - found[:, 0], expected[:, 0], atol=1e-5)
        else:
            assert np.allclose(found[:, :outputs], expected, atol=1e-4)
        new = [self.effects(model)[:, -1] for model in (other, untouched)]
        assert np.allclose(*new, atol=1e-5)

    def test_weights_of_another_shape_are_refused(self):
        table = table_of("abc", (1,))
        small, large = (
            self.model(table, make_options(filters=count, adapter=4), 0.5) for count in (2, 3)
        )
        weights = take_weights(small, table.tokens, table.training_words)
        with pytest.raises(OptionsError, match="conv_1/kernel: expected shape"):
            start_from(large, weights, table.tokens)


def test_match_rows_keeps_the_rows_of_new_words():
    values, saved = np.zeros((3, 2), np.float32), np.array([[1, 1], [2, 2]], np.float32)
    matched = match_rows(("b", "new", "a"), values, ("a", "b"), saved)
    assert matched.tolist() == [[2, 2], [0, 0], [1, 1]]
    assert not values.any()


def test_a_run_that_continues_another_starts_with_a_lower_loss_and_can_replace_it(
    part, initial, tmp_path
):
    run = shutil.copytree(initial, tmp_path / "run")
    before = read_initial_run(run)
    options = ("--init", run, "--epochs", 1, "--overwrite", "--out", run)
    done = train(part, *GLOVE, *options)
    scratch, continued = read_metrics(initial), read_metrics(run)
    assert continued["configuration"] == {**scratch["configuration"], "epochs": 1}
    assert continued["history"]["loss"][0] < scratch["history"]["loss"][0] / 2
    words = len(before.weights.words) - 2
    shown = f"starting from {run}: {words:,} of {words:,} words have weights of their own"
    assert shown in done.stdout
    assert continued["initial_run"] == {"name": "run", "weights": before.summary.weights}
    assert read_initial_run(run).summary.weights != before.summary.weights
    assert "initial_run" not in scratch


def test_what_the_initial_run_trained_on_is_never_held_out(part, initial, tmp_path, logged):
    """Also after a run between them that did not see that text; other seeds draw other texts."""
    header, *lines = GLOSSES.read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "more.csv").write_text(header + "".join(lines[TEXTS:]), "utf-8")
    between = tmp_path / "between"
    options = ("--epochs", 1, "--init", initial, "--seed", 1, "--out", between)
    train(tmp_path / "more.csv", *GLOVE, *options)
    texts = {}
    for name, source, folder in (
        ("initial", part, initial),
        ("between", tmp_path / "more.csv", between),
    ):
        read = {row["text"].strip() for row in read_csv(source)}
        texts[name] = read.difference(read_texts(folder, "dev", "test"))
    assert [len(split) for split in texts.values()] == [1197, 402]
    last = prepared(read_inputs([TextSource(GLOSSES)]), between, seed=2)
    assert not any("are trained on" in line for line in logged)
    dev, test = {*last.split.dev.texts}, {*last.split.test.texts}
    assert not (dev | test) & (texts["initial"] | texts["between"])
    assert dev.issuperset(read_texts(between, "dev"))
    assert test.issuperset(read_texts(between, "test"))
    known = last.table.tokens[: last.table.training_words]
    assert set(read_initial_run(initial).weights.words) <= set(known)


@pytest.mark.slow
def test_the_tokenizer_stays_that_of_the_initial_run(tmp_path):
    texts = [f"{word}{mark}" for word in ("cat", "bread", "man", "tree") * 10 for mark in "!?"]
    options = make_options("tiny", punctuation=True, epochs=1)
    labels = ["loud", "asking"] * 40
    first = train_classifier(
        [f"first {text}" for text in texts], labels, tmp_path / "first", options, vectors=SLICE
    )
    vocabulary = parse_vocabulary((first.path / "vocab.json").read_text("utf-8"))
    inputs = read_sequences([f"next {text}" for text in texts], labels)
    for chosen in (vocabulary, prepared(inputs, first.path).vocabulary):
        assert chosen.tokenizer.punctuation
        assert {"!", "?"} <= {*chosen.tokens}
    assert {"!", "?"} <= {*read_initial_run(first.path).weights.words}


def test_the_input_length_never_shrinks(initial):
    length = read_metrics(initial)["configuration"]["max_tokens"]
    texts = [f"{animal} {n}" for n in range(20) for animal in ("cat", "bread", "man", "tree")]
    inputs = read_sequences(texts, ["animal", "food", "person", "plant"] * 20)
    data = prepared(inputs, initial)
    assert data.run.options.max_tokens == data.vocabulary.max_tokens == length
    assert data.run.options.filters == 16


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--filters", 8], 1, "filters: expected 16 as in {run}, found 8"),
        (["--punctuation"], 1, "punctuation: expected False as in {run}, found True"),
        (["--no-wide"], 1, "wide: expected True as in {run}, found False"),
        (["--kernel-size", 2], 1, "kernel_sizes: expected (1, 2, 3) as in {run}, found (2,)"),
        (["--preset", "tiny"], 2, "--init takes all options of the initial run"),
        (["--config", "x"], 2, "--init takes all options of the initial run"),
        (["--folds", 3], 2, "--folds and --init"),
        (["--compare-scratch"], 2, "--compare-scratch and --init"),
    ],
)
def test_options_that_contradict_the_initial_run(initial, tmp_path, options, status, message):
    done = train(GLOSSES, *GLOVE, "--init", initial, *options, "--out", tmp_path / "x", check=False)
    assert done.returncode == status
    assert message.format(run=initial) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_labels_are_named(initial, tmp_path):
    with pytest.raises(DataError, match=r"expected texts of every .* food, person, plant: a model"):
        train_classifier(
            ["x", "y", "z"] * 4, ["animal", "b", "c"] * 4, tmp_path / "x", init=initial
        )


def test_new_labels_come_after_those_of_the_initial_run(initial, logged):
    texts = [f"{word} {n}" for n in range(12) for word in ("cat", "bread", "man", "tree", "zinc")]
    labels = ["animal", "food", "person", "plant", "element"] * 12
    data = prepared(read_sequences(texts, labels), initial)
    assert data.vocabulary.labels == ("animal", "food", "person", "plant", "element")
    assert "new labels: element: their outputs are trained from the start, the other 4" in "".join(
        logged
    )
    assert any("weights of their own there, 2 are new" in line for line in logged)


def test_other_vectors_are_refused(initial, tmp_path):
    shutil.copy(SLICE, tmp_path / "other.txt.gz")
    options = ["--glove", tmp_path / "other.txt.gz", "--init", initial, "--out", tmp_path / "x"]
    done = train(GLOSSES, *options, check=False)
    assert done.returncode == 1
    assert f"--vectors: expected {SLICE.name} as in {initial}, found other.txt.gz" in done.stderr


@pytest.mark.slow
def test_a_run_of_two_classes_is_continued_with_a_third(tmp_path):
    rows = [row for row in read_csv(GLOSSES) if row["label"] in ("animal", "plant", "food")]
    few = [(row["text"], row["label"]) for row in rows[:400]]
    two = [row for row in few if row[1] != "food"]
    options = (*GLOVE, "--preset", "article", "--filters", 2, "--epochs", 1)
    train(write_csv(tmp_path / "two.csv", two), *options, "--folds", 2, "--out", tmp_path / "two")
    three = write_csv(tmp_path / "three.csv", few)
    train(three, *GLOVE, "--init", tmp_path / "two", "--out", tmp_path / "three")
    vocabulary = read_json(tmp_path / "three/vocab.json")
    assert vocabulary["labels"] == ["animal", "plant", "food"]


def damage_training(folder):
    path = folder / "training.npz"
    path.write_bytes(path.read_bytes()[:-1000])


def change_array(name, value):
    """Return a function that replaces an array of a run's `training.npz`."""

    def change(folder):
        arrays = read_arrays(folder / "training.npz")
        assert name in arrays
        np.savez(folder / "training.npz", **{**arrays, name: value})

    return change


def compress(folder):
    np.savez_compressed(folder / "training.npz", **read_arrays(folder / "training.npz"))


def change_words(folder):
    content = read_json(folder / "vocab.json")
    content["tokens"] = content["tokens"][:100]
    content["familiarity"]["listed"] = content["familiarity"]["listed"][:100]
    (folder / "vocab.json").write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        damage_training,
        compress,
        change_array("format", np.array([1, 1])),
        change_array("format", np.zeros(1, [("x", "i4")])),
        change_array("learned", np.zeros((2, 2), np.int32)),
        change_array("learned", np.array([-1], np.int32)),
        change_array("train", np.array(["x"])),
        change_array("weights/logits/bias", np.array(["x"])),
        change_array("weights/logits/bias", np.float32(1)),
        change_words,
    ],
)
def test_a_damaged_run_is_refused(initial, tmp_path, damage):
    shutil.copytree(initial, tmp_path / "copy")
    damage(tmp_path / "copy")
    with pytest.raises(OptionsError, match=r"copy cannot be continued .*: train it again"):
        read_initial_run(tmp_path / "copy")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (LEGACY_RUN, "lacks training.npz, which earlier versions did not write: train it again"),
        (DATA, "expected the folder of a finished run, found"),
        (DATA / "nowhere", "expected the folder of a finished run, found"),
    ],
)
def test_a_run_without_training_weights_is_refused(tmp_path, run, message):
    done = train(GLOSSES, *GLOVE, "--init", run, "--out", tmp_path / "x", check=False)
    assert done.returncode == 1
    assert message in done.stderr


class TestSplit:
    """The texts of the initial run stay in its parts."""

    PAIRS = tuple((f"{n}", "ab"[n % 2]) for n in range(100))

    @staticmethod
    def known(train=(), dev=(), test=()):
        parts = (corpus_of([(f"{n}", "a") for n in part]).hashes for part in (train, dev, test))
        return InitialTexts("old", *(part.astype(np.uint64) for part in parts))

    @staticmethod
    def split(inputs, initial, seed=0):
        logged = []
        with log_to(logged.append):
            split = split_inputs(inputs, seed, initial=initial)
        return {name: {*map(str, part.texts)} for name, part in split}, split, "\n".join(logged)

    def test_only_new_texts_are_drawn(self):
        initial = self.known(range(40), range(40, 46), range(46, 60))
        for seed in range(3):
            parts, _, logged = self.split(InputTexts(corpus_of(self.PAIRS)), initial, seed)
            assert {f"{n}" for n in range(40)} <= parts["train"]
            assert {f"{n}" for n in range(40, 46)} <= parts["dev"]
            assert {f"{n}" for n in range(46, 60)} <= parts["test"]
            assert [len(part) for part in parts.values()] == [72, 10, 18]
            assert "old knows 40 train, 6 dev, 14 test texts, which stay there; 40 new" in logged
            assert "are trained on" not in logged

    def test_the_few_new_texts_of_a_label_are_trained_on(self):
        initial = self.known(range(80), range(80, 86), range(86, 96))
        parts, _, _ = self.split(InputTexts(corpus_of(self.PAIRS)), initial)
        assert [len(part) for part in parts.values()] == [84, 6, 10]

    def test_groups_that_were_trained_on_are_not_held_out(self):
        groups = [f"{n // 4}" for n in range(100)]
        corpus = corpus_of(self.PAIRS, groups=groups)
        initial = self.known([0, 4], [8, 5], [12, 13])
        parts, split, logged = self.split(InputTexts(corpus), initial)
        assert {f"{n}" for n in range(8)} <= parts["train"]
        assert {f"{n}" for n in range(8, 12)} <= parts["dev"]
        assert {f"{n}" for n in range(12, 16)} <= parts["test"]
        assert "warning: 1 texts that old held out are trained on" in logged
        of_part = [set(part.groups.tolist()) for _, part in split]
        assert not of_part[0] & of_part[1] | of_part[0] & of_part[2] | of_part[1] & of_part[2]

    def test_separate_texts_that_were_trained_on_are_set_apart(self):
        corpus = corpus_of(self.PAIRS[:80])
        dev, test = corpus_of(self.PAIRS[80:90]), corpus_of(self.PAIRS[90:])
        initial = self.known([0, 81, 91, 92], [1])
        parts, split, logged = self.split(InputTexts(corpus, dev=dev, test=test), initial)
        assert parts["dev"] == {f"{n}" for n in range(80, 90)} - {"81"}
        assert parts["test"] == {f"{n}" for n in range(90, 100)} - {"91", "92"}
        assert list(split.seen_test.texts) == ["91", "92"]
        assert "dropped: 1 dev texts that are also in what old was trained on" in logged
        assert "warning: 1 texts that old held out are trained on" in logged

    def test_a_run_without_test_text_is_continued_without(self):
        corpus, known = corpus_of(self.PAIRS), self.known(range(80), range(80, 100))
        parts, _, logged = self.split(InputTexts(corpus), known)
        assert [len(part) for part in parts.values()] == [80, 20, 0]
        assert "no test text: old has none, and no new text is drawn for it" in logged

    def test_the_newest_texts_are_still_drawn_by_time(self):
        corpus = corpus_of(self.PAIRS, times=range(100))
        parts, _, logged = self.split(InputTexts(corpus), self.known(range(86), [86], [87]))
        assert parts["dev"] == {f"{n}" for n in range(86, 90)}
        assert parts["test"] == {f"{n}" for n in range(90, 100)}
        assert "dropped: 6 dev texts" in logged

    @pytest.mark.parametrize(
        ("known", "message"),
        [
            ((range(100),), "there is no dev text: old knows nearly all texts"),
            (([], [*range(0, 100, 2)], [1]), "holds out every text with the label 'a'"),
        ],
    )
    def test_text_that_leaves_a_part_empty_is_refused(self, known, message):
        with pytest.raises(DataError, match=message):
            self.split(InputTexts(corpus_of(self.PAIRS)), self.known(*known))


def test_the_options_that_fix_shapes_are_compared(initial):
    run = read_initial_run(initial)
    run.check_options(make_options(run.config.options, seed=9, dropout=0.5, epochs=1))
    with pytest.raises(OptionsError, match="adapter: expected 256"):
        run.check_options(TrainingOptions(filters=16, adapter=8))
