"""A notebook's journey: pandas, training, scores, cross-validation, export, predictions, a plot."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score, train_test_split

from glovelite import Classifier
from glovelite.convert import ExportOptions, compare_bundles, evaluate_bundle, export_bundle
from glovelite.sklearn import TextClassifier
from glovelite.train import make_options, train_classifier
from tests.helpers import GLOSSES, SLICE


@pytest.mark.slow
def test_a_notebook_s_journey_works_in_one_process(tmp_path):
    frame = pd.read_csv(GLOSSES)
    train, test = train_test_split(frame, stratify=frame["label"], random_state=0)
    options = make_options("tiny", epochs=4)
    run = train_classifier(train["text"], train["label"], tmp_path / "run", options, vectors=SLICE)
    assert len(str(run).splitlines()) == 5
    estimator = TextClassifier(options, vectors=SLICE)
    sample = train[::3]
    assert cross_val_score(estimator, sample["text"], sample["label"], cv=2).min() > 0.6
    for recipe in ("float32", "int4"):
        export_bundle(run.path, tmp_path / recipe, ExportOptions(recipe))
    columns = test["text"], test["label"]
    compared = compare_bundles(tmp_path / "float32", tmp_path / "int4", *columns)
    with Classifier.load(tmp_path / "int4") as classifier:
        evaluation = classifier.evaluate(*columns)
        predicted = [prediction.label for prediction in classifier.predict(test["text"])]
    assert evaluation.scores.accuracy == (test["label"] == predicted).mean() > 0.8
    assert evaluation.scores.accuracy == compared.accuracy[1].accuracy
    assert evaluate_bundle(tmp_path / "int4", *columns).scores == evaluation.scores
    shares = pd.crosstab(test["label"], pd.Series(predicted, test.index, name="predicted"))
    shares.plot.bar(stacked=True).figure.savefig(tmp_path / "plot.png")
    plt.close("all")
    assert (tmp_path / "plot.png").stat().st_size > 5_000
