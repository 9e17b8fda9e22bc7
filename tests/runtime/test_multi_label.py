"""Multi-label bundles: which labels a text gets, and what a damaged bundle is refused for."""

import contextlib
import csv
import json
import math
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError, Classifier, InputError
from glovelite.runtime.bundle import MODEL_FILE, VOCABULARY_FILE, read_bundle
from glovelite.runtime.decision import FamiliarityPenalty, decide_labels, parse_thresholds
from glovelite.runtime.http.application import Application
from tests.helpers import FLOATS, LEGACY_BUNDLE, classify, read_json
from tests.multi_label import update_manifest, write_multi_label_bundle

LABELS = ("animal", "food", "person", "plant")
SEVERAL = "a tree or a singer"  # reaches 0.5 for plant and food


@pytest.fixture(scope="module")
def multi_label_bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multi-label") / "bundle"
    return write_multi_label_bundle(LEGACY_BUNDLE, folder)


@pytest.fixture
def copy(multi_label_bundle, tmp_path):
    return shutil.copytree(multi_label_bundle, tmp_path / "copy")


def predict(folder, text=SEVERAL, **options):
    (prediction,) = Classifier.load(folder, **options).predict(text)
    return prediction


def test_predict_gives_the_labels_that_reach_their_thresholds(copy):
    assert predict(copy).labels == ("plant", "food")
    update_manifest(copy, thresholds={"animal": 0.4, "food": 0.7})
    assert predict(copy).labels == ("plant", "animal")


def test_predict_may_give_no_label(copy):
    update_manifest(copy, thresholds=dict.fromkeys(LABELS, 0.999))
    prediction = predict(copy)
    assert prediction.labels == ()
    assert prediction.label == "plant"  # the most probable one, given or not
    assert prediction.probability == max(prediction.probabilities.values())
    assert prediction.as_dict()["labels"] == []


def test_probabilities_of_labels_are_independent(copy):
    prediction = predict(copy)
    assert sum(prediction.probabilities.values()) > 1.5
    assert prediction.top(2) == [
        ("plant", prediction.probabilities["plant"]),
        ("food", prediction.probabilities["food"]),
    ]


def test_a_threshold_of_1_never_gives_the_label():
    assert decide_labels([1.0, 1.0], [1.0, 0.9])[0] == [1]


def test_a_probability_that_equals_the_threshold_gives_the_label():
    assert decide_labels([0.25, 0.0], [0.25, 0.0])[0] == [0, 1]


@given(st.lists(st.tuples(FLOATS.filter(lambda x: 0 <= x <= 1), st.floats(0, 1)), min_size=1))
def test_confidence_is_the_probability_that_exactly_these_labels_are_right(pairs):
    probabilities, thresholds = zip(*pairs)
    given_indices, confidence = decide_labels(probabilities, thresholds)
    expected = [
        index for index, (value, minimum) in enumerate(pairs) if value >= minimum and minimum < 1
    ]
    assert sorted(given_indices) == expected
    ordered = [probabilities[index] for index in given_indices]
    assert ordered == sorted(ordered, reverse=True)
    parts = (p if i in expected else 1 - p for i, p in enumerate(probabilities))
    assert confidence == pytest.approx(math.prod(parts))


def test_confidence_is_lowered_for_unfamiliar_words(bundle, tmp_path):
    folder = write_multi_label_bundle(bundle, tmp_path / "copy")
    plain = predict(folder)
    update_manifest(folder, abstention={"familiarity": {"typical": 15, "penalty": 0.3}})
    familiarity = read_bundle(folder).vocabulary.encode(SEVERAL).familiarity
    lowered = FamiliarityPenalty(15, 0.3).lower(plain.confidence, familiarity)
    assert predict(folder).confidence == lowered < plain.confidence


def test_predict_abstains_below_the_probability_that_all_labels_are_right(copy):
    confidence = predict(copy).confidence
    for threshold, abstained in ((confidence - 0.01, False), (confidence + 0.01, True)):
        assert predict(copy, abstain_below=threshold).abstained == abstained
        update_manifest(copy, abstention={"probability": threshold})
        assert predict(copy).abstained == abstained


