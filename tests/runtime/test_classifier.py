"""Classifier: one return shape for any input, and the same scores at every input length."""

import pickle
import platform
import shutil
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite import Classifier, InputError, InterpreterError, Prediction
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.errors import OptionsError
from glovelite.runtime.interpreter import BUCKET_LENGTHS, NUMPY_ENGINE, find_interpreter
from tests.helpers import ROOT, run


@pytest.fixture(scope="module")
def classifier(bundle):
    return Classifier.load(bundle)


def test_a_pickled_classifier_needs_no_folder(bundle, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    with Classifier.load(folder, abstain_below=0.9) as classifier:
        before, content = classifier.predict("a tall tree"), pickle.dumps(classifier)
    shutil.rmtree(folder)
    with pickle.loads(content) as loaded:
        assert loaded.predict("a tall tree") == before
        assert loaded.self_test().goldens
        assert loaded.abstain_below == 0.9


@pytest.mark.parametrize("value", [2, -0.1, float("nan"), float("inf"), True, "0.5"])
def test_a_threshold_that_is_no_share_is_an_error(bundle, value):
    with pytest.raises(OptionsError, match="abstain_below: expected a number from 0 to 1, found"):
        Classifier.load(bundle, abstain_below=value)


def test_a_threshold_may_be_of_numpy(bundle):
    with Classifier.load(bundle, abstain_below=np.float32(0.5)) as classifier:
        assert classifier.abstain_below == 0.5


def test_predict_returns_a_list_for_one_text(classifier):
    (prediction,) = classifier.predict("a large carnivorous bird with long wings")
    assert isinstance(prediction, Prediction)
    assert prediction.label == "animal"
    assert prediction.probability == prediction.probabilities["animal"] > 0.5
    assert not prediction.truncated


def test_predict_keeps_the_order_of_texts(classifier):
    texts = ["a tall tree with white flowers", "someone who sings", "a sweet cake with cream"]
    predictions = classifier.predict(iter(texts))
    assert [prediction.label for prediction in predictions] == ["plant", "person", "food"]
    assert predictions == [classifier.predict(text)[0] for text in texts]


def test_predict_keeps_the_order_of_many_lengths(classifier):
    words = ["a", "tall", "tree", "with", "white", "flowers", "someone", "who", "sings"]
    texts = [" ".join(words[index % 7 :] * (index % 13)) for index in range(700)]
    assert classifier.predict(texts) == [classifier.predict(t)[0] for t in texts]
    assert np.array_equal(
        classifier.predict_proba(texts).max(axis=1),
        np.array([prediction.probability for prediction in classifier.predict(texts)], np.float32),
    )


def test_predict_numbers_an_item_that_is_not_text(classifier):
    texts = ["a tree"] * 600
    texts[555] = 5
    with pytest.raises(InputError, match="text 555 is int"):
        classifier.predict(texts)


def test_predict_returns_an_empty_list_for_no_texts(classifier):
    assert classifier.predict([]) == []
    assert classifier.predict_proba([]).shape == (0, 4)


def test_predict_proba_returns_a_row_per_text(classifier):
    texts = ["a tall tree", "someone who sings"]
    array = classifier.predict_proba(texts)
    assert array.dtype == np.float32
    assert array.shape == (2, 4)
    assert np.allclose(array.sum(axis=1), 1, atol=1e-5)
    for row, prediction in zip(array, classifier.predict(texts)):
        assert list(prediction.probabilities) == list(classifier.labels)
        assert row.tolist() == list(prediction.probabilities.values())


def test_predict_returns_two_probabilities_for_two_classes(binary_bundle):
    classifier = Classifier.load(binary_bundle)
    (prediction,) = classifier.predict("a tree with needles")
    assert prediction.label == "plant"
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert classifier.predict_proba("a tree").shape == (1, 2)


@pytest.mark.parametrize("wrong", [[None], [b"bytes"], ["fine", 3], None, 3, b"x", {"a": 1}])
def test_predict_rejects_what_is_not_text(classifier, wrong):
    with pytest.raises(InputError, match="expected"):
        classifier.predict(wrong)


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(), max_size=400))
def test_predict_accepts_any_text(classifier, text):
    (prediction,) = classifier.predict(text)
    assert prediction.label in classifier.labels
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_predict_reports_truncation_exactly(classifier):
    max_tokens = classifier.bundle.vocabulary.max_tokens
    for count in (max_tokens - 1, max_tokens, max_tokens + 1):
        (prediction,) = classifier.predict("tree " * count)
        assert prediction.truncated == (count > max_tokens)
    exact, longer = classifier.predict(
        ["tree " * max_tokens, "tree " * max_tokens + "singer " * 5000]
    )
    assert exact.probabilities == longer.probabilities


