"""Character n-grams: which are found, how they are added to a model's answer, and their file."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError, BundleVersionError, Classifier
from glovelite.runtime.bundle import NGRAMS_FILE, describe_file
from glovelite.runtime.ngrams import LEVELS, combine, hash_ngrams, parse_ngrams
from glovelite.runtime.text.tokenizer import WORDS
from tests.helpers import DATA, read_json, read_json_lines

CONFORMANCE = DATA / "conformance"
NGRAMS = parse_ngrams((CONFORMANCE / NGRAMS_FILE).read_bytes(), 3, NGRAMS_FILE)
RECORDS = read_json_lines(CONFORMANCE / "texts.jsonl")


def hash_one(ngram):
    """Return the hash of an n-gram, written as the module's docstring says."""
    value = 2166136261
    for character in ngram:
        value = (value ^ ord(character)) * 16777619 % 2**32
    value = (value ^ value >> 16) * 0x85EBCA6B % 2**32
    value = (value ^ value >> 13) * 0xC2B2AE35 % 2**32
    return value ^ value >> 16


def list_ngrams(text, longest=4):
    """Return the n-grams of a text."""
    content = f" {' '.join(WORDS.normalize(text).split())} "
    pieces = (
        content[start : start + size]
        for size in range(1, longest + 1)
        for start in range(len(content) - size + 1)
    )
    return [piece for piece in pieces if piece.strip() and " " not in piece[1:-1]]


@given(st.text(max_size=40) | st.text("aé日 \t\x85' !", max_size=40))
def test_every_run_of_a_words_characters_is_an_ngram(text):
    expected = [hash_one(ngram) for ngram in list_ngrams(text)]
    assert hash_ngrams(text, WORDS, 4, 1000).tolist() == expected


def test_ngrams_do_not_reach_across_words():
    expected = [
        *"goon",
        " g",
        "go",
        "o ",
        " o",
        "on",
        "n ",
        " go",
        "go ",
        " on",
        "on ",
        " go ",
        " on ",
    ]
    assert hash_ngrams("Go on", WORDS, 4, 100).tolist() == list(map(hash_one, expected))


def test_only_the_first_characters_are_read():
    whole = hash_ngrams("a fine film", WORDS, 4, 6)
    assert whole.tolist() == hash_ngrams("a fine", WORDS, 4, 100).tolist()


@pytest.mark.parametrize("record", RECORDS, ids=[record["name"] for record in RECORDS])
def test_texts_have_the_ngrams_of_the_conformance_file(record):
    sums, count = NGRAMS.sum_levels(record["text"], WORDS)
    assert [count, *sums.tolist()] == record["ngrams"]


def test_logits_are_the_scaled_sum_and_the_bias():
    text = "a fine film"
    levels = NGRAMS.levels(hash_ngrams(text, WORDS, NGRAMS.longest, NGRAMS.max_characters))
    expected = levels.sum(axis=0) * NGRAMS.scales / len(levels) ** 0.5 + NGRAMS.bias
    np.testing.assert_allclose(NGRAMS.logits(text, WORDS), expected, rtol=1e-5)


def test_a_text_without_ngrams_keeps_its_probabilities():
    probabilities = np.array([[0.2, 0.3, 0.5]], np.float32)
    for text in ("", " \t"):
        added = NGRAMS.add_to(probabilities.tolist(), [text], WORDS, multi_label=False)
        np.testing.assert_allclose(added, probabilities, rtol=1e-6)


def combine_all(probabilities, logits, multi_label):
    """Return the probabilities of texts with logits added, [texts, classes]."""
    pairs = zip(probabilities.tolist(), logits.tolist(), strict=True)
    return np.array([combine(row, added, multi_label) for row, added in pairs])


class TestCombine:
    """Adding to the logarithms of probabilities is adding to the logits."""

    logits = np.array([[0.3, -1.2, 2.0], [-4.0, 0.0, 1.0]])
    added = np.array([[1.0, 0.5, -2.0], [3.0, 0.0, -1.0]])

    def test_softmax(self):
        def softmax(values):
            return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)

        found = combine_all(softmax(self.logits), self.added, multi_label=False)
        np.testing.assert_allclose(found, softmax(self.logits + self.added))

    def test_two_classes(self):
        second = 1 / (1 + np.exp(-self.logits[:, :1]))
        expected = 1 / (1 + np.exp(-(self.logits[:, :1] + self.added[:, :1])))
        found = combine_all(np.hstack([1 - second, second]), self.added[:, :1], multi_label=False)
        np.testing.assert_allclose(found, np.hstack([1 - expected, expected]))

    def test_independent_labels(self):
        def sigmoid(values):
            return 1 / (1 + np.exp(-values))

        found = combine_all(sigmoid(self.logits), self.added, multi_label=True)
        np.testing.assert_allclose(found, sigmoid(self.logits + self.added))

    @pytest.mark.parametrize("multi_label", [True, False])
    def test_certain_probabilities_stay_finite(self, multi_label):
        certain = np.array([[0.0, 1.0]])
        for logits in ([[900.0, -900.0]], [[-900.0, 900.0]]):
            found = combine_all(certain, np.array(logits), multi_label)
            assert np.isfinite(found).all()