def test_self_test_replays_a_multi_label_bundle(multi_label_bundle):
    assert Classifier.load(multi_label_bundle).self_test().largest_difference < 0.02


def test_single_label_predictions_have_one_label():
    prediction = predict(LEGACY_BUNDLE)
    assert prediction.labels == (prediction.label,)
    assert prediction.as_dict()["labels"] == [prediction.label]
    assert list(prediction.as_dict())[:2] == ["label", "labels"]
    assert prediction.confidence == prediction.probability


def test_thresholds_are_those_of_the_labels_in_their_order(copy):
    update_manifest(copy, thresholds={"plant": 1, "food": 0.125})
    assert read_bundle(copy).thresholds == (0.5, 0.125, 0.5, 1.0)
    assert read_bundle(LEGACY_BUNDLE).thresholds == ()


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        (None, "should be an object"),
        ([0.5] * 4, "should be an object"),
        ({"joy": 0.5}, "names 'joy', which is not a label"),
        ({"food": -0.1}, "'food' of 'thresholds' should be a number from 0 to 1"),
        ({"food": 1.01}, "'food' of 'thresholds'"),
        ({"food": True}, "'food' of 'thresholds'"),
        ({"food": "0.5"}, "'food' of 'thresholds'"),
        ({"food": None}, "'food' of 'thresholds'"),
        ({"food": math.nan}, "NaN is not a JSON number"),
        ({"food": math.inf}, "Infinity is not a JSON number"),
    ],
)
def test_load_rejects_invalid_thresholds(copy, thresholds, message):
    update_manifest(copy, thresholds=thresholds)
    with pytest.raises(BundleDamagedError, match=message):
        read_bundle(copy)


@given(
    st.dictionaries(
        st.sampled_from((*LABELS, "joy")),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()),
    )
)
def test_parse_thresholds_accepts_or_rejects_anything(content):
    with contextlib.suppress(ValueError):
        thresholds = parse_thresholds(content, LABELS)
        assert len(thresholds) == len(LABELS)
        assert all(type(threshold) is float and 0 <= threshold <= 1 for threshold in thresholds)


def test_load_rejects_thresholds_of_a_single_label_bundle(tmp_path):
    copy = shutil.copytree(LEGACY_BUNDLE, tmp_path / "copy")
    update_manifest(copy, thresholds={})
    with pytest.raises(BundleDamagedError, match="only a multi-label bundle has 'thresholds'"):
        read_bundle(copy)


def test_load_rejects_abstention_by_label_of_a_multi_label_bundle(copy):
    update_manifest(copy, abstention={"labels": {"food": 0.9}})
    with pytest.raises(BundleDamagedError, match="only a single-label bundle has"):
        read_bundle(copy)


@pytest.mark.parametrize("format_", [1, 2])
def test_load_rejects_a_multi_label_vocabulary_with_an_older_manifest(copy, format_):
    update_manifest(copy, format=format_)
    with pytest.raises(
        BundleDamagedError, match=r"of a single-label bundle, vocab\.json of a multi"
    ):
        read_bundle(copy)


def test_load_rejects_a_single_label_vocabulary_with_a_multi_label_manifest(copy):
    shutil.copy(LEGACY_BUNDLE / VOCABULARY_FILE, copy)
    update_manifest(copy)
    with pytest.raises(
        BundleDamagedError, match=r"of a multi-label bundle, vocab\.json of a single"
    ):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multi_label": 1}, "'multi_label' should be true or false"),
        ({"multi_label": "true"}, "'multi_label' should be true or false"),
        ({"multi_label": None}, "'multi_label' should be true or false"),
        ({"multi_label": False}, "'format' should be 1 with this 'tokenizer' and 'multi_label'"),
        ({"format": 1}, "'format' should be 2 with this 'tokenizer' and 'multi_label'"),
        ({"format": 3}, "'format' should be 2 with this 'tokenizer' and 'multi_label'"),
    ],
)
def test_load_rejects_a_vocabulary_that_contradicts_its_format(copy, change, message):
    content = read_json(copy / VOCABULARY_FILE)
    (copy / VOCABULARY_FILE).write_text(json.dumps({**content, **change}), "utf-8")
    update_manifest(copy)
    with pytest.raises(BundleDamagedError, match=message):
        read_bundle(copy)


