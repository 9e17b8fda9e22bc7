"""The C engine: the ids and predictions of Python, memory that is never left, clear refusals.

`make test-c` runs more compilers, texts and damages (tests/interop/test_c_engine.py).
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from glovelite.convert.model_bin.graph_weights import StoredWide, read_weights
from glovelite.convert.model_bin.model_file import build_model_file
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.errors import EngineError
from glovelite.runtime.ngrams import NgramWeights, parse_ngrams
from glovelite.runtime.text.hashed_words import parse_hashed_words
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import parse_vocabulary
from tests.c_engine import (
    SANITIZED,
    STRICT,
    TOLERANCE,
    assert_equal_ids,
    assert_equal_predictions,
    build,
    can_sanitize,
    classify,
    draw_texts,
    find_compiler,
    pack_vocabulary,
)
from tests.helpers import (
    DATA,
    GLOSSES,
    LEGACY_BUNDLE,
    ROOT,
    convert,
    read_csv,
    read_json_lines,
)

CONFORMANCE = DATA / "conformance"
RANDOM_TEXTS, DAMAGES = 3_000, 500
SENTENCES = (
    *("", "zyx", "an animal", "a small bird, and a large plant", "don't!", "b\0b"),
    "the animal and the plant " * 100,
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A function from the name of a program of tests/c to its path; with sanitizers if possible."""
    compiler, folder = find_compiler(), tmp_path_factory.mktemp("c")
    sanitizers = SANITIZED if can_sanitize(compiler, folder) else ()
    return build(compiler, folder, "-O1", *sanitizers)


def conformance_texts():
    """Return the records whose text is UTF-8: lone surrogates cannot be encoded."""
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    return [record for record in records if _encodes(record["text"])]


def _encodes(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_conformance_vocabulary(name="vocab.json"):
    return parse_vocabulary((CONFORMANCE / name).read_text("utf-8"))


def test_ids_of_the_conformance_file(program, tmp_path):
    vocabulary = read_conformance_vocabulary()
    index = (CONFORMANCE / "hashed_words.bin").read_bytes()
    hashed = parse_hashed_words(index, len(vocabulary.tokens), "hashed_words.bin")
    model, records = pack_vocabulary(replace(vocabulary, hashed=hashed)), conformance_texts()
    assert len(records) > 100
    texts = [record["text"] for record in records]
    _, *found = classify(program("driver"), model, texts, tmp_path)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == record["ids"], record["name"]


@pytest.mark.parametrize("cache_bytes", [0, 100_000])  # without and with the filter of words
def test_nearest_spellings_of_the_conformance_file(program, tmp_path, cache_bytes):
    vocabulary = read_conformance_vocabulary("spelling.json")
    index = (CONFORMANCE / "spelling_hashed_words.bin").read_bytes()
    hashed = parse_hashed_words(index, len(vocabulary.tokens), "spelling_hashed_words.bin")
    model = pack_vocabulary(replace(vocabulary, hashed=hashed))
    records = read_json_lines(CONFORMANCE / "spelling.jsonl")
    texts = [record["text"] for record in records]
    _, *found = classify(program("driver"), model, texts, tmp_path, cache_bytes)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == record["ids"], record["name"]
        assert answer["corrected"] == record["corrected"], record["name"]


def test_pieces_of_the_conformance_file(program, tmp_path):
    vocabulary, records = read_conformance_vocabulary("pieces.json"), conformance_texts()
    texts = [record["text"] for record in records]
    _, *found = classify(program("driver"), pack_vocabulary(vocabulary), texts, tmp_path)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == [vocabulary.token_id(piece) for piece in record["pieces"]]


def test_ngrams_of_the_conformance_file(program, tmp_path):
    ngrams = parse_ngrams((CONFORMANCE / "ngrams.bin").read_bytes(), 3, "ngrams.bin")
    vocabulary = replace(read_conformance_vocabulary(), labels=("a", "b", "c"))
    texts = [record["text"] for record in conformance_texts()]
    driver = program("driver")
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, ngrams), texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        model = np.array([before["probabilities"]], np.float32)
        (expected,) = ngrams.add_to(model, [text], WORDS, multi_label=False)
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