def test_padding_does_not_change_scores(float_bundle):
    """Scores do not depend on the length; on ARM and in numpy they differ by rounding only."""
    bundle = read_bundle(float_bundle)
    padding = bundle.vocabulary.trailing_padding
    name, interpreter_class = find_interpreter()
    is_exact = platform.machine() == "x86_64" and name != NUMPY_ENGINE
    for text in ("", "a tree", "a large bird that eats fish and lives by the sea"):
        ids = bundle.vocabulary.encode(text).ids
        outputs = []
        for length in (len(ids) + padding, len(ids) + padding + 1, *BUCKET_LENGTHS[2:6]):
            interpreter = interpreter_class(model_content=bundle.model)
            interpreter.resize_tensor_input(0, [1, length])
            interpreter.allocate_tensors()
            row = np.zeros((1, length), np.int32)
            row[0, : len(ids)] = ids
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row)
            interpreter.invoke()
            output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            outputs.append(output)
        assert np.ptp(outputs, axis=0).max() <= (0 if is_exact else 1e-6)


def test_a_long_text_does_not_affect_the_next_short_one(classifier):
    before = classifier.predict_proba("a tree")
    classifier.predict("a large bird that eats fish and")
    assert np.array_equal(classifier.predict_proba("a tree"), before)


def test_predict_is_thread_safe(classifier):
    texts = [f"{word} " * count for word in ("tree", "singer", "cake") for count in range(1, 9)]
    expected = classifier.predict(texts)
    wrong = []

    def work():
        for _ in range(30):
            wrong.extend(1 for a, b in zip(classifier.predict(texts), expected) if a != b)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FORKS = """
import os, sys, threading
from glovelite import Classifier

classifier = Classifier.load(sys.argv[1], threads=int(sys.argv[2]))
texts = ["a tree " * count for count in range(1, 9)]
expected = classifier.predict(texts)
done = threading.Event()

def work():
    while not done.is_set():
        classifier.predict(texts)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
wrong = 0
for _ in range(20):
    child = os.fork()
    if not child:  # exits normally, so that its memory is freed
        sys.exit(classifier.predict(texts) != expected)
    wrong += os.waitpid(child, 0)[1] != 0
done.set()
for thread in threads:
    thread.join()
sys.exit(wrong)
"""


@pytest.mark.parametrize(
    "threads",
    [pytest.param(1, marks=pytest.mark.nightly), pytest.param(2, marks=pytest.mark.slow)],
)
def test_predict_works_in_a_fork_while_other_threads_predict(bundle, device_python, threads):
    run(device_python, "-W", "ignore", "-c", FORKS, bundle, threads, timeout=60)


@pytest.mark.slow
def test_memory_does_not_grow_in_20000_predictions(bundle, device_python):
    """A fiftieth of `make soak`."""
    done = run(device_python, ROOT / "tools" / "soak.py", bundle, 20_000, check=False)
    assert "; 0 rounds with wrong predictions" in done.stdout
    sizes = [float(line.split()[2]) for line in done.stdout.splitlines() if line[-7:] == "private"]
    assert sizes[-1] - sizes[len(sizes) // 2] < 4  # MB


def test_a_closed_classifier_raises(bundle):
    with Classifier.load(bundle) as classifier:
        assert classifier.predict("a tree")
    with pytest.raises(InterpreterError, match="is closed"):
        classifier.predict("a tree")
    classifier.close()  # closing twice is allowed
