"""check_fidelity accepts what chance or the recipe explains, and nothing else."""

import shutil
import sys

import numpy as np
import pytest

from glovelite.convert.options import RECIPES
from glovelite.convert.tflite.tflite_file import OperatorUse, check_operators
from glovelite.convert.verify.fidelity import check_fidelity, compare_scores, mcnemar
from glovelite.runtime.errors import ConversionError, FidelityError
from tests.helpers import convert, read_json, run

DYNAMIC = RECIPES["dynamic"]


def scores_of(classes, confidence=0.9):
    return np.where(np.array(classes)[:, None] == np.arange(2), confidence, 1 - confidence)


def fidelity(right, lost=0, won=0, other=0, shift=0.0):
    """Compare texts that both, only Keras, only the device, or neither classify correctly."""
    targets = np.zeros(right + lost + won + other, np.int64)
    keras = [0] * (right + lost) + [1] * (won + other)
    device = [0] * right + [1] * lost + [0] * won + [1] * other
    return compare_scores(targets, scores_of(keras), scores_of(device, 0.9 - shift))


def test_compare_scores_of_a_small_case():
    found = fidelity(right=6, lost=2, won=1, other=1)
    assert (found.keras, found.device, found.agreement) == (0.8, 0.7, 0.7)
    assert (found.lost, found.won) == (2, 1)
    assert found.drop == pytest.approx(0.1)
    assert found.largest_difference == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("lost", "won", "p"), [(0, 0, 1), (1, 0, 0.5), (5, 0, 1 / 32), (3, 3, 42 / 64)]
)
def test_mcnemar_p_values(lost, won, p):
    assert mcnemar(lost, won, "greater") == pytest.approx(p)


def check(found, drop=0.01, recipe=DYNAMIC, dev_kept=None):
    check_fidelity(found, dev_kept or found, recipe, drop)


def small(found, difference=0.01):
    """Return the same comparison with a small probability difference."""
    return type(found)(**{**vars(found), "largest_difference": difference})


def test_equal_models_pass():
    check(small(fidelity(right=900, other=100)))


def test_labels_changed_by_pruning_do_not_count_against_the_recipe():
    moved, kept = fidelity(right=800, lost=50, won=50, other=100), fidelity(right=900, other=100)
    check(moved, dev_kept=small(kept))
    with pytest.raises(FidelityError, match="keep their label"):
        check(moved)


def test_accuracy_lost_by_pruning_counts():
    with pytest.raises(FidelityError, match="accuracy on dev falls"):
        check(fidelity(right=850, lost=100, other=50), dev_kept=small(fidelity(right=1000)))


def test_a_significant_drop_is_refused():
    with pytest.raises(FidelityError, match=r"falls from 90.00% to 88.50%, 1.50 points"):
        check(small(fidelity(right=885, lost=15, other=100)))


def test_a_drop_explained_by_chance_passes():
    check(small(fidelity(right=46, lost=1, other=3)), drop=0.01)  # 2 points, one text of fifty
    check(small(fidelity(right=860, lost=20, won=12, other=1108)), drop=0.001)


def test_an_allowed_drop_passes():
    check(small(fidelity(right=885, lost=15, other=100)), drop=0.02)


def test_changed_labels_are_refused():
    with pytest.raises(FidelityError, match="keep their label"):
        check(small(fidelity(right=850, lost=25, won=25, other=100)))


@pytest.mark.parametrize("difference", [0.2, float("nan")])
def test_a_changed_probability_is_refused(difference):
    with pytest.raises(FidelityError, match="a probability changes by"):
        check(small(fidelity(right=900, other=100), difference))


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (
            OperatorUse("FULLY_CONNECTED", 12, 1, True),
            "FULLY_CONNECTED version 12, .* has version 10",
        ),
        (OperatorUse("STABLEHLO_ADD", 1, 1, True), "STABLEHLO_ADD version 1, .* has none"),
        (OperatorUse("FlexStringSplit", 1, 1, False), "FlexStringSplit version 1, .* has none"),
    ],
)
def test_check_operators_rejects_what_2_14_lacks(operator, message):
    with pytest.raises(ConversionError, match=message):
        check_operators((OperatorUse("ADD", 1, 3, True), operator))


@pytest.mark.slow
def test_export_refuses_a_model_that_quantization_damages(article_run, tmp_path):
    """Huge weights take the range of the eight bits; fitting cannot restore the rest."""
    # The article's model has no wide weights, which would save most labels.
    damaged = shutil.copytree(article_run, tmp_path / "run")
    held_out = (damaged / "dev.jsonl").read_text("utf-8") + (damaged / "test.jsonl").read_text(
        "utf-8"
    )
    tokens = read_json(damaged / "vocab.json")["tokens"]
    unused = [id_ for id_ in range(2, len(tokens)) if tokens[id_] not in held_out.lower()]
    # As many words as the table has columns: a huge value in each direction of the vectors.
    assert len(unused) >= 100
    code = (
        f"import keras, numpy; path = {str(damaged / 'model.keras')!r}\n"
        "model = keras.saving.load_model(path); table = model.get_layer('table')\n"
        f"weights = table.get_weights(); weights[0][{unused[-100:]}] = 5000 * numpy.eye(100)\n"
        "table.set_weights(weights); model.save(path)"
    )
    run(sys.executable, "-c", code)
    done = convert("export", damaged, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert "no bundle written: accuracy on dev falls" in done.stderr
    assert "--quantize float16, or train on more text" in done.stderr
    assert not (tmp_path / "b").exists()
    convert("export", damaged, "--out", tmp_path / "b", "--no-gate")
    manifest = read_json(tmp_path / "b" / "manifest.json")
    assert manifest["accuracy"]["dev"]["agreement"] < 0.95
    convert("export", damaged, "--out", tmp_path / "c", "--quantize", "float32")