@pytest.mark.parametrize(
    ("labels", "multi_label"), [(2, False), (2, True), (40, False), (40, True)]
)
def test_ngrams_of_any_number_of_labels(program, tmp_path, labels, multi_label):
    names = tuple(f"label {number}" for number in range(labels))
    vocabulary = replace(read_conformance_vocabulary(), labels=names, multi_label=multi_label)
    random_numbers = np.random.default_rng(0)
    outputs, columns = vocabulary.outputs, min(vocabulary.outputs, 15)
    bias, scales, mixing = (
        random_numbers.normal(size=shape).astype(np.float32)
        for shape in (outputs, columns, (columns, outputs))
    )
    values = random_numbers.integers(0, 256, (1 << 10, (columns + 1) // 2)).astype(np.uint8)
    mixing = mixing / 4 if columns < outputs else None
    ngrams = NgramWeights(5, 40, bias, scales / 40, mixing, values)
    texts = ["", " ", "a small bird", "été  日本語\t don’t", "a bird " * 20]
    driver = program("driver")
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, ngrams), texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        model = np.array([before["probabilities"]], np.float32)
        (expected,) = ngrams.add_to(model, [text], WORDS, multi_label)
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


@pytest.mark.parametrize("columns", [40, 3])
def test_wide_weights_of_each_label_or_shared_by_all(program, tmp_path, columns):
    names = tuple(f"label {number}" for number in range(40))
    vocabulary = replace(read_conformance_vocabulary(), labels=names)
    random_numbers = np.random.default_rng(0)
    values = random_numbers.integers(-127, 128, (len(vocabulary.tokens), columns)).astype(np.int8)
    values[0] = 0
    scales, mixing = (
        random_numbers.normal(size=shape).astype(np.float32) / 40
        for shape in (columns, (columns, 40))
    )
    wide = StoredWide(values, scales, mixing * 40 if columns < 40 else None)
    texts = ["", "a small bird", "a bird " * 20, "état"]
    driver = program("driver")
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, wide=wide), texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        ids = vocabulary.encode(text).ids
        added = values[ids].sum(axis=0) * scales / max(1, len(ids)) ** 0.5
        added = added if wide.mixing is None else added @ wide.mixing
        powers = np.array(before["probabilities"]) * np.exp(added)
        expected = powers / powers.sum()
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


@pytest.mark.parametrize(
    "tokenizer", [WORDS, WORDS_AND_PUNCTUATION, make_pieces(())], ids=["words", "all", "pieces"]
)
def test_ids_of_random_and_damaged_text(program, tmp_path, tokenizer):
    assert_equal_ids(program("driver"), tmp_path, [*draw_texts(RANDOM_TEXTS)], tokenizer)


@pytest.mark.parametrize(
    "name", ["bundle", "float_bundle", "int4_bundle", "hashed_bundle", "hashed_binary_bundle"]
)
def test_predictions_are_those_of_python(request, program, tmp_path, name):
    texts = [*SENTENCES, *(row["text"] for row in read_csv(GLOSSES)[::20])]
    bundle = request.getfixturevalue(name)
    assert_equal_predictions(program("driver"), bundle, texts, tmp_path)


@pytest.mark.parametrize(
    ("run_name", "options"),
    [("pairs", ()), ("characters", ()), ("glosses", ("--layout", "folded"))],
    ids=["multi-label", "pieces and n-grams", "folded"],
)
def test_predictions_of_other_models(exported, program, tmp_path, run_name, options):
    bundle = exported(run_name, *options)
    assert_equal_predictions(program("driver"), bundle, SENTENCES, tmp_path)


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
    (example,) = re.findall("```c\n(.*?)```", (ROOT / "docs/c.md").read_text("utf-8"), re.DOTALL)
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
