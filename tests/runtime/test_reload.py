"""Classifier.reload switches to a good bundle and keeps the current one otherwise."""

import json
import shutil
import threading

import pytest

from glovelite import BundleDamagedError, BundleMissingError, Classifier, SelfTestError
from glovelite.runtime.bundle import MANIFEST_FILE, MODEL_FILE

TEXTS = ["a tall tree with leaves", "someone who sings", "", "a sweet cake " * 40]


@pytest.fixture
def loaded(bundle, tmp_path):
    """A copy of the four-class bundle, and a classifier that has loaded it."""
    folder = shutil.copytree(bundle, tmp_path / "loaded")
    return folder, Classifier.load(folder, abstain_below=0.99)


def change_goldens(folder):
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    manifest["goldens"][1]["probabilities"].reverse()
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")


def test_reload_switches_to_another_bundle(loaded, float_bundle, binary_bundle):
    _, classifier = loaded
    assert classifier.reload(float_bundle).goldens == 14
    expected = Classifier.load(float_bundle, abstain_below=0.99).predict(TEXTS)
    assert classifier.predict(TEXTS) == expected  # the threshold of the first load still applies
    classifier.reload(binary_bundle)
    assert classifier.labels == ("animal", "plant")


def test_reload_reads_the_same_folder_again(loaded, float_bundle):
    folder, classifier = loaded
    shutil.rmtree(folder)
    shutil.copytree(float_bundle, folder)
    classifier.reload()
    assert classifier.bundle.manifest["recipe"] == "float32"


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (shutil.rmtree, BundleMissingError),
        (lambda folder: (folder / MODEL_FILE).write_bytes(b"TFL3"), BundleDamagedError),
        (change_goldens, SelfTestError),
    ],
)
def test_reload_keeps_the_current_bundle_if_the_new_one_is_bad(loaded, damage, error):
    folder, classifier = loaded
    before = classifier.predict(TEXTS)
    damage(folder)
    with pytest.raises(error):
        classifier.reload()
    assert classifier.predict(TEXTS) == before


def test_no_call_mixes_two_bundles(loaded, binary_bundle):
    folder, classifier = loaded
    expected = {
        name: Classifier.load(name, abstain_below=0.99).predict(TEXTS)
        for name in (folder, binary_bundle)
    }
    wrong, done = [], threading.Event()

    def predict_repeatedly():
        while not done.is_set():
            found = classifier.predict(TEXTS)
            wrong.extend([] if found in expected.values() else [found])

    threads = [threading.Thread(target=predict_repeatedly) for _ in range(3)]
    for thread in threads:
        thread.start()
    for name in [binary_bundle, folder] * 20:
        classifier.reload(name)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_reload_reopens_a_closed_classifier(loaded):
    _, classifier = loaded
    classifier.close()
    classifier.reload()
    assert classifier.predict(TEXTS)
