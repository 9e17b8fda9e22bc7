"""A run folder: what `train` promises `convert` and the person."""

import gzip
import json
import subprocess
import sys

import pytest
from helpers import GLOSSES, ROOT, SLICE, run, train

FILES = {
    "model.keras",
    "vocab.json",
    "metrics.json",
    "calibration.jsonl",
    "dev.jsonl",
    "test.jsonl",
    "curves.png",
    "confusion.png",
}
LAYERS = """
import json, sys
import keras
model = keras.saving.load_model(sys.argv[1])
shapes = lambda layer: [list(weight.shape) for weight in layer.get_weights()]
layers = {each.name: [type(each).__name__, shapes(each)] for each in model.layers}
table = model.get_layer("table")
padding = [float(abs(table.get_weights()[0][0]).max()), table.trainable]
print(json.dumps([layers, padding, list(model.output_shape)]))
"""


def texts(folder, name):
    lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def test_every_file_is_there(run_folder):
    assert {path.name for path in run_folder.iterdir()} == FILES


def test_it_has_learned(run_folder):
    """Four classes: chance is 25 %, and GloVe with 1,600 definitions knows much better."""
    metrics = json.loads((run_folder / "metrics.json").read_text("utf-8"))
    assert metrics["scores"]["test"]["accuracy"] > 0.8
    history = metrics["history"]
    assert history["loss"][-1] < history["loss"][0]
    assert {len(values) for values in history.values()} == {len(history["loss"])}


def test_metrics_say_what_was_done(run_folder):
    metrics = json.loads((run_folder / "metrics.json").read_text("utf-8"))
    assert metrics["format"] == 1
    assert metrics["configuration"]["seed"] == 0
    assert metrics["configuration"]["filters"] == 64
    assert metrics["corpus"]["texts"] == 2000
    assert {len(each) for each in metrics["corpus"]["fingerprints"].values()} == {64}
    assert any("conv_1 (Conv1D)" in line for line in metrics["summary"])
    assert {"python", "tensorflow", "keras", "numpy", "glovelite"} <= metrics["versions"].keys()


def test_the_three_texts_are_apart(run_folder):
    calibration, dev, test = (set(texts(run_folder, n)) for n in ("calibration", "dev", "test"))
    assert not dev & test
    assert not calibration & (dev | test)


def test_layer_names_are_the_contract(run_folder, tmp_path):
    """Loaded without our code, in another folder."""
    script = tmp_path / "layers.py"
    script.write_text(LAYERS)
    done = run(sys.executable, "-P", script, run_folder / "model.keras", cwd=tmp_path)
    layers, padding, output_shape = json.loads(done.stdout)
    vocabulary = json.loads((run_folder / "vocab.json").read_text("utf-8"))
    words = len(vocabulary["tokens"])
    assert layers["table"] == ["Embedding", [[words, 100]]]
    for taps in (1, 2, 3):
        assert layers[f"conv_{taps}"] == ["Conv1D", [[taps, 100, 64], [64]]]
    assert layers["wide"] == ["Embedding", [[words, 4]]]
    assert layers["logits"] == ["Dense", [[3 * 64, 4], [4]]]
    assert padding == [0.0, False]
    assert output_shape == [None, 4]


def test_without_an_adapter_rows_are_gloves_to_the_digit(tmp_path):
    run_folder = tmp_path / "run"
    few = ("--glove", SLICE, "--epochs", 1)
    train(GLOSSES, *few, "--adapter", 0, "--out", run_folder)
    script = tmp_path / "rows.py"
    script.write_text(
        "import json, sys, gzip\nimport keras, numpy as np\n"
        "table = keras.saving.load_model(sys.argv[1]).get_layer('table').get_weights()[0]\n"
        "tokens = json.load(open(sys.argv[2], encoding='utf-8'))['tokens']\n"
        "lines = gzip.open(sys.argv[3], 'rt', encoding='utf-8').read().splitlines()\n"
        "glove = {line.split()[0]: np.float32(line.split()[1:]) for line in lines}\n"
        "both = [t for t in tokens if t in glove]\n"
        "print(len(both), all(np.array_equal(table[tokens.index(t)], glove[t]) for t in both))\n"
    )
    done = run(sys.executable, script, run_folder / "model.keras", run_folder / "vocab.json", SLICE)
    count, same = done.stdout.split()
    assert int(count) > 1500
    assert same == "True"


