"""The engines that read model.bin, in C and in JavaScript: the ids and predictions of Python.

`make test-c` and the nightly tests run more texts.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from glovelite.convert.model_bin.graph_weights import StoredWide
from glovelite.runtime.ngrams import NgramWeights, parse_ngrams
from glovelite.runtime.text.hashed_words import parse_hashed_words
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import parse_vocabulary
from tests.c_engine import (
    TOLERANCE,
    assert_equal_ids,
    assert_equal_predictions,
    classify,
    draw_texts,
    pack_vocabulary,
    shared_and_full_weights,
)
from tests.helpers import DATA, GLOSSES, PAGE_DRIVER, read_csv, read_json_lines

CONFORMANCE = DATA / "conformance"
RANDOM_TEXTS = 3_000
SENTENCES = (
    *("", "zyx", "an animal", "a small bird, and a large plant", "don't!", "b\0b"),
    "the animal and the plant " * 100,
)


@pytest.fixture(params=["C", "JavaScript"])
def driver(request):
    """A program that classifies texts with an engine."""
    if request.param == "C":
        return request.getfixturevalue("program")("driver")
    if not shutil.which("node"):
        pytest.skip("Node is not installed")
    return PAGE_DRIVER


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


def test_ids_of_the_conformance_file(driver, tmp_path):
    vocabulary = read_conformance_vocabulary()
    index = (CONFORMANCE / "hashed_words.bin").read_bytes()
    hashed = parse_hashed_words(index, len(vocabulary.tokens), "hashed_words.bin")
    model, records = pack_vocabulary(replace(vocabulary, hashed=hashed)), conformance_texts()
    assert len(records) > 100
    texts = [record["text"] for record in records]
    _, *found = classify(driver, model, texts, tmp_path)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == record["ids"], record["name"]


@pytest.mark.parametrize("cache_bytes", [0, 100_000])  # without and with the filter of words
def test_nearest_spellings_of_the_conformance_file(driver, tmp_path, cache_bytes):
    vocabulary = read_conformance_vocabulary("spelling.json")
    index = (CONFORMANCE / "spelling_hashed_words.bin").read_bytes()
    hashed = parse_hashed_words(index, len(vocabulary.tokens), "spelling_hashed_words.bin")
    model = pack_vocabulary(replace(vocabulary, hashed=hashed))
    records = read_json_lines(CONFORMANCE / "spelling.jsonl")
    texts = [record["text"] for record in records]
    _, *found = classify(driver, model, texts, tmp_path, cache_bytes)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == record["ids"], record["name"]
        assert answer["corrected"] == record["corrected"], record["name"]


def test_pieces_of_the_conformance_file(driver, tmp_path):
    vocabulary, records = read_conformance_vocabulary("pieces.json"), conformance_texts()
    texts = [record["text"] for record in records]
    _, *found = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    for record, answer in zip(records, found, strict=True):
        assert answer["ids"] == [vocabulary.token_id(piece) for piece in record["pieces"]]


def test_ngrams_of_the_conformance_file(driver, tmp_path):
    ngrams = parse_ngrams((CONFORMANCE / "ngrams.bin").read_bytes(), 3, "ngrams.bin")
    vocabulary = replace(read_conformance_vocabulary(), labels=("a", "b", "c"))
    texts = [record["text"] for record in conformance_texts()]
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, ngrams), texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        model = np.array([before["probabilities"]], np.float32)
        (expected,) = ngrams.add_to(model.tolist(), [text], WORDS, multi_label=False)
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


@pytest.mark.parametrize(
    ("labels", "multi_label"), [(2, False), (2, True), (40, False), (40, True)]
)
def test_ngrams_of_any_number_of_labels(driver, tmp_path, labels, multi_label):
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
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, ngrams), texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        model = np.array([before["probabilities"]], np.float32)
        (expected,) = ngrams.add_to(model.tolist(), [text], WORDS, multi_label)
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


def test_wide_weights_of_each_label(driver, tmp_path):
    names = tuple(f"label {number}" for number in range(40))
    vocabulary = replace(read_conformance_vocabulary(), labels=names)
    random_numbers = np.random.default_rng(0)
    values = random_numbers.integers(-127, 128, (len(vocabulary.tokens), 40)).astype(np.int8)
    values[0] = 0
    scales = random_numbers.normal(size=40).astype(np.float32) / 40
    texts = ["", "a small bird", "a bird " * 20, "état"]
    _, *without = classify(driver, pack_vocabulary(vocabulary), texts, tmp_path)
    model = pack_vocabulary(vocabulary, wide=StoredWide(values, scales))
    _, *found = classify(driver, model, texts, tmp_path)
    for text, before, after in zip(texts, without, found, strict=True):
        ids = vocabulary.encode(text).ids
        added = values[ids].sum(axis=0) * scales / max(1, len(ids)) ** 0.5
        powers = np.array(before["probabilities"]) * np.exp(added)
        expected = powers / powers.sum()
        np.testing.assert_allclose(after["probabilities"], expected, atol=TOLERANCE, err_msg=text)


def test_shared_columns_give_what_a_column_for_each_output_does(driver, tmp_path):
    names = tuple(f"label {number}" for number in range(40))
    vocabulary = replace(read_conformance_vocabulary(), labels=names)
    shared, full = shared_and_full_weights(vocabulary)
    texts = ["", "a small bird", "a bird " * 20, "état"]
    _, *expected = classify(driver, pack_vocabulary(vocabulary, **full), texts, tmp_path)
    _, *found = classify(driver, pack_vocabulary(vocabulary, **shared), texts, tmp_path)
    for text, wanted, answer in zip(texts, expected, found, strict=True):
        assert answer["label"] == wanted["label"]
        for name in {"probabilities", "parts"} & answer.keys():  # the page also explains
            np.testing.assert_allclose(answer[name], wanted[name], atol=1e-4, err_msg=text)


@pytest.mark.parametrize(
    "tokenizer", [WORDS, WORDS_AND_PUNCTUATION, make_pieces(())], ids=["words", "all", "pieces"]
)
def test_ids_of_random_and_damaged_text(driver, tmp_path, tokenizer):
    assert_equal_ids(driver, tmp_path, [*draw_texts(RANDOM_TEXTS)], tokenizer)


@pytest.mark.parametrize(
    "name", ["bundle", "float_bundle", "int4_bundle", "hashed_bundle", "hashed_binary_bundle"]
)
def test_predictions_are_those_of_python(request, driver, tmp_path, name):
    texts = [*SENTENCES, *(row["text"] for row in read_csv(GLOSSES)[::20])]
    bundle = request.getfixturevalue(name)
    assert_equal_predictions(driver, bundle, texts, tmp_path)


@pytest.mark.parametrize(
    ("run_name", "options"),
    [("pairs", ()), ("characters", ()), ("glosses", ("--layout", "folded"))],
    ids=["multi-label", "pieces and n-grams", "folded"],
)
def test_predictions_of_other_models(exported, driver, tmp_path, run_name, options):
    bundle = exported(run_name, *options)
    assert_equal_predictions(driver, bundle, SENTENCES, tmp_path)
