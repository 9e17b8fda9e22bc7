"""The estimator for scikit-learn: its conventions, one label or several a text, pickles, export."""

import gc
import pickle
from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from glovelite import Classifier
from glovelite.convert import ExportOptions
from glovelite.runtime.text.html_text import strip_html
from glovelite.sklearn import TextClassifier
from glovelite.train import DataError, OptionsError, make_options
from tests.helpers import ALL_DIMENSIONS, GLOSSES, SLICE, read_csv

NEW = ["a small wild bird", "a tall tree with leaves", "a large wild dog"]


def make(**parameters):
    given = {"vectors": str(SLICE), "epochs": 2, "filters": 4, "adapter": 0, **parameters}
    return TextClassifier(**given)


@pytest.fixture(scope="module")
def frame():
    """The glosses of two classes, the label also as a number."""
    rows = pd.DataFrame(read_csv(GLOSSES)).query("label in ('animal', 'plant')")[:300]
    return rows.assign(number=(rows["label"] == "plant").astype(int))


@pytest.fixture(scope="module")
def fitted(frame):
    return make(random_state=1).fit(frame["text"], frame["label"])


@pytest.fixture(scope="module")
def flags():
    """Texts of three classes as an array of 0 and 1, and a class that no text has."""
    rows = pd.DataFrame(read_csv(GLOSSES)).query("label != 'food'")[::4]
    names = ["animal", "person", "plant"]
    return rows["text"].tolist(), np.array(
        [[a == b for a in names] + [False] for b in rows["label"]]
    )


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_estimators_unfitted,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_the_checks_of_scikit_learn_that_apply_to_text_pass(check):
    check("TextClassifier", TextClassifier())