def test_load_rejects_one_output_for_two_labels(binary_bundle, copy):
    content = read_json(binary_bundle / VOCABULARY_FILE)
    content |= {"multi_label": True}
    (copy / VOCABULARY_FILE).write_text(json.dumps(content), "utf-8")
    shutil.copy(binary_bundle / MODEL_FILE, copy)
    update_manifest(copy)
    with pytest.raises(BundleDamagedError, match="outputs 1 values for 2 labels"):
        Classifier.load(copy)


def test_load_rejects_a_model_with_another_number_of_outputs(copy):
    content = read_json(copy / VOCABULARY_FILE)
    content["labels"].append("tool")
    (copy / VOCABULARY_FILE).write_text(json.dumps(content), "utf-8")
    update_manifest(copy)
    with pytest.raises(BundleDamagedError, match="outputs 4 values for 5 labels"):
        Classifier.load(copy)


def log_odds(prediction, label):
    probability = prediction.probabilities[label]
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("text", [SEVERAL, "bird", ""])
def test_explain_splits_the_logit_of_a_label(multi_label_bundle, label, text):
    explanation = Classifier.load(multi_label_bundle).explain(text, label)
    assert (explanation.label, explanation.method) == (label, "exact")
    total = sum(explanation.parts) + explanation.rest
    expected = log_odds(predict(multi_label_bundle, text), label)
    assert total == pytest.approx(expected, abs=0.02)


def test_explain_takes_the_most_probable_label_by_default(multi_label_bundle):
    classifier = Classifier.load(multi_label_bundle)
    assert classifier.explain(SEVERAL) == classifier.explain(SEVERAL, "plant")


def test_explain_splits_any_label_of_a_single_label_bundle(binary_bundle):
    classifier = Classifier.load(binary_bundle)
    animal, plant = (classifier.explain("a small bird", label) for label in classifier.labels)
    assert (animal.label, plant.label) == ("animal", "plant")
    assert animal.parts == pytest.approx([-part for part in plant.parts])


def test_explain_rejects_an_unknown_label(multi_label_bundle):
    with pytest.raises(InputError, match=r"expected a label of .*, found 'joy'"):
        Classifier.load(multi_label_bundle).explain(SEVERAL, "joy")


def test_occlusion_explains_a_label_of_its_own(multi_label_bundle, monkeypatch):
    exact = Classifier.load(multi_label_bundle).explain(SEVERAL, "food")
    monkeypatch.setattr("glovelite.runtime.explain.split_logit", lambda *_: None)
    occluded = Classifier.load(multi_label_bundle).explain(SEVERAL, "food")
    assert occluded.method == "occlusion"
    total = sum(occluded.parts) + occluded.rest
    assert total == pytest.approx(sum(exact.parts) + exact.rest, abs=0.02)


def test_command_prints_the_labels_of_each_text(copy):
    update_manifest(copy, thresholds=dict.fromkeys(("animal", "person"), 0.9))
    done = classify(copy, SEVERAL, "a large bird that eats fish")
    assert done.stdout.splitlines() == [
        f"plant, food  {SEVERAL}",
        "(none)  a large bird that eats fish",
    ]


def test_command_prints_the_most_probable_labels(multi_label_bundle):
    line = classify(multi_label_bundle, "--top", 2, SEVERAL).stdout
    assert line == f"plant, food  plant    96.2%  food     63.4%  {SEVERAL}\n"


def test_command_hides_labels_where_it_abstains(multi_label_bundle):
    options = ("--abstain-below", 0.9, SEVERAL)
    assert classify(multi_label_bundle, *options).stdout == f"?  {SEVERAL}\n"
    answer = json.loads(classify(multi_label_bundle, "--json", *options).stdout)
    assert answer["prediction"]["label"] is answer["prediction"]["labels"] is None


