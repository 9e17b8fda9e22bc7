"""The gate lets pass what chance or the recipe explains, and nothing else."""

import json
import sys

import numpy as np
import pytest
from helpers import GLOSSES, SLICE, convert, run, train

from convert.errors import ConversionError, GateError
from convert.tflite.recipes import RECIPES
from convert.tflite.tflite_file import Operator, check_operators
from convert.verify.fidelity import check_fidelity, compare, mcnemar

DYNAMIC = RECIPES["dynamic"]


def scores_of(classes, confidence=0.9):
    return np.where(np.array(classes)[:, None] == np.arange(2), confidence, 1 - confidence)


def fidelity(right, lost=0, won=0, other=0, shift=0.0):
    """Texts both have right, only Keras, only the device, and neither."""
    targets = np.zeros(right + lost + won + other, np.int64)
    keras = [0] * (right + lost) + [1] * (won + other)
    device = [0] * right + [1] * lost + [0] * won + [1] * other
    return compare(targets, scores_of(keras), scores_of(device, 0.9 - shift))


def test_a_comparison_by_hand():
    found = fidelity(right=6, lost=2, won=1, other=1)
    assert (found.keras, found.device, found.agreement) == (0.8, 0.7, 0.7)
    assert (found.lost, found.won) == (2, 1)
    assert found.drop == pytest.approx(0.1)
    assert found.largest_difference == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("lost", "won", "p"), [(0, 0, 1), (1, 0, 0.5), (5, 0, 1 / 32), (3, 3, 42 / 64)]
)
def test_mcnemars_exact_test(lost, won, p):
    assert mcnemar(lost, won, "greater") == pytest.approx(p)


def gate(found, drop=0.01, recipe=DYNAMIC, in_kept_words=None):
    check_fidelity(found, in_kept_words or found, recipe, drop)


def small(found, difference=0.01):
    """The same comparison with a harmless probability difference."""
    return type(found)(**{**vars(found), "largest_difference": difference})


def test_equal_models_pass():
    gate(small(fidelity(right=900, other=100)))


def test_labels_that_pruning_moved_are_not_put_down_to_the_recipe():
    moved, kept = fidelity(right=800, lost=50, won=50, other=100), fidelity(right=900, other=100)
    gate(moved, in_kept_words=small(kept))
    with pytest.raises(GateError, match="keep their label"):
        gate(moved)


def test_accuracy_that_pruning_cost_counts():
    with pytest.raises(GateError, match="accuracy on dev falls"):
        gate(fidelity(right=850, lost=100, other=50), in_kept_words=small(fidelity(right=1000)))


def test_a_drop_beyond_chance_is_refused():
    with pytest.raises(GateError, match=r"falls from 90.00% to 88.50%, 1.50 points"):
        gate(small(fidelity(right=885, lost=15, other=100)))


def test_a_drop_that_chance_explains_passes():
    gate(small(fidelity(right=46, lost=1, other=3)), drop=0.01)  # 2 points, one text of fifty
    gate(small(fidelity(right=860, lost=20, won=12, other=1108)), drop=0.001)


def test_a_drop_that_is_allowed_passes():
    gate(small(fidelity(right=885, lost=15, other=100)), drop=0.02)


def test_labels_that_move_are_refused():
    with pytest.raises(GateError, match="keep their label"):
        gate(small(fidelity(right=850, lost=25, won=25, other=100)))


@pytest.mark.parametrize("difference", [0.2, float("nan")])
def test_a_probability_that_moves_is_refused(difference):
    with pytest.raises(GateError, match="a probability moves by"):
        gate(small(fidelity(right=900, other=100), difference))


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (Operator("FULLY_CONNECTED", 12, 1, True), "FULLY_CONNECTED version 12, .* has version 10"),
        (Operator("STABLEHLO_ADD", 1, 1, True), "STABLEHLO_ADD version 1, .* has none"),
        (Operator("FlexStringSplit", 1, 1, False), "FlexStringSplit version 1, .* has none"),
    ],
)
def test_operators_that_2_14_lacks_are_refused(operator, said):
    with pytest.raises(ConversionError, match=said):
        check_operators((Operator("ADD", 1, 3, True), operator))


def test_a_model_that_quantization_spoils_is_not_written(tmp_path):
    """One huge weight takes all of eight bits' range; the rest of the table is rounded away."""
    spoilt = tmp_path / "run"  # without wide weights, which would save most labels
    train(GLOSSES, "--glove", SLICE, "--preset", "article", "--out", spoilt)
    held_out = (spoilt / "dev.jsonl").read_text("utf-8") + (spoilt / "test.jsonl").read_text(
        "utf-8"
    )
    tokens = json.loads((spoilt / "vocab.json").read_text("utf-8"))["tokens"]
    unused = next(
        id_ for id_ in range(len(tokens) - 1, 1, -1) if tokens[id_] not in held_out.lower()
    )
    code = (
        f"import keras; path = {str(spoilt / 'model.keras')!r}\n"
        "model = keras.saving.load_model(path); table = model.get_layer('table')\n"
        f"weights = table.get_weights(); weights[0][{unused}, 0] = 5000\n"
        "table.set_weights(weights); model.save(path)"
    )
    run(sys.executable, "-c", code)
    done = convert("export", spoilt, "--out", tmp_path / "b", check=False)
    assert done.returncode == 1
    assert "no bundle written: accuracy on dev falls" in done.stderr
    assert "Try this: --quantize float16, or train on more text" in done.stderr
    assert not (tmp_path / "b").exists()
    convert("export", spoilt, "--out", tmp_path / "b", "--no-gate")
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["accuracy"]["dev"]["agreement"] < 0.9
    convert("export", spoilt, "--out", tmp_path / "c", "--quantize", "float32")