def test_a_clone_has_the_parameters_and_nothing_that_was_fitted(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    for method in (copy.predict, copy.predict_proba, copy.decision_function, copy.export):
        with pytest.raises(NotFittedError):
            method(NEW)


def test_predictions_agree_with_each_other(fitted, frame):
    assert fitted.classes_.tolist() == ["animal", "plant"]
    probabilities, logits = fitted.predict_proba(NEW), fitted.decision_function(NEW)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(logits, np.log(probabilities[:, 1] / probabilities[:, 0]), rtol=1e-3)
    expected = fitted.classes_[(logits > 0).astype(int)]
    assert fitted.predict(NEW).tolist() == expected.tolist() == ["animal", "plant", "animal"]
    assert fitted.score(frame["text"], frame["label"]) > 0.8
    assert fitted.predict([]).tolist() == []


@pytest.mark.slow
def test_labels_keep_their_type_and_the_order_of_their_values(fitted, frame):
    other = make(random_state=1).fit(frame["text"].to_numpy(), frame["number"])
    assert other.classes_.tolist() == [0, 1]
    assert other.predict(NEW).tolist() == [0, 1, 0]
    np.testing.assert_array_equal(other.predict_proba(NEW), fitted.predict_proba(NEW))


def test_a_fit_writes_nothing_and_draws_from_no_global_random_numbers(frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    make(random_state=np.random.RandomState(0), epochs=1).fit(frame["text"], frame["label"])
    assert np.random.random() == expected
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_holds_the_weights(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    for loaded in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "classifier.joblib")):
        np.testing.assert_array_equal(loaded.predict_proba(NEW), fitted.predict_proba(NEW))
    loaded.save(tmp_path / "run")
    assert (tmp_path / "run" / "model.keras").is_file()


@pytest.mark.slow
def test_a_loaded_pickle_can_be_exported(fitted, tmp_path):
    loaded = pickle.loads(pickle.dumps(fitted))
    options = ExportOptions("float32", dimensions=ALL_DIMENSIONS[1], spelling=False)
    loaded.export(tmp_path / "bundle", options)
    with Classifier.load(tmp_path / "bundle") as classifier:
        scores = classifier.predict_proba(NEW)
    np.testing.assert_allclose(scores, fitted.predict_proba(NEW), atol=1e-4)


@pytest.fixture(scope="module")
def multi_label(flags):
    return make().fit(*flags)


@pytest.mark.slow
def test_predictions_of_several_labels_have_their_form(multi_label, flags):
    texts, labels = flags
    predicted = multi_label.predict(texts)
    assert multi_label.classes_.tolist() == [0, 1, 2, 3]
    assert predicted.shape == labels.shape
    np.testing.assert_array_equal(predicted, multi_label.decision_function(texts) >= 0)
    assert not predicted[:, 3].any()
    assert multi_label.score(texts, labels) == (predicted == labels).all(axis=1).mean()
    assert roc_auc_score(labels[:, :3], multi_label.predict_proba(texts)[:, :3]) > 0.7
    loaded = pickle.loads(pickle.dumps(multi_label))
    np.testing.assert_array_equal(loaded.predict(texts), predicted)


@pytest.mark.slow
def test_lists_of_labels_are_learned_like_columns(multi_label, flags):
    texts, labels = flags
    names = np.array(["animal", "person", "plant", "rock"])
    lists = [list(names[row]) for row in labels]
    of_lists = make().fit(texts, lists)
    assert of_lists.classes_.tolist() == names[:3].tolist()
    found = of_lists.predict_proba(texts)
    np.testing.assert_array_equal(found, multi_label.predict_proba(texts)[:, :3])
    frame = pd.DataFrame(labels[:, :3].astype(int), columns=names[:3])
    assert of_lists.score(texts, lists) == of_lists.score(texts, frame)


@pytest.mark.parametrize(
    ("texts", "labels", "error", "message"),
    [
        (pd.DataFrame({"t": ["x"]}), ["a"], DataError, "X: expected one column of texts"),
        (["x", 1], ["a", "b"], DataError, "X, index 1: expected a string, found int"),
        (["x", "y"], [["a"], [None]], DataError, "y: expected labels of one type, found several"),
        (["x", "y"], pd.Series(["a", None]), DataError, "y, index 1: the label is missing"),
        (["x", "y"], [1, np.nan], DataError, "y, index 1: the label is missing"),
        (["x", "y"], [0.5, 1.2], ValueError, "Unknown label type: continuous"),
        (["x", "y"], np.array([[0, 2], [1, 0]]), DataError, "or an array of 0 and 1"),
        (["x", "y"], ["a", "a"], DataError, "expected two labels or more"),
    ],
)
def test_what_cannot_be_fitted_is_named(texts, labels, error, message):
    with pytest.raises(error, match=message):
        make().fit(texts, labels)


def test_parameters_are_checked_when_they_are_used(frame):
    options = make_options("small", epochs=1)
    assert TextClassifier(options).preset is options
    for parameters in ({"preset": "huge"}, {"epochs": 0}, {"random_state": -1}):
        with pytest.raises(OptionsError):
            make(**parameters).fit(frame["text"], frame["label"])


@pytest.mark.slow
def test_a_search_tries_parameters_behind_a_cleaner(frame):
    def clean(texts):
        return list(map(strip_html, texts))

    pipeline = make_pipeline(FunctionTransformer(clean), make(epochs=1))
    texts = frame["text"].map("<b>{}</b>".format).tolist()
    search = GridSearchCV(pipeline, {"textclassifier__filters": [2, 4]}, cv=2)
    search.fit(texts, frame["label"])
    assert len(search.cv_results_["params"]) == 2
    assert set(search.predict(NEW)) <= {"animal", "plant"}


@pytest.mark.slow
def test_cross_validation_takes_metrics_of_scikit_learn(frame):
    classifier = make(epochs=3)
    scores = cross_val_score(classifier, frame["text"], frame["number"], cv=2, scoring="roc_auc")
    assert min(scores) > 0.8


def test_a_classifier_that_is_no_longer_used_leaves_no_vectors_in_memory(frame):
    gc.collect()
    before = _count_tensors()
    classifier = make(epochs=1).fit(frame["text"], frame["label"])
    rows = len(classifier._run.vocabulary.tokens)
    assert _count_tensors()[rows] > before[rows]
    del classifier
    gc.collect()
    assert _count_tensors()[rows] == before[rows]


def _count_tensors():
    """Count the matrices that TensorFlow holds, by their number of rows."""
    tensors = (found for found in gc.get_objects() if isinstance(found, tf.Tensor))
    return Counter(tensor.shape[0] for tensor in tensors if tensor.shape.rank == 2)
