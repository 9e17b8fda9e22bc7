"""Training runs: the run folder, resuming, separate dev and test text, errors."""

import csv
import gzip
import json
import pydoc
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest

import glovelite.train as train_package
from glovelite.data.array_archive import read_arrays
from glovelite.train import (
    DataError,
    OptionsError,
    TextSource,
    TrainingRequest,
    make_options,
    run_training,
    train_classifier,
)
from glovelite.train.data.inputs import read_sequences
from glovelite.train.data.sources import read_inputs
from glovelite.train.metrics import describe_next_step
from glovelite.train.options import DEFAULT_VECTORS, NO_VECTORS, PRESETS
from glovelite.train.preparation import prepare
from glovelite.train.run_folder import describe_choice
from glovelite.train.unfinished import Checkpoint, TrainingState, make_identity
from glovelite.train.vectors.cache import open_cached
from glovelite.train.vectors.files import read_file
from tests import helpers
from tests.helpers import (
    GLOSSES,
    ROOT,
    SLICE,
    interrupted,
    read_csv,
    read_json,
    run,
    write_csv,
    write_two_classes,
)
from tests.train.command import train
from tests.train.corpora import write_few_texts
from tests.train.runs import read_metrics, read_texts, same_weights

FILES = {
    "model.keras",
    "vocab.json",
    "metrics.json",
    "training.npz",
    "calibration.jsonl",
    "dev.jsonl",
    "test.jsonl",
    "curves.png",
    "confusion.png",
}
QUICK = ("--glove", SLICE, "--preset", "article", "--epochs", 1, "--filters", 2)


def layer_shapes(folder):
    """Return layer name -> class name and weight shapes of a run's model."""
    model = keras.saving.load_model(folder / "model.keras")
    return {
        layer.name: [type(layer).__name__, [list(weight.shape) for weight in layer.get_weights()]]
        for layer in model.layers
    }


@pytest.mark.parametrize("name", ["glosses", "two", "lstm", "article", "pairs"])
def test_run_folder_holds_every_file(trained, name):
    assert {path.name for path in trained(name).iterdir()} == FILES


