"""The Keras models: the one that is trained and the plain one that is kept.

`conv-pool`, our reading of the source article: look each token up in a frozen GloVe table, one
convolution (or several of other widths), the maximum over the text, a dense layer, sigmoid (softmax
beyond two classes); where asked for, a wide sum beside it.
`conv-lstm`, the course notebook's: between convolution and dense layer, the maximum of every four
windows and an LSTM.
"""

from __future__ import annotations

import keras
import numpy as np

from runtime.vocabulary import PADDING_ID

from ..options import Settings
from ..vectors.cache import Floats
from ..vectors.embedding_table import Table
from .convolution import PooledConvolution
from .lookup import DistinctWords, LearnedTable
from .wide import WideSum

TABLE = "vectors"
LSTM_POOL, LSTM_UNITS = 4, 64


def build_training_model(
    table: Table,
    classes: int,
    settings: Settings,
    vectors: keras.layers.Layer | None = None,
    wide: Floats | None = None,
) -> keras.Model:
    """Build the model that is trained: ids to logits.

    Args:
        table: vocabulary and vectors.
        classes: how many, two or more.
        settings: what stands above the table, and what of it is learned.
        vectors: the layer that gives each of a batch's words its vector, called `TABLE`; None takes
            the table, frozen but for what the settings let move.
        wide: float32 [vocabulary, 1 or classes], wide weights to start with; None has none.

    Returns:
        A model from int32 [texts, length] to float32 [texts, 1 or classes].
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    look_up = vectors or LearnedTable(table, settings, name=TABLE)
    words, places = DistinctWords(name="words")(ids)
    dropped = keras.layers.Dropout(settings.dropout, seed=settings.seed)(look_up(words))
    drop = keras.layers.Dropout(settings.dropout, seed=settings.seed + 1)
    # First: layers draw their start in this order.
    features = drop(_training_features(dropped, places, settings))
    logits = keras.layers.Dense(1 if classes == 2 else classes, name="logits")(features)
    if wide is not None:
        logits = keras.layers.Add()([logits, WideSum(wide, name="wide")(ids)])
    return keras.Model(ids, logits, name=f"{settings.architecture}-training")


def _training_features(
    words: keras.KerasTensor, places: keras.KerasTensor, settings: Settings
) -> keras.KerasTensor:
    """Do what `_features` does with every word of a batch looked up once."""
    if settings.architecture == "conv-lstm":
        return _features(keras.ops.take(words, places, axis=0), settings)
    return _join(
        [
            PooledConvolution(settings.filters, size, name=f"conv_{number}")(words, places)
            for number, size in enumerate(settings.kernel_sizes, start=1)
        ]
    )


def _features(vectors: keras.KerasTensor, settings: Settings) -> keras.KerasTensor:
    """Stand the layers between vectors and logits on the vectors."""
    features = []
    for number, size in enumerate(settings.kernel_sizes, start=1):
        convolution = keras.layers.Conv1D(
            settings.filters, size, activation="relu", name=f"conv_{number}"
        )
        windows = convolution(vectors)
        for layer in _summary(settings.architecture, number):
            windows = layer(windows)
        features.append(windows)
    return _join(features)


def _join(features: list[keras.KerasTensor]) -> keras.KerasTensor:
    return features[0] if len(features) == 1 else keras.layers.Concatenate(name="joined")(features)


def _summary(architecture: str, number: int) -> list[keras.layers.Layer]:
    """Give the layers between a convolution and the logits: windows to one vector a text."""
    if architecture == "conv-pool":
        return [keras.layers.GlobalMaxPooling1D(name=f"pool_{number}")]
    return [
        keras.layers.MaxPooling1D(LSTM_POOL, name=f"pool_{number}"),
        # From the end to the start, so that padding comes before the text and not after it.
        keras.layers.LSTM(LSTM_UNITS, go_backwards=True, name="lstm"),
    ]


def plain_model(trained: keras.Model, settings: Settings, temperature: float = 1.0) -> keras.Model:
    """Turn a trained model into one of plain Keras layers, which loads without our code.

    The layer names are the contract with `convert`: `table`, `conv_1`…, `lstm`, `wide`, `logits`.

    Args:
        trained: what `build_training_model` gave, trained.
        settings: what it was built by.
        temperature: divides the logits; folded into their weights.

    Returns:
        A model from int32 [texts, length] to probabilities, float32 [texts, 1 or classes].
    """
    look_up = trained.get_layer(TABLE)
    learned = isinstance(look_up, LearnedTable)
    merged = look_up.merged() if learned else look_up.get_weights()[0]
    ids = keras.Input((None,), dtype="int32", name="ids")
    table = keras.layers.Embedding(*merged.shape, trainable=False, name="table")
    outputs = trained.get_layer("logits").units
    logits = keras.layers.Dense(outputs, name="logits")(_features(table(ids), settings))
    if settings.wide:
        wide = trained.get_layer("wide").merged() / temperature
        logits = logits + _plain_wide_sum(ids, wide)
    activation = "sigmoid" if outputs == 1 else "softmax"
    probabilities = keras.layers.Activation(activation, name="probabilities")(logits)
    model = keras.Model(ids, probabilities, name=trained.name.removesuffix("-training"))
    for layer in model.layers:
        if layer.name.startswith(("conv_", "lstm", "logits")):
            weights = trained.get_layer(layer.name).get_weights()
            hot = temperature if layer.name == "logits" else 1.0
            layer.set_weights([weight / np.float32(hot) for weight in weights])
    table.set_weights([merged])
    return model


def _plain_wide_sum(ids: keras.KerasTensor, weights: Floats) -> keras.KerasTensor:
    """Sum wide weights as `WideSum` does, with what Keras itself can load."""
    wide = keras.layers.Embedding(*weights.shape, name="wide")
    total = keras.ops.sum(wide(ids), axis=1)
    present = keras.ops.cast(keras.ops.not_equal(ids, PADDING_ID), "float32")
    tokens = keras.ops.maximum(keras.ops.sum(present, axis=1, keepdims=True), 1.0)
    wide.set_weights([weights])
    return total / keras.ops.sqrt(tokens)
