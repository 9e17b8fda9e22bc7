"""The classifier: one shape of answer whatever the input, the same at every length."""

import platform
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import run
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import Classifier, InputError, InterpreterError, Prediction
from runtime.bundle import read_bundle
from runtime.interpreter import LENGTHS, find_interpreter


@pytest.fixture(scope="module")
def classifier(bundle):
    return Classifier.load(bundle)


def test_one_text_gives_a_list_of_one(classifier):
    (prediction,) = classifier.predict("a large carnivorous bird with long wings")
    assert isinstance(prediction, Prediction)
    assert prediction.label == "animal"
    assert prediction.probability == prediction.probabilities["animal"] > 0.5
    assert not prediction.truncated


def test_several_texts_give_as_many_in_order(classifier):
    texts = ["a tall tree with white flowers", "someone who sings", "a sweet cake with cream"]
    predictions = classifier.predict(iter(texts))
    assert [each.label for each in predictions] == ["plant", "person", "food"]
    assert predictions == [classifier.predict(text)[0] for text in texts]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_many_texts_of_all_lengths_are_answered_in_their_order(classifier, workers):
    words = ["a", "tall", "tree", "with", "white", "flowers", "someone", "who", "sings"]
    texts = [" ".join(words[place % 7 :] * (place % 13)) for place in range(700)]
    assert classifier.predict(texts, workers=workers) == [classifier.predict(t)[0] for t in texts]
    assert np.array_equal(
        classifier.predict_proba(texts).max(axis=1),
        np.array([each.probability for each in classifier.predict(texts)], np.float32),
    )


def test_a_bad_text_among_many_is_numbered(classifier):
    texts = ["a tree"] * 600
    texts[555] = 5
    for workers in (1, 2):
        with pytest.raises(InputError, match="text 555 is int"):
            classifier.predict(texts, workers=workers)


def test_nothing_gives_an_empty_list(classifier):
    assert classifier.predict([]) == []
    assert classifier.predict_proba([]).shape == (0, 4)


def test_probabilities_as_an_array(classifier):
    texts = ["a tall tree", "someone who sings"]
    array = classifier.predict_proba(texts)
    assert array.dtype == np.float32
    assert array.shape == (2, 4)
    assert np.allclose(array.sum(axis=1), 1, atol=1e-5)
    for row, prediction in zip(array, classifier.predict(texts)):
        assert list(prediction.probabilities) == list(classifier.labels)
        assert row.tolist() == list(prediction.probabilities.values())


def test_two_classes_have_two_probabilities(binary_bundle):
    classifier = Classifier.load(binary_bundle)
    (prediction,) = classifier.predict("a tree with needles")
    assert prediction.label == "plant"
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert classifier.predict_proba("a tree").shape == (1, 2)


@pytest.mark.parametrize("wrong", [[None], [b"bytes"], ["fine", 3], None, 3, b"x", {"a": 1}])
def test_what_is_not_text_is_refused(classifier, wrong):
    with pytest.raises(InputError, match="expected"):
        classifier.predict(wrong)


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(), max_size=400))
def test_any_text_has_an_answer(classifier, text):
    (prediction,) = classifier.predict(text)
    assert prediction.label in classifier.labels
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_cutting_is_told_and_exact(classifier):
    most = classifier.bundle.vocabulary.max_tokens
    for count in (most - 1, most, most + 1):
        (prediction,) = classifier.predict("tree " * count)
        assert prediction.truncated == (count > most)
    exact, longer = classifier.predict(["tree " * most, "tree " * most + "singer " * 5000])
    assert exact.probabilities == longer.probabilities


def test_padding_changes_nothing(float_bundle):
    """Scores are bit-identical whatever length the input is resized to; on ARM but for rounding."""
    bundle = read_bundle(float_bundle)
    padding = bundle.vocabulary.trailing_padding
    for text in ("", "a tree", "a large bird that eats fish and lives by the sea"):
        ids = bundle.vocabulary.encode(text).ids
        outputs = []
        for length in (len(ids) + padding, len(ids) + padding + 1, *LENGTHS[2:6]):
            interpreter = find_interpreter()[1](model_content=bundle.model)
            interpreter.resize_tensor_input(0, [1, length])
            interpreter.allocate_tensors()
            row = np.zeros((1, length), np.int32)
            row[0, : len(ids)] = ids
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row)
            interpreter.invoke()
            output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            outputs.append(output)
        allowed = 0 if platform.machine() == "x86_64" else 1e-6
        assert np.ptp(outputs, axis=0).max() <= allowed


def test_a_long_text_leaves_nothing_behind_for_a_short_one(classifier):
    before = classifier.predict_proba("a tree")
    classifier.predict("a large bird that eats fish and")
    assert np.array_equal(classifier.predict_proba("a tree"), before)


def test_threads_get_their_own_answers(classifier):
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
from runtime import Classifier

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
    if not child:  # ends as any program does, its memory cleared away
        sys.exit(classifier.predict(texts) != expected)
    wrong += os.waitpid(child, 0)[1] != 0
done.set()
for thread in threads:
    thread.join()
sys.exit(wrong)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fork_answers_while_other_threads_are_at_work(bundle, device_python, threads):
    run(device_python, "-W", "ignore", "-c", FORKS, bundle, threads, timeout=60)


def test_memory_does_not_grow(bundle, device_python):
    """A fiftieth of `make soak`, which tells more the longer it runs."""
    told = run(device_python, Path(__file__).parent / "soak.py", bundle, 20_000, check=False)
    assert "; 0 rounds answered otherwise" in told.stdout
    sizes = [float(line.split()[2]) for line in told.stdout.splitlines() if line[-7:] == "private"]
    assert sizes[-1] - sizes[len(sizes) // 2] < 4  # MB


def test_a_closed_classifier_says_so(bundle):
    with Classifier.load(bundle) as classifier:
        assert classifier.predict("a tree")
    with pytest.raises(InterpreterError, match="is closed"):
        classifier.predict("a tree")
    classifier.close()  # once more harms nothing
