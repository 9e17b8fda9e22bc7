"""A bundle: converted, run on the device's interpreter, written whole."""

import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import ROOT, convert, run

from convert.errors import ConversionError
from convert.worker import call
from runtime import Classifier

FILES = {"model.tflite", "vocab.json", "manifest.json", "MODEL_CARD.md"}


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_a_bundle_is_four_files(bundle, float_bundle):
    assert {path.name for path in bundle.iterdir()} == FILES
    assert {path.name for path in float_bundle.iterdir()} == FILES


def test_the_manifest_describes_every_device_file(bundle):
    for name, described in manifest_of(bundle)["files"].items():
        content = (bundle / name).read_bytes()
        assert described["bytes"] == len(content)
        assert described["sha256"] == hashlib.sha256(content).hexdigest()


def test_float32_is_keras_to_rounding(float_bundle):
    for measured in manifest_of(float_bundle)["accuracy"].values():
        assert measured["agreement"] == 1
        assert measured["device"] == measured["keras"]
        assert measured["largest_difference"] < 1e-5


def test_dynamic_keeps_labels_in_a_quarter_of_the_bytes(bundle, float_bundle):
    for measured in manifest_of(bundle)["accuracy"].values():
        assert measured["agreement"] > 0.98
        assert measured["largest_difference"] < 0.1
    small, large = ((b / "model.tflite").stat().st_size for b in (bundle, float_bundle))
    assert small < 0.3 * large


def test_accuracy_is_what_the_device_computes(bundle, run_folder):
    """Counted again here, from the run's own texts."""
    classifier = Classifier.load(bundle)
    for name in ("dev", "test"):
        records = [json.loads(line) for line in (run_folder / f"{name}.jsonl").open()]
        predictions = classifier.predict(record["text"] for record in records)
        right = [p.label == r["label"] for p, r in zip(predictions, records)]
        told = manifest_of(bundle)["accuracy"][name]["device"]
        assert told == pytest.approx(np.mean(right), abs=1e-6)


def test_it_loads_on_the_oldest_runtime_we_name(bundle):
    oldest = tuple(map(int, manifest_of(bundle)["oldest_runtime"].split(".")))
    assert oldest <= (2, 14, 0)


