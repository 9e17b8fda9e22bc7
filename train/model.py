"""The Keras models: the one that is trained and the plain one that is kept.

`conv-pool`, our reading of the source article: look each token up in a frozen GloVe table, one
convolution, the maximum over the text, a dense layer, sigmoid (softmax beyond two classes).
`conv-lstm`, the course notebook's: between convolution and dense layer, the maximum of every four
windows and an LSTM.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from .glove import Floats
from .settings import Settings
from .table import Table

TABLE = "partly_learned_table"
KEPT = ("conv_1", "pool_1", "lstm", "logits")
LSTM_POOL, LSTM_UNITS = 4, 64


@keras.saving.register_keras_serializable("glovelite")
class PartlyLearnedTable(keras.layers.Layer):  # type: ignore[misc]
    """An embedding that is frozen but for a few rows; only ever used in training."""

    def __init__(self, vectors: Floats, learned: tuple[int, ...], **options: object) -> None:
        """Hold the frozen vectors and start the learned rows near zero.

        Args:
            vectors: float32 [vocabulary, dimensions].
            learned: ids of the rows to learn.
            **options: Keras's own.
        """
        super().__init__(**options)
        self._vectors, self._learned_ids = vectors, learned

    def build(self, _shape: object) -> None:
        """Make the weights."""
        words, dimensions = self._vectors.shape
        places = np.zeros(words, np.int32)  # id → row of `learned`, counted from 1; 0 is "none"
        places[list(self._learned_ids)] = np.arange(1, len(self._learned_ids) + 1)
        self.frozen = self.add_weight(
            name="frozen", shape=(words, dimensions), trainable=False, initializer="zeros"
        )
        self.frozen.assign(self._vectors)
        self.places = tf.constant(places)
        self.learned = self.add_weight(
            name="learned",
            shape=(len(self._learned_ids), dimensions),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Look ids up: int32 [texts, length] → float32 [texts, length, dimensions]."""
        none = tf.zeros_like(self.learned[:1])
        learned = tf.concat([none, self.learned], axis=0)
        return tf.gather(self.frozen, ids) + tf.gather(learned, tf.gather(self.places, ids))

    def merged(self) -> Floats:
        """Give frozen and learned rows as one table, float32 [vocabulary, dimensions]."""
        table = np.array(self.frozen)
        table[list(self._learned_ids)] += np.asarray(self.learned)
        return table


def build_training_model(
    table: Table, classes: int, settings: Settings, vectors: keras.layers.Layer | None = None
) -> keras.Model:
    """Build the model that is trained: ids to logits.

    Args:
        table: vocabulary and vectors.
        classes: how many, two or more.
        settings: architecture, filters, kernel size and dropout are used.
        vectors: the layer that looks ids up; None takes the table, frozen but for learned rows.

    Returns:
        A model from int32 [texts, length] to float32 [texts, 1 or classes].
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    look_up = vectors or PartlyLearnedTable(table.vectors, table.learned, name=TABLE)
    dropped = keras.layers.Dropout(settings.dropout, seed=settings.seed)(look_up(ids))
    convolution = keras.layers.Conv1D(
        settings.filters, settings.kernel_size, activation="relu", name="conv_1"
    )
    features = convolution(dropped)
    for layer in _summary(settings.architecture):
        features = layer(features)
    features = keras.layers.Dropout(settings.dropout, seed=settings.seed + 1)(features)
    logits = keras.layers.Dense(1 if classes == 2 else classes, name="logits")(features)
    return keras.Model(ids, logits, name=f"{settings.architecture}-training")


def _summary(architecture: str) -> list[keras.layers.Layer]:
    """Give the layers between convolution and logits: windows to one vector a text."""
    if architecture == "conv-pool":
        return [keras.layers.GlobalMaxPooling1D(name="pool_1")]
    return [
        keras.layers.MaxPooling1D(LSTM_POOL, name="pool_1"),
        # From the end to the start, so that padding comes before the text and not after it.
        keras.layers.LSTM(LSTM_UNITS, go_backwards=True, name="lstm"),
    ]


def plain_model(trained: keras.Model) -> keras.Model:
    """Turn a trained model into one of plain Keras layers, which loads without our code.

    The layer names are the contract with `convert`: `table`, `conv_1`…, `lstm`, `logits`.

    Args:
        trained: what `build_training_model` gave, trained.

    Returns:
        A model from int32 [texts, length] to probabilities, float32 [texts, 1 or classes].
    """
    look_up = trained.layers[1]
    merged = look_up.merged() if look_up.name == TABLE else look_up.get_weights()[0]
    ids = keras.Input((None,), dtype="int32", name="ids")
    table = keras.layers.Embedding(*merged.shape, trainable=False, name="table")
    outputs = table(ids)
    kept = [layer for layer in trained.layers if layer.name in KEPT]
    for layer in kept:
        copy = type(layer).from_config(layer.get_config())
        outputs = copy(outputs)
        copy.set_weights(layer.get_weights())
    activation = "sigmoid" if outputs.shape[-1] == 1 else "softmax"
    outputs = keras.layers.Activation(activation, name="probabilities")(outputs)
    table.set_weights([merged])
    return keras.Model(ids, outputs, name=trained.name.removesuffix("-training"))
