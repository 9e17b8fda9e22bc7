"""A bundle in use is changed for another, or kept where the other is no good."""

import json
import shutil
import threading

import pytest

from runtime import BundleDamagedError, BundleMissingError, Classifier, SelfTestError
from runtime.bundle import MANIFEST, MODEL

TEXTS = ["a tall tree with leaves", "someone who sings", "", "a sweet cake " * 40]


@pytest.fixture
def used(bundle, tmp_path):
    """A copy of the four-class bundle, and a classifier that uses it."""
    folder = shutil.copytree(bundle, tmp_path / "used")
    return folder, Classifier.load(folder, abstain_below=0.99)


def change_goldens(folder):
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["goldens"][1]["probabilities"].reverse()
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def test_another_bundle_answers_after_it(used, float_bundle, binary_bundle):
    _, classifier = used
    assert classifier.reload(float_bundle).goldens == 13
    expected = Classifier.load(float_bundle, abstain_below=0.99).predict(TEXTS)
    assert classifier.predict(TEXTS) == expected  # what was asked of the first one too
    classifier.reload(binary_bundle)
    assert classifier.labels == ("animal", "plant")


def test_the_same_folder_is_read_again(used, float_bundle):
    folder, classifier = used
    shutil.rmtree(folder)
    shutil.copytree(float_bundle, folder)
    classifier.reload()
    assert classifier.bundle.manifest["recipe"] == "float32"


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (shutil.rmtree, BundleMissingError),
        (lambda folder: (folder / MODEL).write_bytes(b"TFL3"), BundleDamagedError),
        (change_goldens, SelfTestError),
    ],
)
def test_a_bundle_that_is_no_good_changes_nothing(used, harm, error):
    folder, classifier = used
    before = classifier.predict(TEXTS)
    harm(folder)
    with pytest.raises(error):
        classifier.reload()
    assert classifier.predict(TEXTS) == before


def test_no_answer_is_half_of_one_bundle_and_half_of_another(used, binary_bundle):
    folder, classifier = used
    expected = {
        name: Classifier.load(name, abstain_below=0.99).predict(TEXTS)
        for name in (folder, binary_bundle)
    }
    wrong, done = [], threading.Event()

    def work():
        while not done.is_set():
            found = classifier.predict(TEXTS)
            wrong.extend([] if found in expected.values() else [found])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for name in [binary_bundle, folder] * 20:
        classifier.reload(name)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_closed_classifier_opens_again(used):
    _, classifier = used
    classifier.close()
    classifier.reload()
    assert classifier.predict(TEXTS)
