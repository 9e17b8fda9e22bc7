"""Builds the Keras models: the one that is trained and the plain one that is saved.

`conv-pool`: look up each token in a frozen GloVe table, convolve with one or several kernel sizes,
take the maximum over the text, then a dense layer and a sigmoid (softmax for more than two classes,
of which a text has one); optionally with a wide sum. The source article, on transfer learning for
NLP, uses GloVe 6B 100d, frozen, `Conv1D(64, 5, relu)` and a sigmoid.
`conv-lstm`, the course notebook's: between convolution and dense layer, max pooling over four
windows and an LSTM.
"""

from __future__ import annotations

import keras
import numpy as np

from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import PADDING_ID

from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable
from .layers import ByteDropout, DistinctWords, PooledConvolution, TrainableTable, WideSum
from .outputs import choose_activation
from .wide import WideWeights

VECTORS_LAYER = "vectors"
NO_TEMPERATURES: Floats = np.ones(1, np.float32)
LSTM_POOL, LSTM_UNITS = 4, 64
BOTTLENECK_LAYER = "bottleneck"
BOTTLENECK = 64  # columns that many outputs share; dev text of 1,000 classes gains by them


def build_training_model(
    table: EmbeddingTable,
    outputs: int,
    options: TrainingOptions,
    dropout: float,
    vectors: keras.layers.Layer | None = None,
    wide: WideWeights | None = None,
) -> keras.Model:
    """Build the model that is trained: ids to logits.

    Args:
        outputs: number of logits.
        dropout: share of vector values and of features to drop.
        vectors: the layer, named `VECTORS_LAYER`, that gives each distinct word of a batch its
            vector; None uses `TrainableTable`.
        wide: initial weights of the training words; None for no wide sum.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    look_up = vectors or TrainableTable(table, options, dropout, name=VECTORS_LAYER)
    words, positions = DistinctWords(name="words")(ids)
    dropped = ByteDropout(dropout, options.seed)(look_up(words))
    drop = ByteDropout(dropout, options.seed + 1)
    # The order of these lines fixes the initial weights: layers draw them as they are created.
    features = drop(_features(dropped, options, positions))
    if wide is not None and wide.mixing is not None:
        features = _share_columns(features)
    logits = keras.layers.Dense(outputs, name="logits")(features)
    if wide is not None:
        logits = keras.layers.Add()([logits, WideSum(wide, name="wide")(ids)])
    return keras.Model(ids, logits, name=f"{options.architecture}-training")


def plain_model(
    trained: keras.Model,
    options: TrainingOptions,
    temperatures: Floats = NO_TEMPERATURES,
    multi_label: bool = False,
) -> keras.Model:
    """Convert a trained model to plain Keras layers, which load without glovelite.

    The layer names are the contract with `convert`: `table`, `conv_1`…, `lstm`, `wide`,
    `bottleneck`, `logits`.

    Args:
        trained: from `build_training_model`.
        temperatures: float32 [1 or outputs], divide the logits; folded into their weights.

    Returns:
        A model from int32 [texts, length] to probabilities, float32 [texts, outputs].
    """
    look_up = trained.get_layer(VECTORS_LAYER)
    learned = isinstance(look_up, TrainableTable)
    vectors = look_up.merged() if learned else look_up.get_weights()[0]
    ids = keras.Input((None,), dtype="int32", name="ids")
    table = keras.layers.Embedding(*vectors.shape, trainable=False, name="table")
    features, wide = _features(table(ids), options), None
    if options.wide:
        wide = trained.get_layer("wide").merged(len(vectors))
    outputs = trained.get_layer("logits").units
    logits = _plain_logits(features, ids, wide, outputs)
    activation = choose_activation(outputs, multi_label)
    probabilities = keras.layers.Activation(activation, name="probabilities")(logits)
    model = keras.Model(ids, probabilities, name=trained.name.removesuffix("-training"))
    for layer in model.layers:
        if layer.name.startswith(("conv_", "lstm", BOTTLENECK_LAYER)):
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    kernel, bias = trained.get_layer("logits").get_weights()
    if wide is not None:
        columns, of_outputs = wide.rows, wide.mixing
        if of_outputs is None:
            columns = columns / temperatures
        else:
            kernel = np.concatenate([kernel, of_outputs])
        model.get_layer("wide").set_weights([columns])
    model.get_layer("logits").set_weights([kernel / temperatures, bias / temperatures])
    table.set_weights([vectors])
    return model


def _plain_logits(
    features: keras.KerasTensor, ids: keras.KerasTensor, wide: WideWeights | None, outputs: int
) -> keras.KerasTensor:
    """Add the layers from features to logits; their weights are set later."""
    last = keras.layers.Dense(outputs, name="logits")
    if wide is None:
        return last(features)
    if wide.mixing is None:
        return last(features) + _plain_wide_sum(ids, wide.rows.shape)
    shared = [_share_columns(features), _plain_wide_sum(ids, wide.rows.shape)]
    return last(keras.layers.Concatenate(name="shared")(shared))


def _share_columns(features: keras.KerasTensor) -> keras.KerasTensor:
    """Add the layer whose columns many outputs share."""
    units = min(BOTTLENECK, features.shape[-1])
    return keras.layers.Dense(units, use_bias=False, name=BOTTLENECK_LAYER)(features)


def _features(
    vectors: keras.KerasTensor,
    options: TrainingOptions,
    positions: keras.KerasTensor | None = None,
) -> keras.KerasTensor:
    """Add the layers between vectors and logits.

    Args:
        vectors: of the tokens of each text, or of the distinct words of a batch.
        positions: of the distinct words in the texts; None for tokens.
    """
    if positions is not None and not options.max_pooled:
        vectors, positions = keras.ops.take(vectors, positions, axis=0), None
    features = []
    for number, size in enumerate(options.kernel_sizes, start=1):
        conv, pool = f"conv_{number}", f"pool_{number}"
        if positions is not None:
            pooled = PooledConvolution(options.filters, size, name=conv)(vectors, positions)
            features.append(pooled)
            continue
        windows = keras.layers.Conv1D(options.filters, size, activation="relu", name=conv)(vectors)
        if options.max_pooled:
            features.append(keras.layers.GlobalMaxPooling1D(name=pool)(windows))
        else:
            windows = keras.layers.MaxPooling1D(LSTM_POOL, name=pool)(windows)
            # Backwards, so that padding comes before the text and not after it.
            features.append(keras.layers.LSTM(LSTM_UNITS, go_backwards=True, name="lstm")(windows))
    return features[0] if len(features) == 1 else keras.layers.Concatenate(name="joined")(features)


def _plain_wide_sum(ids: keras.KerasTensor, shape: tuple[int, ...]) -> keras.KerasTensor:
    """Sum wide weights as `WideSum` does, with layers that Keras itself can load."""
    wide = keras.layers.Embedding(*shape, name="wide")
    total = keras.ops.sum(wide(ids), axis=1)
    present = keras.ops.cast(keras.ops.not_equal(ids, PADDING_ID), "float32")
    tokens = keras.ops.maximum(keras.ops.sum(present, axis=1, keepdims=True), 1.0)
    return total / keras.ops.sqrt(tokens)