SAME = """
import sys
import keras, numpy as np
models = [keras.saving.load_model(path).get_weights() for path in sys.argv[1:]]
print(all(np.array_equal(a, b) for a, b in zip(*models)), len(models[0]))
"""


def same_weights(*runs):
    paths = [folder / "model.keras" for folder in runs]
    return run(sys.executable, "-c", SAME, *paths).stdout.startswith("True")


@pytest.mark.parametrize("architecture", ["conv-pool", "conv-lstm"])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, architecture):
    """Killed after the first epochs and given again, it ends where an uninterrupted one ends."""
    options = ["--glove", SLICE, "--epochs", 6, "--seed", 3, "--architecture", architecture]
    train(GLOSSES, *options, "--out", tmp_path / "whole")
    command = [sys.executable, "-u", "-m", "train", GLOSSES, *options, "--out", tmp_path / "killed"]
    command = [str(part) for part in command]
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
    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    whole, killed = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "killed")
    )
    assert whole["history"] == killed["history"]
    assert whole["scores"] == killed["scores"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_a_checkpoint_of_another_training_is_not_used(tmp_path):
    options = [GLOSSES, "--glove", SLICE, "--epochs", 1, "--filters", 2]
    train(*options, "--out", tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "done")
    for state in (b"", b"damaged", (tmp_path / "done" / "model.keras").read_bytes()):
        (tmp_path / ".run.training").write_bytes(state)
        done = train(*options, "--out", tmp_path / "run", "--overwrite")
        assert "resuming" not in done.stdout


def test_a_checkpoint_of_other_vectors_is_not_used(tmp_path):
    """Same words, same file name, other values: the identity is in the vectors."""
    lines = gzip.decompress(SLICE.read_bytes()).decode().splitlines()
    words = [line.partition(" ")[0] for line in lines]
    vectors = [line.partition(" ")[2] for line in lines]
    for name, values in (("one", vectors), ("two", vectors[::-1])):
        (tmp_path / name).mkdir()
        text = "".join(f"{word} {value}\n" for word, value in zip(words, values))
        (tmp_path / name / "v.txt").write_text(text)
    command = [sys.executable, "-u", "-m", "train", GLOSSES, "--out", tmp_path / "run"]
    command += ["--epochs", "8", "--glove", tmp_path / "one" / "v.txt"]
    command = [str(part) for part in command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch  2/"):
                process.kill()
    command[-1] = str(tmp_path / "two" / "v.txt")
    assert "resuming" not in run(*command).stdout


@pytest.mark.parametrize("label", ["a $\\x$ b", "日本", "x" * 300])
def test_a_label_that_is_hard_to_draw_costs_no_run(tmp_path, label):
    lines = GLOSSES.read_text("utf-8").splitlines()
    rows = [line.removesuffix("animal") + label for line in lines if line.endswith(",animal")]
    rows += [line for line in lines if line.endswith((",plant", ",label"))][:200]
    rows.sort(key=lambda line: not line.endswith(",label"))
    (tmp_path / "d.csv").write_text("\n".join(rows), "utf-8")
    options = ("--glove", SLICE, "--epochs", 1, "--filters", 2)
    done = train(tmp_path / "d.csv", *options, "--out", tmp_path / "run")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "confusion.png").stat().st_size > 5000


def test_conv_lstm_is_the_notebooks(tmp_path):
    options = ["--glove", SLICE, "--architecture", "conv-lstm", "--epochs", 1]
    train(GLOSSES, *options, "--out", tmp_path / "run")
    script = tmp_path / "layers.py"
    script.write_text(LAYERS)
    done = run(sys.executable, script, tmp_path / "run" / "model.keras")
    layers = json.loads(done.stdout)[0]
    kinds = [kind for kind, _ in layers.values()]
    assert kinds[1:] == ["Embedding", "Conv1D", "MaxPooling1D", "LSTM", "Dense", "Activation"]
    assert layers["lstm"][1] == [[64, 256], [64, 256], [256]]


def test_parts_given_apart_stay_apart(tmp_path):
    lines = GLOSSES.read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "train.csv").write_text("".join(lines[:1500]), "utf-8")
    (tmp_path / "dev.csv").write_text(lines[0] + "".join(lines[1450:1700]), "utf-8")
    (tmp_path / "test.csv").write_text(lines[0] + "".join(lines[1700:]), "utf-8")
    parts = ["--dev", tmp_path / "dev.csv", "--test", tmp_path / "test.csv"]
    out = tmp_path / "run"
    done = train(
        *(tmp_path / "train.csv", *parts, "--glove", SLICE, "--out", out, "--epochs", 1),
        *("--min-words", 2_100),
    )
    assert "left out of training: 50 texts that stand in dev too" in done.stdout
    assert "glove.6B.100d.slice.txt.gz: 2,100 tokens" in done.stdout
    assert " that training never saw; " in done.stdout
    assert len(texts(out, "dev")) == 250
    assert len(texts(out, "test")) == len(lines) - 1700


