"""Takes the weights out of a trained model, and starts another model from them."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from glovelite.runtime.errors import OptionsError

from ..model.build import VECTORS_LAYER
from ..model.layers import TrainableTable, WideSum
from .initial_run import LEARNED_ROWS, WIDE_ROWS, TrainingWeights, match_rows


def take_weights(
    model: keras.Model, tokens: tuple[str, ...], training_words: int
) -> TrainingWeights:
    """Take the weights out of a model.

    Args:
        model: from `build_training_model`, with its own table.
        tokens: of the vocabulary.
        training_words: how many of them, from the first, are training words.
    """
    arrays = {name: np.array(variable) for name, variable in _variables(model)}
    table: TrainableTable = model.get_layer(VECTORS_LAYER)
    arrays[LEARNED_ROWS] = table.offsets()
    if WIDE_ROWS in arrays:
        arrays[WIDE_ROWS] = model.get_layer("wide").merged(training_words)
    learned = tuple(tokens[id_] for id_ in table.learned_ids)
    return TrainingWeights(arrays, tokens[:training_words], learned)


def start_from(model: keras.Model, weights: TrainingWeights, tokens: tuple[str, ...]) -> None:
    """Set the weights of a model to those of another one; words without any keep their own.

    Args:
        model: from `build_training_model`, with its own table.
        weights: of a model of the same architecture.
        tokens: of the vocabulary.

    Raises:
        OptionsError: the weights are of another shape, as in a damaged file.
    """
    for name, variable in _variables(model):
        found = weights.arrays.get(name)
        of_words = name in (LEARNED_ROWS, WIDE_ROWS)
        expected = tuple(variable.shape)
        if found is None or found.shape[of_words:] != expected[of_words:]:
            shown = "none" if found is None else found.shape
            raise OptionsError(
                f"the initial run's {name}: expected shape {expected}, found {shown}: train it "
                "again"
            )
        if not of_words:
            variable.assign(found)
    table: TrainableTable = model.get_layer(VECTORS_LAYER)
    learned = tuple(tokens[id_] for id_ in table.learned_ids)
    saved = weights.arrays[LEARNED_ROWS]
    table.assign_offsets(match_rows(learned, table.offsets(), weights.learned, saved))
    if WIDE_ROWS in weights.arrays:
        wide: WideSum = model.get_layer("wide")
        rows = wide.merged(wide.words)
        wide.assign_merged(
            match_rows(tokens[: wide.words], rows, weights.words, weights.arrays[WIDE_ROWS])
        )


def _variables(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Yield the trained weights by `LAYER/NAME`."""
    for layer in model.layers:
        for variable in layer.trainable_variables:
            yield f"{layer.name}/{variable.name}", variable