def test_the_same_run_gives_the_same_bytes(bundle, run_folder, tmp_path):
    convert("export", run_folder, "--out", tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes(), name


def test_goldens_are_our_own_neutral_text(bundle, run_folder):
    theirs = (run_folder / "dev.jsonl").read_text() + (run_folder / "test.jsonl").read_text()
    goldens = manifest_of(bundle)["goldens"]
    assert any(golden["truncated"] for golden in goldens)
    assert not any(golden["text"] in theirs for golden in goldens if len(golden["text"]) > 5)


def test_the_model_card_carries_the_measurements(bundle):
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    measured = manifest_of(bundle)["accuracy"]["test"]
    assert f"{measured['keras']:.2%}" in card
    assert f"{measured['device']:.2%}" in card


def test_an_existing_bundle_is_kept_unless_asked(bundle, run_folder, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    done = convert("export", run_folder, "--out", copy, check=False)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr
    convert("export", run_folder, "--out", copy, "--quantize", "float32", "--overwrite")
    assert manifest_of(copy)["recipe"] == "float32"
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_killed_export_leaves_no_half_bundle(run_folder, tmp_path):
    for wait in (0.2, 1.5, 4.0):
        process = subprocess.Popen(
            [sys.executable, "-m", "convert", "export", run_folder, "--out", tmp_path / "b"],
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
        )
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "b").exists():
            Classifier.load(tmp_path / "b")
    convert("export", run_folder, "--out", tmp_path / "b", "--overwrite")
    Classifier.load(tmp_path / "b")


def test_json_is_the_last_word(run_folder, tmp_path):
    done = convert("export", run_folder, "--out", tmp_path / "b", "--json")
    answer = json.loads(done.stdout)
    sizes = [(tmp_path / "b" / name).stat().st_size for name in FILES - {"MODEL_CARD.md"}]
    assert answer["total_bytes"] == sum(sizes)


@pytest.fixture
def copy(run_folder, tmp_path):
    return shutil.copytree(run_folder, tmp_path / "run")


def edit(path, change):
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "model.keras").unlink(), "lacks model.keras"),
        (lambda f: (f / "dev.jsonl").unlink(), "lacks dev.jsonl"),
        (lambda f: (f / "dev.jsonl").write_text(""), "dev.jsonl is empty"),
        (lambda f: (f / "dev.jsonl").write_text('{"text": "a"}\n'), "dev.jsonl, line 1"),
        (lambda f: (f / "calibration.jsonl").write_text("\n"), "calibration.jsonl is empty"),
        (lambda f: (f / "metrics.json").write_text("{"), "metrics.json is not JSON"),
        (lambda f: edit(f / "metrics.json", lambda m: m.update(format=9)), "run format 9"),
        (
            lambda f: edit(f / "metrics.json", lambda m: m.pop("scores")),
            "lacks scores.dev.accuracy",
        ),
        (lambda f: edit(f / "metrics.json", lambda m: m.update(corpus=3)), "lacks corpus.name"),
        (lambda f: edit(f / "vocab.json", lambda v: v["tokens"].pop()), "layer 'table' has"),
        (lambda f: edit(f / "vocab.json", lambda v: v.update(labels=["x", "y"])), "label"),
        (lambda f: (f / "model.keras").write_bytes(b"PK"), "model.keras cannot be loaded"),
    ],
)
def test_a_spoilt_run_is_refused_by_name(copy, tmp_path, spoil, said):
    spoil(copy)
    done = convert("export", copy, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("model.layers[1].name = 'words'", "layer 'words' (Embedding) is not one"),
        (
            "model.get_layer('conv_1').name = 'dense_1'",
            "layer 'dense_1' (Conv1D) is not one",
        ),
        (
            "w = model.get_layer('logits').get_weights(); w[1][:] = float('nan');"
            "model.get_layer('logits').set_weights(w)",
            "layer 'logits' holds values that are not finite",
        ),
    ],
)
def test_an_unknown_layer_and_a_spoilt_weight_are_named(copy, tmp_path, script, said):
    path = copy / "model.keras"
    code = f"import keras; p = {str(path)!r}; model = keras.saving.load_model(p); {script}"
    run(sys.executable, "-c", code + "; model.save(p)")
    done = convert("export", copy, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_model_that_is_not_the_runs_is_refused(copy, tmp_path):
    """A gate that compares a model with itself would let any model through."""
    path = str(copy / "model.keras")
    code = (
        f"import keras, numpy as np; path = {path!r}; model = keras.saving.load_model(path)\n"
        "table = model.get_layer('table'); (rows,) = table.get_weights()\n"
        "table.set_weights([np.random.default_rng(0).permutation(rows)]); model.save(path)"
    )
    run(sys.executable, "-c", code)
    done = convert("export", copy, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert "right where metrics.json says" in done.stderr


def test_a_link_is_followed(run_folder, tmp_path):
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "link").symlink_to("big-disk")
    convert("export", run_folder, "--out", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    Classifier.load(tmp_path / "big-disk")


def test_no_path_of_the_users_travels_in_a_bundle(bundle):
    for name in FILES - {"model.tflite"}:
        assert b"/tests/data" not in (bundle / name).read_bytes()


def test_a_child_that_dies_is_an_error_message():
    with pytest.raises(ConversionError, match="died of SIGABRT"):
        call("os:abort")
    with pytest.raises(ConversionError, match="FileNotFoundError"):
        call("os:stat", path="/nowhere")


def test_a_full_disk_loses_nothing(run_folder, bundle, tmp_path):
    """No file may grow beyond 100 kB, which is how a full disk looks to a program."""
    target = shutil.copytree(bundle, tmp_path / "b")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = convert(
        "export", run_folder, "--out", target, "--overwrite", check=False, preexec_fn=limit
    )
    assert done.returncode == 1
    assert "large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    Classifier.load(target)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/proc/b", "cannot be written"),
        ("file", "holds no manifest"),
        ("thesis", "holds no manifest"),
        ("extension", "holds 'app.js', which is not ours"),
        (".", "is the folder you are in"),
        ("..", "is the folder you are in or above it"),
    ],
)
def test_a_target_that_cannot_be_is_refused_first(run_folder, tmp_path, target, said):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("mine")
    (tmp_path / "extension").mkdir()
    for name in ("manifest.json", "app.js"):
        (tmp_path / "extension" / name).write_text("mine")
    place = target if target.startswith(".") else tmp_path / target
    done = convert("export", run_folder, "--out", place, "--overwrite", check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert (tmp_path / "thesis" / "chapter").read_text() == "mine"
    assert (tmp_path / "extension" / "app.js").read_text() == "mine"


def test_the_command_needs_no_tensorflow_to_answer_help():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "import convert.cli\n"
        "try: convert.cli.main()\n"
        "except SystemExit: pass\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert run(sys.executable, "-c", code).stdout.endswith("set()\n")