def test_scratch_is_compared_at_several_sizes(tmp_path):
    options = ["--glove", SLICE, "--epochs", 2, "--compare-scratch"]
    train(GLOSSES, *options, "--out", tmp_path / "run")
    trials = json.loads((tmp_path / "run" / "scratch.json").read_text())
    kinds = {"GloVe, frozen", "random, frozen", "random, trained"}
    assert {(t["texts"], t["kind"]) for t in trials} == {
        (size, kind) for size in (250, 1000, 1599) for kind in kinds
    }
    for trial in trials:
        assert trial["interval"][0] < trial["accuracy"] < trial["interval"][1]
    assert (tmp_path / "run" / "scratch.png").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_existing_run_is_kept_unless_asked(run_folder):
    before = (run_folder / "metrics.json").stat().st_mtime_ns
    done = train(GLOSSES, "--glove", SLICE, "--out", run_folder, check=False)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr
    assert (run_folder / "metrics.json").stat().st_mtime_ns == before


def test_a_folder_that_is_not_a_run_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    options = ["--glove", SLICE, "--out", tmp_path, "--overwrite"]
    done = train(GLOSSES, *options, check=False)
    assert done.returncode == 1
    assert "holds no metrics.json" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["nowhere.csv", "--out", "x"], 1, "nowhere.csv is neither a file nor a folder"),
        ([ROOT / "tests/data/README.md", "--out", "x"], 1, "cannot tell text and label"),
        ([GLOSSES, "--out", "x", "--label-column", "kind"], 1, "there is no column 'kind'"),
        ([GLOSSES, "--out", "x", "--glove", "nowhere.txt"], 1, "nowhere.txt is not a file"),
        ([GLOSSES, "--out", "/proc/x"], 1, "cannot be written"),
        ([GLOSSES], 2, "--out"),
        ([GLOSSES, "--out", "x", "--seed", "-1"], 2, "--seed"),
        ([GLOSSES, "--out", "."], 1, "is the folder you are in"),
        (["a long text " * 50, "--out", "x"], 1, "File name too long"),
        ([GLOSSES, "--out", "x", "--epochs", "0"], 2, "--epochs"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(tmp_path, options, status, said):
    done = train(*options, check=False, cwd=tmp_path, env=None)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_json_ends_on_standard_output_alone(tmp_path):
    done = train(
        GLOSSES,
        "--glove",
        SLICE,
        "--out",
        tmp_path / "run",
        "--epochs",
        1,
        "--filters",
        2,
        "--json",
    )
    assert json.loads(done.stdout)["configuration"]["filters"] == 2
    assert "epoch  1/1" in done.stderr


def test_the_screen_shows_our_words_only(tmp_path):
    done = train(GLOSSES, "--glove", SLICE, "--out", tmp_path / "run", "--epochs", 1)
    assert done.stderr == ""
    assert "epoch  1/1" in done.stdout