ODD_LABELS = ("a $\\x$ b", "日本", "x" * 300)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A run on sixty texts with labels that cannot be drawn, and what the command did."""
    folder = tmp_path_factory.mktemp("few")
    source = write_few_texts(folder, labels=ODD_LABELS)
    options = (*QUICK, "--filters", 4, "--max-words", 50, "--epochs", 12)
    done = helpers.train(source, *options, "--out", folder / "my runs/one")
    return folder / "my runs/one", done


def test_training_prints_the_command_that_exports_the_run(few):
    folder, done = few
    expected = f"next: glovelite-convert export '{folder}' --out '{folder}-bundle'"
    assert done.stdout.splitlines()[-1] == expected


def test_the_command_prints_no_library_messages(few):
    _, done = few
    assert done.stderr == ""
    assert "epoch  1/12" in done.stdout


def test_labels_that_cannot_be_drawn_do_not_fail_the_run(few):
    folder, _ = few
    assert (folder / "confusion.png").stat().st_size > 5000


def test_a_few_dev_texts_do_not_choose_the_epoch(few):
    metrics = read_metrics(few[0])
    losses = metrics["history"]["val_loss"]
    assert metrics["scores"]["dev"]["texts"] == 6
    assert losses[-1] > min(losses)
    assert metrics["best_epoch"] == len(losses)


def test_a_request_takes_paths_as_strings(tmp_path):
    for name in ("train", "dev", "test"):
        write_few_texts(tmp_path, name)
    options = make_options("article", filters=2, max_words=50, epochs=1)

    def request(kind):
        files = {name: kind(tmp_path / f"{name}.csv") for name in ("dev", "test")}
        sources = (TextSource(kind(tmp_path / "train.csv")),)
        return TrainingRequest(sources, kind(tmp_path / "run"), vectors=kind(SLICE), **files)

    with interrupted("fitting"):
        run_training(request(Path), options)
    assert run_training(request(str), options).path == tmp_path / "run"


def test_next_step_of_a_run_among_runs_is_a_bundle_among_bundles():
    expected = "next: glovelite-convert export runs/mine --out bundles/mine"
    assert describe_next_step(Path("runs/mine")) == expected
    assert describe_next_step(Path("mine")).endswith("export mine --out mine-bundle")


def test_training_learns(run_folder):
    """Four classes: chance is 25 %."""
    metrics = read_metrics(run_folder)
    assert metrics["scores"]["test"]["accuracy"] > 0.8
    history = metrics["history"]
    assert history["loss"][-1] < history["loss"][0]
    assert {len(values) for values in history.values()} == {len(history["loss"])}


def test_the_epoch_with_the_lowest_dev_loss_is_kept(run_folder):
    metrics = read_metrics(run_folder)
    losses = metrics["history"]["val_loss"]
    assert losses[metrics["best_epoch"] - 1] == min(losses)


def test_metrics_describe_the_run(run_folder):
    metrics = read_metrics(run_folder)
    assert metrics["format"] == 1
    assert metrics["configuration"]["seed"] == 0
    assert metrics["configuration"]["filters"] == 32
    assert metrics["split"] == {"by": "random", "column": None, "folds": 0}
    assert metrics["corpus"]["texts"] == 2000
    assert {len(digests) for digests in metrics["corpus"]["fingerprints"].values()} == {64}
    assert any("conv_1 (Conv1D)" in line for line in metrics["summary"])
    assert {"python", "tensorflow", "keras", "numpy", "glovelite"} <= metrics["versions"].keys()


def test_calibration_dev_and_test_texts_are_disjoint(run_folder):
    names = ("calibration", "dev", "test")
    calibration, dev, test = (set(read_texts(run_folder, name)) for name in names)
    assert not dev & test
    assert not calibration & (dev | test)


LAYERS = """
import json, sys
import keras
model = keras.saving.load_model(sys.argv[1])
table = model.get_layer("table")
padding = [float(abs(table.get_weights()[0][0]).max()), table.trainable]
print(json.dumps([padding, list(model.output_shape), "train" in sys.modules]))
"""


@pytest.mark.slow
def test_the_model_loads_without_glovelite(run_folder, tmp_path):
    script = tmp_path / "layers.py"
    script.write_text(LAYERS)
    done = run(sys.executable, "-P", script, run_folder / "model.keras", cwd=tmp_path)
    assert json.loads(done.stdout) == [[0.0, False], [None, 4], False]


def test_layer_names_are_the_contract_with_convert(run_folder):
    layers = layer_shapes(run_folder)
    words = len(read_json(run_folder / "vocab.json")["tokens"])
    assert layers["table"] == ["Embedding", [[words, 100]]]
    for taps in (1, 2, 3):
        assert layers[f"conv_{taps}"] == ["Conv1D", [[taps, 100, 32], [32]]]
    assert layers["wide"] == ["Embedding", [[words, 4]]]
    assert layers["logits"] == ["Dense", [[3 * 32, 4], [4]]]


def test_conv_lstm_is_the_course_notebooks_model(lstm_run):
    layers = layer_shapes(lstm_run)
    kinds = [kind for kind, _ in layers.values()]
    assert kinds[1:] == ["Embedding", "Conv1D", "MaxPooling1D", "LSTM", "Dense", "Activation"]
    assert layers["lstm"][1] == [[64, 256], [64, 256], [256]]


def test_without_an_adapter_the_table_holds_gloves_vectors(article_run):
    model = keras.saving.load_model(article_run / "model.keras")
    (table,) = model.get_layer("table").get_weights()
    tokens = read_json(article_run / "vocab.json")["tokens"]
    with gzip.open(SLICE, "rt", encoding="utf-8") as file:
        glove = {line.split()[0]: np.float32(line.split()[1:]) for line in file}
    shared = [token for token in tokens if token in glove]
    assert len(shared) > 1500
    assert all(np.array_equal(table[tokens.index(token)], glove[token]) for token in shared)


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param("conv-pool", marks=pytest.mark.slow),
        pytest.param("conv-lstm", marks=pytest.mark.nightly),
    ],
)
def test_a_killed_run_resumes_to_identical_weights(tmp_path, architecture):
    options = ["--glove", SLICE, "--epochs", 4, "--seed", 3, "--architecture", architecture]
    options += ["--filters", 8]
    train(GLOSSES, *options, "--out", tmp_path / "complete")
    command = [sys.executable, "-u", "-m", "glovelite.train", GLOSSES, *options, "--out"]
    command = [str(part) for part in (*command, tmp_path / "killed")]
    resumed = ""
    for epoch in ("epoch  1/", "epoch  3/"):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                resumed += line if "resuming" in line else ""
                if line.startswith(epoch):
                    process.kill()
        assert not (tmp_path / "killed").exists()
    resumed += train(GLOSSES, *options, "--out", tmp_path / "killed").stdout
    assert resumed.count("resuming after epoch") == 2
    assert same_weights(tmp_path / "complete", tmp_path / "killed")
    complete, killed = (read_metrics(tmp_path / name) for name in ("complete", "killed"))
    assert complete["history"] == killed["history"]
    assert complete["scores"] == killed["scores"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["complete", "killed"]


@pytest.mark.parametrize("content", [b"", b"damaged", b"PK\x03\x04"])
def test_an_invalid_checkpoint_is_ignored(tmp_path, content):
    checkpoint = Checkpoint(tmp_path / "state", make_identity({"configuration": {"epochs": 2}}))
    checkpoint.save(TrainingState({"loss": [0.5]}, [np.ones(3)], [np.ones(2)], 1))
    assert checkpoint.saved_epochs() == 1
    checkpoint.path.write_bytes(content)
    assert checkpoint.load() is None
    assert checkpoint.saved_epochs() == 0
    assert checkpoint.describe_other() == "cannot be read"


@pytest.mark.parametrize(
    ("history", "best_epoch"),
    [
        ({}, 0),
        ([0.5], 0),
        ({"loss": 0.5}, 0),
        ({"loss": ["x"]}, 0),
        ({"loss": [0.5], "val_loss": []}, 0),
        ({"loss": [0.5]}, 2),
        ({"loss": [0.5]}, "1"),
    ],
)
def test_a_checkpoint_of_an_impossible_course_is_ignored(tmp_path, history, best_epoch):
    checkpoint = Checkpoint(tmp_path / "state", make_identity({}))
    checkpoint.save(TrainingState(history, [np.ones(3)], [], best_epoch))
    assert checkpoint.load() is None
    assert checkpoint.saved_epochs() == 0
    assert checkpoint.describe_other() == "cannot be read"


def test_a_checkpoint_that_does_not_fit_the_model_is_ignored(tmp_path):
    texts, labels = [f"{n} animal" for n in range(60)], ["ab"[n % 2] for n in range(60)]
    options = make_options("article", filters=2, max_words=100, max_tokens=4, epochs=2)
    changes = (lambda values: values[:-1], lambda values: [v.astype("U9") for v in values])
    with interrupted("epoch  1/"):
        train_classifier(texts, labels, tmp_path / "run", options, vectors=SLICE)
    path = tmp_path / ".run.training"
    for change in changes:
        identity = json.loads(str(read_arrays(path)["about"]))["identity"]
        checkpoint = Checkpoint(path, identity)
        state = checkpoint.load()
        checkpoint.save(replace(state, variables=change(state.variables)))
        with interrupted("epoch  1/") as lines:
            train_classifier(texts, labels, tmp_path / "run", options, vectors=SLICE)
        assert any(line.endswith(f"{path} is damaged") for line in lines), lines


def test_a_checkpoint_of_other_vectors_is_ignored(tmp_path):
    """Same words, same file name, other values: the identity includes the vectors."""
    lines = gzip.decompress(SLICE.read_bytes()).decode().splitlines()
    words = [line.partition(" ")[0] for line in lines]
    vectors = [line.partition(" ")[2] for line in lines]
    texts, labels = [f"{n} animal" for n in range(60)], ["ab"[n % 2] for n in range(60)]
    options = make_options("article", filters=2, max_words=100, max_tokens=4, epochs=3)
    for values, last in ((vectors, "epoch  1/"), (vectors[::-1], "starting from scratch")):
        path = tmp_path / last[:5] / "v.txt"
        path.parent.mkdir()
        path.write_text("".join(f"{word} {value}\n" for word, value in zip(words, values)))
        with interrupted(last) as lines:
            train_classifier(texts, labels, tmp_path / "run", options, vectors=path)
    assert any(line.endswith(" had other vectors") for line in lines), lines


@pytest.fixture(scope="module")
def separate(tmp_path_factory):
    """A run with dev and test texts of its own, some of which are in training, and its output."""
    folder = tmp_path_factory.mktemp("separate")
    header, *lines = GLOSSES.read_text("utf-8").splitlines(keepends=True)
    parts = {
        "train": lines[:1500],
        "dev": lines[1450:1700],
        "test": [*lines[1300:1400], *lines[1700:]],
    }
    for name, part in parts.items():
        (folder / f"{name}.csv").write_text(header + "".join(part), "utf-8")
    options = ("--dev", folder / "dev.csv", "--test", folder / "test.csv", *QUICK, "--extra-words")
    done = train(folder / "train.csv", *options, "--json", "--out", folder / "run")
    return folder / "run", done


def test_separate_dev_and_test_texts(separate):
    run, done = separate
    assert "dropped: 50 dev texts that are also in training" in done.stderr
    assert " added; " in done.stderr
    assert "fitting conv-pool on 1,500 train, 200 dev, 300 test texts" in done.stderr
    assert len(read_texts(run, "dev")) == 200
    assert len(read_texts(run, "test")) == 300
    assert read_metrics(run)["split"] == {"by": "given", "column": None, "folds": 0}


def test_test_texts_that_training_holds_are_scored_apart(separate):
    run, done = separate
    assert "scored apart: 100 test texts that are also in training" in done.stderr
    metrics = read_metrics(run)
    assert metrics["scores"]["test"]["texts"] == 300
    assert metrics["scores"]["test_with_seen"]["texts"] == 400
    held_out = {*read_texts(run, "dev"), *read_texts(run, "test")}
    assert not held_out & {row["text"] for row in read_csv(GLOSSES)[1300:1400]}
    assert metrics["corpus"]["texts"] == 2000


def prepared(path, vectors=SLICE, **columns):
    """Prepare the text of a file for a training."""
    sources = (TextSource(path, **columns),)
    request = TrainingRequest(sources, path.with_name("run"), vectors=vectors)
    return prepare(read_inputs(sources), request, make_options("tiny"))


def test_groups_and_times_of_a_file_decide_the_split(tmp_path):
    texts = [row["text"] for row in read_csv(GLOSSES)]
    rows = [(*row.values(), n % 50, 2000 + n) for n, row in enumerate(read_csv(GLOSSES))]
    path = write_csv(tmp_path / "d.csv", rows, ("text", "label", "author", "year"))
    author = {text: n % 50 for n, text in enumerate(texts)}

    data = prepared(path, group_column="author")
    parts = (data.split.dev, data.split.test)
    dev, test = ({author[text] for text in part.texts} for part in parts)
    assert (len(dev), len(test), len(dev & test)) == (5, 5, 0)
    assert data.run.as_dict()["split"] == {"by": "group", "column": "author", "folds": 0}
    data = prepared(path, time_column="year")
    assert {*data.split.test.texts} == {*texts[1800:]}
    assert data.run.as_dict()["split"] == {"by": "time", "column": "year", "folds": 0}

    # What is missing stops the command after the split.
    missing = ("--glove", tmp_path / "missing.txt", "--out", tmp_path / "run")
    done = train(path, "--group-column", "author", *missing, check=False)
    assert "split by groups: 40 train, 5 dev, 5 test" in done.stdout
    done = train(path, "--time-column", "year", *missing, check=False)
    assert "split by time: train 2000 to 3599, dev 3600 to 3799, test 3800 to 3999" in done.stdout


def test_texts_of_unknown_words_get_the_class_frequencies(run_folder):
    model = keras.saving.load_model(run_folder / "model.keras")
    for count in range(1, 51):
        ids = np.zeros((1, count + 3), np.int32)
        ids[0, :count] = 1
        assert np.abs(np.asarray(model(ids))[0] - 0.25).max() < 0.05


def test_contractions_are_in_the_vocabulary(run_folder):
    tokens = read_json(run_folder / "vocab.json")["tokens"]
    assert {"don't", "isn't", "can't", "it's", "i'm", "a", "i"} <= set(tokens)


@pytest.mark.slow
def test_compare_scratch_trains_every_kind_at_several_sizes(tmp_path):
    source = write_two_classes(tmp_path)
    train(source, *QUICK, "--compare-scratch", "--out", tmp_path / "run")
    trials = read_json(tmp_path / "run" / "scratch.json")
    kinds = {"GloVe, frozen", "random, frozen", "random, trained"}
    assert {(t["texts"], t["kind"]) for t in trials} == {
        (size, kind) for size in (250, 800) for kind in kinds
    }
    for trial in trials:
        assert trial["interval"][0] < trial["accuracy"] < trial["interval"][1]
    assert (tmp_path / "run" / "scratch.png").stat().st_size > 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"run", source.name}


def test_an_existing_run_is_not_overwritten_unless_requested(run_folder):
    before = (run_folder / "metrics.json").stat().st_mtime_ns
    done = train(GLOSSES, "--glove", SLICE, "--out", run_folder, check=False)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr
    assert (run_folder / "metrics.json").stat().st_mtime_ns == before


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    options = ["--glove", SLICE, "--out", tmp_path, "--overwrite"]
    done = train(GLOSSES, *options, check=False)
    assert done.returncode == 1
    assert "holds no metrics.json" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_text_that_the_vectors_do_not_cover_is_refused(tmp_path):
    subjects = ("这部电影", "这本书", "这家餐厅", "这个手机", "这首歌", "这件衣服")
    rows = [(f"{subject}很好", "good") for subject in subjects]
    rows += [(f"{subject}很差", "bad") for subject in subjects]
    with (tmp_path / "chinese.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    done = train(tmp_path / "chinese.csv", *QUICK, "--out", tmp_path / "run", check=False)
    assert done.returncode == 1
    assert "covers 0.0% of the training tokens, expected at least 10%" in done.stderr
    assert "take vectors of the text's language" in done.stderr
    assert not (tmp_path / "run").exists()


def test_text_that_the_default_vectors_do_not_cover_is_trained_without(
    tmp_path, logged, monkeypatch
):
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))
    open_cached(DEFAULT_VECTORS, DEFAULT_VECTORS, lambda: read_file(SLICE, None, DEFAULT_VECTORS))
    rows = [(f"это {word} хорошо", "good") for word in "абвгдежз"]
    rows += [(f"это {word} плохо", "bad") for word in "абвгдежз"]
    data = prepared(write_csv(tmp_path / "russian.csv", rows), vectors=None)
    assert (data.run.glove, data.run.options.ngrams) == (NO_VECTORS, True)
    assert data.vocabulary.familiarity is None
    assert any("--vectors none" in line and "covers 0.0%" in line for line in logged)


def test_text_that_the_vectors_hardly_cover_is_taken_with_a_warning(tmp_path, logged):
    rows = [(f"a bird w{n} x{n}", "animal") for n in range(9)]
    rows += [(f"a tree y{n} z{n}", "plant") for n in range(9)]
    prepared(write_csv(tmp_path / "half.csv", rows))
    assert any("covers only 50.0% of the training tokens" in line for line in logged)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["nowhere.csv", "--out", "x"], 1, "nowhere.csv is neither a file, a folder"),
        ([ROOT / "tests/data/README.md", "--out", "x"], 1, "cannot find text and label"),
        ([GLOSSES, "--out", "x", "--label-column", "kind"], 1, "there is no column 'kind'"),
        ([GLOSSES, "--out", "x", "--glove", "nowhere.txt"], 1, "nowhere.txt is neither a file"),
        ([GLOSSES, "--out", "/proc/x"], 1, "cannot be written"),
        ([GLOSSES], 2, "--out"),
        ([GLOSSES, "--out", "x", "--seed", "-1"], 2, "--seed"),
        ([GLOSSES, "--out", "."], 1, "is the current folder"),
        (["a long text " * 50, "--out", "x"], 1, "File name too long"),
        ([GLOSSES, "--out", "x", "--epochs", "0"], 2, "--epochs"),
        ([GLOSSES, "--out", "x", "--group-column", "author"], 1, "there is no column 'author'"),
        (
            [GLOSSES, "--out", "x", "--group-column", "a", "--time-column", "b"],
            2,
            "--group-column and --time-column split the text in different ways",
        ),
        (
            [GLOSSES, "--out", "x", "--time-column", "b", "--dev", "d", "--test", "t"],
            2,
            "--time-column has nothing to split",
        ),
    ],
)
def test_errors_are_one_line_and_leave_no_files(tmp_path, monkeypatch, options, status, message):
    monkeypatch.chdir(tmp_path)
    done = train(*options, check=False)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_json_is_printed_alone_on_standard_output(separate):
    _, done = separate
    configuration = json.loads(done.stdout)["configuration"]
    assert "epoch  1/1" in done.stderr
    assert "next: " not in done.stdout + done.stderr
    given = replace(PRESETS["article"], filters=2, epochs=1, extra_words=True, ngrams=False)
    given = replace(given, max_tokens=configuration["max_tokens"])
    expected = json.loads(json.dumps(asdict(given)))  # the preset sets what is not given
    assert {name: configuration[name] for name in expected} == expected


class Column:
    """A column of a DataFrame: a sequence without list methods."""

    def __init__(self, values):
        self._values = values

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        return iter(self._values)


def gloss_columns():
    lines = GLOSSES.read_text("utf-8").splitlines()[1:]
    pairs = [line.rpartition(",")[::2] for line in lines]
    return [text.strip('"').replace('""', '"') for text, _ in pairs], [label for _, label in pairs]


def test_train_classifier_takes_columns(tmp_path, logged):
    texts, labels = gloss_columns()
    result = train_classifier(
        Column(texts[:1500]),
        np.array(labels[:1500]),
        tmp_path / "run",
        make_options("article", epochs=1),
        dev=(["a wild bird", "a sweet cake"], ["animal", "food"]),
        test=(Column(texts[1500:]), np.array(labels[1500:])),
        vectors=str(SLICE),
    )
    assert {path.name for path in result.path.iterdir()} == FILES
    assert result.metrics.as_dict()["corpus"]["texts"] == 2002
    assert result.metrics.scores["test"].accuracy > 0.5
    assert read_texts(result.path, "dev") == ["a wild bird", "a sweet cake"]
    assert any(line.startswith("epoch  1/1") for line in logged)
    path, sizes, model, accuracy, step = str(result).splitlines()
    assert path == f"run folder {tmp_path / 'run'}"
    assert sizes == "texts: 2,002 texts, of these 2 dev, 500 test"
    assert model.startswith("conv-pool with glove.6B.100d.slice.txt.gz, epoch 1 of 1, ")
    assert accuracy.startswith("test: accuracy ")
    assert step.startswith("next: glovelite-convert export ")
    assert repr(result) == f"<TrainingResult {tmp_path / 'run'}: {accuracy}>"


PROGRESS = """
import logging, sys
from glovelite.train import make_options, train_classifier
texts, labels = [f"{n} animal" for n in range(60)], ["ab"[n % 2] for n in range(60)]
options = make_options("article", filters=2, epochs=1)
train_classifier(texts, labels, f"{sys.argv[1]}/quiet", options, vectors=sys.argv[2])
print("now with logging", file=sys.stderr)
logging.basicConfig(level=logging.INFO)
train_classifier(texts, labels, f"{sys.argv[1]}/shown", options, vectors=sys.argv[2])
"""


@pytest.mark.slow
def test_in_python_only_warnings_appear_unless_logging_shows_more(tmp_path):
    done = run(sys.executable, "-c", PROGRESS, tmp_path, SLICE)
    quiet, _, shown = done.stderr.partition("now with logging\n")
    assert done.stdout == ""
    assert "covers only" in quiet
    assert "\nonly 6 dev texts: " in quiet
    assert "epoch" not in quiet
    assert "run folder" not in quiet
    assert "INFO:glovelite.train.fitting.fit:epoch  1/1" in shown
    assert "WARNING:glovelite.train.trainer:only 6 dev texts" in shown
    assert f"INFO:glovelite.train.trainer:run folder {tmp_path / 'shown'}: " in shown


def test_labels_in_memory_may_be_numbers():
    texts, labels = gloss_columns()
    numbers = [{"animal": 0, "food": 1}.get(label, 2.5) for label in labels]
    inputs = read_sequences(texts, numbers, test=(["a small bird", "a tall tree"], [0, 2.5]))
    assert inputs.train.classes == inputs.test.classes == ("0", "1", "2.5")
    assert inputs.test.labels == ["0", "2.5"]


def test_train_classifier_takes_groups_or_times(tmp_path):
    texts, labels = gloss_columns()
    options = make_options("tiny", epochs=1, filters=2)
    days = np.datetime64("2020-01-01") + np.arange(len(texts))
    columns = {"groups": np.arange(len(texts)) % 50, "times": days}
    for name, column in columns.items():
        with interrupted("fitting") as lines:
            train_classifier(
                texts, labels, tmp_path / name, options, **{name: column}, vectors=str(SLICE)
            )
        assert any(line.startswith(f"split by {name[:4]}") for line in lines)
    with pytest.raises(OptionsError, match="split the text in different ways"):
        train_classifier(texts, labels, tmp_path / "both", options, **columns)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"groups": ["x"]}, "expected as many groups as texts, found 1 groups for 2 texts"),
        ({"groups": ["x", None]}, "texts, index 1: 'group' is missing"),
        ({"groups": ["x", np.nan]}, "texts, index 1: 'group' is missing"),
        ({"times": [1, "soon"]}, "texts, index 1: time: expected a number, or an ISO 8601 date"),
        ({"times": [1, "2024-05-31"]}, "texts, index 1: time: expected a number as in earlier"),
    ],
)
def test_train_classifier_names_the_index_of_a_bad_group_or_time(tmp_path, column, message):
    with pytest.raises(DataError, match=message):
        train_classifier(["a", "b"], ["x", "y"], tmp_path / "run", **column)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b"], ["x"], "expected as many labels as texts, found 1 labels for 2 texts"),
        (["a", None], ["x", "y"], "texts, index 1: expected a string, found NoneType"),
        (["a", " "], ["x", "y"], "texts, index 1: the text is empty"),
        (["a", "b"], ["x", None], "texts, index 1: 'label' is missing"),
        (["a", "b"], ["x", np.nan], "texts, index 1: 'label' is missing"),
        (["a", "b"], ["x", "y\n\x00"], r"texts, index 1: the label .* holds U\+000A, which"),
    ],
)
def test_train_classifier_names_the_index_of_bad_input(tmp_path, texts, labels, message):
    with pytest.raises(DataError, match=message):
        train_classifier(texts, labels, tmp_path / "run", vectors=str(SLICE))
    assert list(tmp_path.iterdir()) == []


def test_public_names_agree():
    assert dir(train_package) == sorted(train_package.__all__)
    assert "train_classifier(" in pydoc.render_doc(train_package, renderer=pydoc.plaintext)


def test_version_is_printed():
    assert train("--version").stdout.startswith("glovelite-train, version 0.")


def test_the_curves_say_why_an_epoch_was_kept():
    assert describe_choice({"val_loss": [0.5, 0.4, 0.6]}, 2) == "which has the lowest dev loss"
    few = describe_choice({"val_loss": [0.5, 0.4, 0.6]}, 3)
    assert few == "the last: fewer than 100 dev texts do not tell which one is best"