class TestFile:
    """`ngrams.bin` is validated before use."""

    content = NGRAMS.to_bytes()

    def test_weights_survive_it(self):
        assert self.content == (CONFORMANCE / NGRAMS_FILE).read_bytes()
        mixed = replace(NGRAMS, bias=np.zeros(5, np.float32), mixing=np.eye(3, 5, dtype=np.float32))
        parsed = parse_ngrams(mixed.to_bytes(), 5, "file")
        np.testing.assert_array_equal(parsed.mixing, mixed.mixing)
        assert parsed.to_bytes() == mixed.to_bytes()

    @pytest.mark.parametrize(
        ("offset", "value", "problem"),
        [
            (0, 7, "not a file"),
            (8, 0, "buckets"),
            (8, 3, "power of two"),
            (8, 1 << 13, "bytes"),
            (12, 9, "length"),
            (16, 0, "characters"),
            (20, 4, "columns"),
            (20, 17, "columns"),
            (24, 2, "outputs"),
            (28, 0x7FC00000, "finite"),
        ],
    )
    def test_damage_is_named(self, offset, value, problem):
        damaged = self.content[:offset] + value.to_bytes(4, "little") + self.content[offset + 4 :]
        with pytest.raises(BundleDamagedError, match=problem):
            parse_ngrams(damaged, 3, "file")

    def test_a_newer_version_is_refused(self):
        with pytest.raises(BundleVersionError, match="update"):
            parse_ngrams(self.content[:4] + b"\2\0\0\0" + self.content[8:], 3, "file")

    @given(st.binary(max_size=80))
    def test_other_bytes_are_refused(self, content):
        with pytest.raises(BundleDamagedError):
            parse_ngrams(content, 3, "file")


def test_levels_are_symmetrical_triangular_numbers():
    assert LEVELS[1:].tolist() == [-28, -21, -15, -10, -6, -3, -1, 0, 1, 3, 6, 10, 15, 21, 28]


@pytest.fixture(scope="module")
def classifier(exported):
    return Classifier.load(exported("characters"))


class TestBundle:
    """A bundle that was trained without word vectors reads n-grams."""

    def test_it_answers_as_its_golden_texts_say(self, classifier):
        assert classifier.bundle.ngrams is not None
        assert classifier.self_test().goldens

    def test_probabilities_do_not_depend_on_the_batch(self, classifier):
        texts = ["a small bird", "", "a tall tree with leaves"]
        alone = [classifier.predict_proba(text)[0] for text in texts]
        np.testing.assert_allclose(classifier.predict_proba(texts), alone, atol=1e-6)
        (prediction,) = classifier.predict(texts[0])
        found = list(prediction.probabilities.values())
        np.testing.assert_allclose(found, alone[0], atol=1e-6)

    def test_an_explanation_adds_up_to_the_logit(self, classifier):
        explanation = classifier.explain("A tall tree, with green leaves!", "plant")
        probabilities = np.log(classifier.predict_proba("A tall tree, with green leaves!")[0])
        index = classifier.labels.index("plant")
        expected = probabilities[index] - probabilities.mean()
        assert sum(explanation.parts) + explanation.rest == pytest.approx(expected, abs=1e-3)

    def test_a_bundle_without_its_file_is_refused(self, exported, tmp_path):
        bundle = shutil.copytree(exported("characters"), tmp_path / "b")
        manifest = read_json(bundle / "manifest.json")
        del manifest["files"][NGRAMS_FILE]
        (bundle / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        with pytest.raises(BundleDamagedError, match=NGRAMS_FILE):
            Classifier.load(bundle)

    def test_weights_of_other_labels_are_refused(self, exported, tmp_path):
        bundle = shutil.copytree(exported("characters"), tmp_path / "b")
        content = NGRAMS.to_bytes()
        (bundle / NGRAMS_FILE).write_bytes(content)
        manifest = read_json(bundle / "manifest.json")
        manifest["files"][NGRAMS_FILE] = describe_file(content)
        (bundle / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        with pytest.raises(BundleDamagedError, match="outputs"):
            Classifier.load(bundle)
