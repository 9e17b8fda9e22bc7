"""The self-test compares predictions with those recorded at export."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from glovelite import BundleDamagedError, Classifier, SelfTestError
from glovelite.runtime.bundle import MANIFEST_FILE, read_bundle
from glovelite.runtime.interpreter import INTERPRETERS
from tests.helpers import classify


def with_changed_goldens(folder, change):
    """A classifier of the bundle with changed golden texts."""
    bundle = read_bundle(folder)
    goldens = json.loads(json.dumps(bundle.manifest["goldens"]))
    changed = change(goldens)
    manifest = {**bundle.manifest, "goldens": goldens if changed is None else changed}
    return Classifier(replace(bundle, manifest=manifest))


def test_self_test_passes_where_the_bundle_was_exported(bundle):
    found = Classifier.load(bundle).self_test()
    assert found.goldens == 14
    assert found.largest_difference <= found.tolerance == 0.02


@pytest.mark.parametrize(
    ("given", "tolerance"), [({}, 0.02), ({"tolerance": 1e-4}, 1e-4), ({"tolerance": 9}, 0.02)]
)
def test_the_manifest_names_the_tolerance_up_to_a_limit(bundle, given, tolerance):
    content = read_bundle(bundle)
    manifest = {key: value for key, value in content.manifest.items() if key != "tolerance"}
    classifier = Classifier(replace(content, manifest={**manifest, **given}))
    assert classifier.self_test().tolerance == tolerance


@pytest.mark.parametrize("tolerance", [None, "1", True, float("nan"), -1])
def test_a_tolerance_that_is_no_number_is_refused(bundle, tolerance):
    content = read_bundle(bundle)
    classifier = Classifier(replace(content, manifest={**content.manifest, "tolerance": tolerance}))
    with pytest.raises(BundleDamagedError, match="'tolerance' is not a number"):
        classifier.self_test()


def test_golden_texts_cover_difficult_text(bundle):
    goldens = read_bundle(bundle).manifest["goldens"]
    texts = [each["text"] for each in goldens]
    assert "" in texts
    assert any("’" in text for text in texts)
    assert any("\u0301" in text for text in texts)
    assert [each["truncated"] for each in goldens].count(True) == 1
    for each in goldens:
        assert np.isclose(sum(each["probabilities"]), 1, atol=1e-5)


def test_golden_texts_record_tokens_and_ids(bundle):
    content = read_bundle(bundle)
    ids = {token: id_ for id_, token in enumerate(content.vocabulary.tokens)}
    for each in content.manifest["goldens"]:
        assert each["tokens"] == content.vocabulary.tokenize(each["text"])
        assert each["ids"] == [ids.get(token, 1) for token in each["tokens"]]


def test_self_test_accepts_golden_texts_without_tokens(bundle):
    found = with_changed_goldens(
        bundle, lambda goldens: [each.pop("tokens") for each in goldens] and None
    )
    assert found.self_test().goldens == 14


@pytest.mark.parametrize(
    "change",
    [
        lambda goldens: goldens[1]["probabilities"].reverse(),
        lambda goldens: goldens[1].update(probabilities=[float("nan")] * 4),
        lambda goldens: goldens[1]["ids"].append(1),
        lambda goldens: goldens[1].update(tokens=["it", "was", "n't"]),
        lambda goldens: goldens[1].update(truncated=True),
        lambda goldens: goldens[1].update(familiarity=goldens[1]["familiarity"] + 0.1),
    ],
)
def test_self_test_names_the_text_that_differs(bundle, change):
    with pytest.raises(SelfTestError, match="golden text \"It wasn't GOOD"):
        with_changed_goldens(bundle, change).self_test()


@pytest.mark.parametrize(
    "goldens",
    [
        0,
        [],
        [1],
        [{}],
        [{"text": "x", "ids": [], "truncated": False, "probabilities": ["a"] * 4}],
        [{"text": "x", "ids": [], "truncated": False, "probabilities": [0.5]}],
        [{"text": "x", "ids": [True], "truncated": False, "probabilities": [0.25] * 4}],
        [{"text": "x", "tokens": "x", "ids": [], "truncated": False, "probabilities": [0.25] * 4}],
        [{"text": "x", "ids": "1", "truncated": False, "probabilities": [0.25] * 4}],
        [
            {
                "text": "x",
                "ids": [],
                "truncated": False,
                "probabilities": [0.25] * 4,
                "familiarity": "1",
            }
        ],
        [{"text": None, "ids": [], "truncated": False, "probabilities": [0.25] * 4}],
    ],
)
def test_self_test_rejects_invalid_golden_texts(bundle, goldens):
    with pytest.raises(BundleDamagedError, match="no golden texts to replay"):
        with_changed_goldens(bundle, lambda _: goldens).self_test()


def test_command_prints_the_versions(command):
    said = command("--self-test").stdout
    assert "14 golden texts replayed" in said
    interpreter = r"((tflite-runtime|ai-edge-litert) \d\S+, numpy \S+|numpy engine \(numpy \S+\))"
    assert re.search(rf"^on {interpreter}, Python 3\.\S+, \w+$", said, re.MULTILINE)
    answer = json.loads(command("--self-test", "--json").stdout)
    assert answer["interpreter"].split()[0] in INTERPRETERS
    assert answer["largest_difference"] <= answer["tolerance"]


def test_command_fails_if_predictions_differ(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / MANIFEST_FILE).read_text("utf-8"))
    manifest["goldens"][0]["probabilities"].reverse()
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    done = classify(copy, "--self-test", check=False)
    assert done.returncode == 1
    assert "differs by" in done.stderr
    assert done.stderr.count("\n") == 1