def test_command_explains_each_label_of_a_text(copy):
    _, *lines = classify(copy, "--explain", SEVERAL).stdout.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["plant", "food"]
    answer = json.loads(classify(copy, "--explain", "--json", SEVERAL).stdout)
    assert answer["prediction"]["labels"] == ["plant", "food"]
    assert [explanation["label"] for explanation in answer["explanations"]] == ["plant", "food"]
    update_manifest(copy, thresholds=dict.fromkeys(LABELS, 1))
    _, line = classify(copy, "--explain", SEVERAL).stdout.splitlines()
    assert line.split(":")[0].strip() == "plant"  # the most probable one, though not given


def test_command_replays_the_golden_texts(multi_label_bundle):
    assert "13 golden texts replayed" in (classify(multi_label_bundle, "--self-test").stdout)


THRESHOLDS = {"animal": 0.4, "person": 1, "food": 1, "plant": 0.9}
SCORED_TEXTS = (SEVERAL, "a large bird that eats fish", "someone who sings")


def score(folder, source, target, *options, check=True):
    options = ("--input", source, "--output", target, *options)
    return classify(folder, *options, check=check)


@pytest.fixture
def scored_bundle(copy):
    """The bundle with thresholds for which the texts have two, one and no label."""
    update_manifest(copy, thresholds=THRESHOLDS)
    predictions = Classifier.load(copy).predict(SCORED_TEXTS)
    assert [prediction.labels for prediction in predictions] == [
        ("plant", "animal"),
        ("animal",),
        (),
    ]
    return copy


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,labels\n" + "".join(f"{text},x\n" for text in SCORED_TEXTS), "utf-8")
    return path


def test_scoring_joins_labels_in_a_table(scored_bundle, source, tmp_path):
    done = score(scored_bundle, source, tmp_path / "s.csv")
    header, *rows = csv.reader((tmp_path / "s.csv").open(encoding="utf-8", newline=""))
    assert header == ["text", "labels", "predicted_labels", "confidence", "abstained"]
    assert [row[2] for row in rows] == ["plant|animal", "animal", ""]
    confidences = [
        prediction.confidence for prediction in Classifier.load(scored_bundle).predict(SCORED_TEXTS)
    ]
    assert [float(row[3]) for row in rows] == pytest.approx(confidences, abs=1e-6)
    assert "1 without labels" in done.stdout
    assert "(animal 2, plant 1)" in done.stdout


def test_scoring_lists_labels_in_jsonl(scored_bundle, source, tmp_path):
    done = score(scored_bundle, source, tmp_path / "s.jsonl", "--json")
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").open(encoding="utf-8")]
    assert [row["predicted_labels"] for row in rows] == [["plant", "animal"], ["animal"], []]
    summary = json.loads(done.stdout)
    assert summary["labels"] == {"plant": 1, "animal": 2}
    assert summary["without_labels"] == 1


def test_scoring_tells_hidden_labels_from_none(scored_bundle, source, tmp_path):
    score(scored_bundle, source, tmp_path / "s.jsonl", "--abstain-below", 1)
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").open(encoding="utf-8")]
    assert [row["predicted_labels"] for row in rows] == [None] * 3


def test_scoring_refuses_a_label_that_holds_the_separator(copy, source, tmp_path):
    content = read_json(copy / VOCABULARY_FILE)
    content["labels"][1] = "food|drink"
    (copy / VOCABULARY_FILE).write_text(json.dumps(content), "utf-8")
    update_manifest(copy)
    done = score(copy, source, tmp_path / "s.tsv", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert 'the label "food|drink" holds "|"' in done.stderr
    assert not (tmp_path / "s.tsv").exists()
    score(copy, source, tmp_path / "s.jsonl")
    row, *_ = (json.loads(line) for line in (tmp_path / "s.jsonl").open(encoding="utf-8"))
    assert row["predicted_labels"] == ["plant", "food|drink"]


def test_usage_counts_texts_without_labels(scored_bundle):
    classifier = Classifier.load(scored_bundle)
    classifier.predict(SCORED_TEXTS)
    assert (classifier.usage.texts, classifier.usage.without_labels) == (3, 1)


def test_health_says_that_a_bundle_is_multi_label(scored_bundle):
    for folder, multi_label in ((scored_bundle, True), (LEGACY_BUNDLE, False)):
        application = Application(Classifier.load(folder), "http://x")
        _, _, body = application.answer("GET", "/health", {}, b"")
        assert json.loads(body)["multi_label"] == multi_label
