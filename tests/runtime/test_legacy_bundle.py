"""A bundle written by an earlier version still loads and predicts the same."""

from glovelite import Classifier
from tests.helpers import LEGACY_BUNDLE


def test_a_bundle_of_version_0_1_0_passes_its_self_test():
    with Classifier.load(LEGACY_BUNDLE) as classifier:
        assert classifier.self_test().goldens == 13
        assert classifier.labels == ("animal", "food", "person", "plant")
        (prediction,) = classifier.predict("a small bird")
        assert prediction.label == "animal"
