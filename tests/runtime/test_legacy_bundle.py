"""A bundle written by an earlier version still loads and predicts the same."""

from helpers import DATA

from runtime import Classifier

LEGACY = DATA / "legacy" / "bundle-1"


def test_a_bundle_of_version_0_1_0_passes_its_self_test():
    with Classifier.load(LEGACY) as classifier:
        assert classifier.self_test().goldens == 13
        assert classifier.labels == ("animal", "food", "person", "plant")
        (prediction,) = classifier.predict("a small bird")
        assert prediction.label == "animal"
