"""Weights of character n-grams: fitted, added to the network's logits, and packed."""

import numpy as np
import pytest

from glovelite.runtime.bundle import NGRAMS_FILE
from glovelite.runtime.ngrams import LEVELS, MAX_COLUMNS, hash_ngrams
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.train.data.batches import EncodedCorpus, Goals
from glovelite.train.fitting.ngrams import (
    BUCKETS,
    count_ngrams,
    fit_mixture,
    fit_ngrams,
    pack_weights,
)
from tests.helpers import GLOSSES, SLICE, call_main, read_json, write_two_classes

STEMS = ("walk", "talk", "jump", "look", "play", "cook", "call", "turn", "work", "help")


def make_goals(targets):
    """Return the goals of texts with given classes."""
    encoded = EncodedCorpus(np.zeros(0, np.int32), np.zeros(len(targets) + 1, int), targets, 1)
    return Goals(encoded, targets[:, None], np.ones(len(targets), np.float32))


def test_counts_are_divided_by_the_root_of_their_number():
    counts = count_ngrams(["aab", ""], WORDS)
    hashes = hash_ngrams("aab", WORDS, 4, 100)
    assert counts.shape == (2, BUCKETS)
    assert counts[0].sum() == pytest.approx(len(hashes) ** 0.5, rel=1e-6)
    assert counts[1].nnz == 0


def test_endings_are_learned_that_no_word_shows():
    texts = [stem + ending for stem in STEMS for ending in ("ing", "ed")]
    targets = np.array([0, 1] * len(STEMS), np.int32)
    model = fit_ngrams(texts, make_goals(targets), 1, WORDS)
    assert (model.logits(["singing", "started", "going", "painted"])[:, 0] > 0).tolist() == [
        False, True, False, True,
    ]  # fmt: skip
    three = fit_ngrams(texts, make_goals(targets + (np.arange(20) > 15)), 3, WORDS)
    assert three.logits(texts).argmax(axis=1)[:16].tolist() == [0, 1] * 8


class TestMixture:
    """Dev text decides how much the n-grams count."""

    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 600)
    one_hot = np.eye(3)[targets]

    def logits(self, strength, seed):
        noise = np.random.default_rng(seed).normal(size=self.one_hot.shape)
        return (strength * self.one_hot + noise).astype(np.float32)

    def test_the_better_model_counts_more(self):
        weak, strong = self.logits(0.5, 1), self.logits(2.0, 2).astype(np.float64)
        assert fit_mixture(weak, strong, self.targets).weight > 2
        assert (
            fit_mixture(strong.astype(np.float32), weak.astype(np.float64), self.targets).weight
            < 0.5
        )

    def test_noise_is_left_out(self):
        assert fit_mixture(self.logits(2.0, 1), self.logits(0.0, 2), self.targets) is None

    def test_the_bias_makes_up_for_frequencies_that_both_models_have_learned(self):
        frequent = np.where(self.random.random(600) < 0.7, 0, self.targets)
        prior = np.log(np.bincount(frequent) / 600)
        noise = [self.random.normal(size=(600, 3)) for _ in range(2)]
        network, ngrams = (2 * np.eye(3)[frequent] + part + prior for part in noise)
        bias = fit_mixture(network.astype(np.float32), ngrams, frequent).bias
        assert bias[0] < bias[1:].min()


class TestPack:
    """Half a byte for each bucket and column."""

    def test_weights_are_rounded_to_levels(self):
        weights = np.random.default_rng(0).standard_t(3, (BUCKETS, 3))
        packed = pack_weights(weights, np.zeros(3))
        levels = packed.levels(np.arange(BUCKETS, dtype=np.uint32))
        found = packed.scale(levels, 1)
        largest = np.abs(weights).max(axis=0)
        assert (
            np.abs(found - weights) <= largest * np.diff(LEVELS).max() / LEVELS.max() / 2 + 1e-6
        ).all()
        small = np.abs(weights) < largest / 60
        assert (found[small] == 0).all()
        assert packed.values.nbytes == 2 * BUCKETS

    def test_many_outputs_share_columns(self):
        random = np.random.default_rng(0)
        weights = random.normal(size=(BUCKETS, 8)) @ random.normal(size=(8, 40))
        packed = pack_weights(weights, np.zeros(40))
        assert packed.values.nbytes == BUCKETS * MAX_COLUMNS // 2
        found = packed.scale(packed.levels(np.arange(BUCKETS, dtype=np.uint32)), 1)
        assert np.corrcoef(found.ravel(), weights.ravel())[0, 1] > 0.98


class TestRun:
    """`--vectors none` trains with vectors of the text and n-grams."""

    def test_the_run_folder_has_their_weights(self, trained):
        run = trained("characters")
        configuration = read_json(run / "metrics.json")["configuration"]
        assert (run / NGRAMS_FILE).is_file()
        assert configuration["ngrams"] is True
        assert configuration["glove"] == "none"

    def test_they_are_better_than_chance_on_test_text(self, trained):
        scores = read_json(trained("characters") / "metrics.json")["scores"]
        assert scores["test"]["interval"][0] > 0.4

    @pytest.mark.parametrize("option", ["--compare-scratch", "--init"])
    def test_what_needs_word_vectors_is_refused(self, trained, tmp_path, option):
        given = [option, trained("characters")] if option == "--init" else [option]
        options = [GLOSSES, "--vectors", "none", *given, "--out", tmp_path / "run"]
        failed = call_main("train", options, check=False)
        assert failed.returncode == 1
        assert option in failed.stderr.splitlines()[-1]

    @pytest.mark.slow
    def test_folds_have_them_too(self, tmp_path, logged):
        options = ["--vectors", "none", "--folds", 2, "--preset", "article", "--epochs", 1]
        call_main("train", [write_two_classes(tmp_path), *options, "--out", tmp_path / "run"])
        assert (tmp_path / "run" / NGRAMS_FILE).is_file()
        assert sum("n-grams fitted" in line for line in logged) == 3

    @pytest.mark.slow
    def test_several_labels(self, trained, tmp_path):
        source = trained("pairs").parent / "pairs.csv"
        options = ["--glove", SLICE, "--ngrams", "--preset", "tiny", "--epochs", 3]
        call_main("train", [source, *options, "--out", tmp_path / "run"])
        assert read_json(tmp_path / "run" / "metrics.json")["configuration"]["ngrams"] is True
