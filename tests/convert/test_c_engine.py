"""The C engine: memory that is never left, clear refusals, a folder that compiles.

tests/convert/test_engines.py compares its predictions with Python's; `make test-c` runs more
compilers, texts and damages (tests/interop/test_c_engine.py).
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from glovelite.convert.model_bin.graph_weights import read_weights
from glovelite.convert.model_bin.model_file import build_model_file
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.errors import EngineError
from tests.c_engine import STRICT, classify, find_compiler
from tests.helpers import GLOSSES, LEGACY_BUNDLE, ROOT, convert, read_csv

DAMAGES = 500


@pytest.mark.parametrize("run_name", ["glosses", "pairs", "characters"])
def test_a_buffer_is_as_large_as_the_header_says(exported, program, tmp_path, run_name):
    model = build_model_file(read_bundle(exported(run_name)))
    (about,) = classify(program("driver"), model.content, [], tmp_path)
    assert about["buffer"] == model.buffer_bytes


def test_a_cache_changes_no_prediction(program, bundle, tmp_path):
    model = build_model_file(read_bundle(bundle)).content
    texts = [row["text"] for row in read_csv(GLOSSES)[:200]]
    without = classify(program("driver"), model, texts, tmp_path)
    for cache_bytes in (5_000, 50_000, 5_000_000):
        assert classify(program("driver"), model, texts, tmp_path, cache_bytes) == without


def test_weights_are_read_as_they_are_stored(bundle, float_bundle, int4_bundle, exported):
    folded = exported("glosses", "--layout", "folded")
    bits = [read_weights(read_bundle(path).model).rows.bits for path in (bundle, folded)]
    assert bits == [8, 8]
    assert read_weights(read_bundle(float_bundle).model).rows.bits == 32
    weights = read_weights(read_bundle(int4_bundle).model)
    assert (weights.rows.bits, weights.rows.columns) == (4, 48)
    assert not read_weights(read_bundle(folded).model).kernels


def test_damaged_models_are_refused_or_harmless(program, hashed_bundle, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(build_model_file(read_bundle(hashed_bundle)).content)
    done = subprocess.run([program("fuzz"), path, str(DAMAGES), "1"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    accepted, *refused = map(int, done.stdout.split())
    assert accepted + sum(refused) == DAMAGES
    assert sum(refused) > accepted > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"", "no model.bin"),
        (lambda model: b"TFL3" + model[4:], "no model.bin"),
        (lambda model: model[:4] + b"\2" + model[5:], "newer engine"),
        (lambda model: model[:-16], "lost bytes"),
        (lambda model: model[:-1] + bytes([model[-1] ^ 1]), "bytes were changed"),
    ],
)
def test_a_file_that_is_no_intact_model_is_refused_with_the_reason(
    program, bundle, tmp_path, change, message
):
    model = change(build_model_file(read_bundle(bundle)).content)
    (answer,) = classify(program("driver"), model, ["text"], tmp_path)
    assert message in answer["message"]


def test_the_folder_compiles_and_passes_its_own_test(hashed_bundle, tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    compiler, folder = find_compiler(), tmp_path / "engine"
    printed = convert("c", hashed_bundle, "--out", folder).stdout
    assert f"make -C {folder}" in printed
    options = ("CFLAGS=-O0 -Wpedantic -Wconversion -Werror",)
    command = ["make", "-s", "-C", folder, *options, "classify", "test"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "golden texts as expected" in done.stdout
    run = [folder / "classify", "a small bird that sings"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    label, probability, text = done.stdout.replace("\t", " ", 1).split(" ", 2)
    assert (label, text) == ("animal", "a small bird that sings\n")
    assert probability.endswith("%")
    page = (ROOT / "docs/c.md").read_text("utf-8")
    example = re.findall("```c\n(.*?)```", page, re.DOTALL)[0]  # others are for other languages
    (tmp_path / "mine.c").write_text(example, "utf-8")
    objects = [folder / "glovelite.o", folder / "model.o"]
    command = [compiler, *STRICT, f"-I{folder}", tmp_path / "mine.c", *objects, "-lm"]
    subprocess.run([*command, "-o", tmp_path / "mine"], check=True)
    done = subprocess.run([tmp_path / "mine"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] in read_bundle(hashed_bundle).vocabulary.labels
    again = convert("c", hashed_bundle, "--out", folder, check=False)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    written = json.loads(
        convert("c", hashed_bundle, "--out", folder, "--overwrite", "--json").stdout
    )
    assert written["model_bytes"] == (folder / "model.bin").stat().st_size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "conv-lstm"}, "a conv-lstm model, which only a TFLite interpreter runs"),
        ({"recipe": "int8"}, "the recipe int8, whose arithmetic is TFLite's own"),
    ],
)
def test_models_that_the_engine_does_not_run_are_refused(bundle, changes, message):
    loaded = read_bundle(bundle)
    changed = replace(loaded, manifest={**loaded.manifest, **changes})
    with pytest.raises(EngineError, match=message):
        build_model_file(changed)


def test_an_older_vocabulary_is_refused_in_one_line(tmp_path):
    done = convert("c", LEGACY_BUNDLE, "--out", tmp_path / "engine", check=False)
    assert done.returncode == 1
    assert "vocab.json format 1" in done.stderr
    assert not (tmp_path / "engine").exists()
