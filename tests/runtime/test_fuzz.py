"""Any text gets a prediction; any bundle gets a prediction or a glovelite exception."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite import Classifier
from glovelite.runtime.text.tokenizer import MAX_MARKS
from glovelite.runtime.text.vocabulary import TOKENIZERS
from tools.damages import KINDS
from tools.fuzz import UNCHANGED, Fuzz

any_text = st.text(st.characters(), max_size=300)  # all of Unicode: surrogates and NUL too
DAMAGES = 6  # of each kind; `make fuzz` tries hundreds


@pytest.fixture(scope="module")
def classifier(bundle):
    return Classifier.load(bundle)


@pytest.fixture(scope="module")
def binary(binary_bundle):
    return Classifier.load(binary_bundle)


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(any_text, max_size=5))
def test_predict_proba_returns_finite_rows_that_sum_to_one(classifier, binary, texts):
    for model in (classifier, binary):
        scores = model.predict_proba(texts)
        assert scores.shape == (len(texts), len(model.labels))
        assert np.isfinite(scores).all()
        assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)
        assert len(model.predict(texts)) == len(texts)


@given(any_text, any_text, st.sampled_from(TOKENIZERS))
def test_no_token_spans_a_space(first, second, tokenizer):
    tokens = tokenizer.tokenize(first) + tokenizer.tokenize(second)
    assert tokenizer.tokenize(f"{first} {second}") == tokens


@pytest.mark.parametrize(
    "unit", ["\u0301\u0323", "x", "a'", "'", "Σ", "’", "\0", "\ud800", "क\u094d", "😂\u0301", "!"]
)
def test_predict_accepts_a_megabyte_of_one_character(classifier, unit):
    text = unit * (1_000_000 // len(unit))
    assert len(classifier.predict(text)) == 1
    text = text[:100_000]
    for tokenizer in TOKENIZERS:
        assert tokenizer.tokenize_start(text, 3) == tokenizer.tokenize(text)[:3]


@given(any_text, st.text(st.sampled_from("\u0301\u0323\u0345\u3099👍"), max_size=4), any_text)
def test_long_runs_of_marks_do_not_change_neighboring_tokens(first, marks, last):
    parts = (first, f"a{marks * MAX_MARKS}b", last)
    for tokenizer in TOKENIZERS:
        tokens = [token for part in parts for token in tokenizer.tokenize(part)]
        assert tokenizer.tokenize(" ".join(parts)) == tokens


@pytest.fixture(scope="module")
def fuzz(hashed_bundle, hashed_binary_bundle, exported, tmp_path_factory):
    bundles = (hashed_bundle, hashed_binary_bundle, exported("characters"))
    fuzz = Fuzz(bundles, tmp_path_factory.mktemp("fuzz"))
    yield fuzz
    fuzz.process.close()


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_a_damaged_bundle_is_rejected_or_predicts_as_before(fuzz, kind):
    numbers = range(kind, len(KINDS) * DAMAGES, len(KINDS))
    tried = [(number, *fuzz.run(number)) for number in numbers]
    wrong = {number: (damage.detail[:200], why) for number, damage, *_, why in tried if why}
    assert not wrong, "python -m tools.fuzz BUNDLE OTHER --count 1 --first NUMBER repeats it"
    assert {outcome for *_, outcome, _ in tried} != {UNCHANGED}  # some damage had an effect
