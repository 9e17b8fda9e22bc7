"""The layer that looks ids up in training: what is frozen of the table and what is learned.

Frozen are GloVe's rows. Learned are rows for words that GloVe lacks; steps away from GloVe for the
commonest words; and an adapter (Houlsby et al., 2019), one small network that every word's vector
goes through, also that of words training never saw. All of it is a function of the word alone, so
`merged` computes it once per word and the device knows nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from runtime.vocabulary import PADDING_ID, SPECIAL_TOKENS

from ..options import Settings
from ..vectors.cache import Floats
from ..vectors.embedding_table import Table

START = 0.05  # of learned rows: uniform to either side of zero
TUNED_PACE = 0.3  # of a GloVe vector's steps against a learned row's


@dataclass(frozen=True)
class Rows:
    """Rows of a table that training changes.

    Attributes:
        ids: which, ascending.
        pace: float32 [rows, 1], how fast each moves: 1 for words without a vector.
    """

    ids: tuple[int, ...]
    pace: Floats


def choose_rows(table: Table, tuned_words: int) -> Rows:
    """Choose the rows that training changes.

    Args:
        table: vocabulary and vectors, the commonest words first.
        tuned_words: how many of them move away from GloVe.

    Returns:
        The rows GloVe lacks, and those of the commonest words.
    """
    first = len(SPECIAL_TOKENS)
    tuned = range(first, min(len(table.tokens), first + tuned_words))
    ids = tuple(sorted({*table.learned, *tuned}))
    pace = np.where(np.isin(ids, table.learned), 1.0, TUNED_PACE)
    return Rows(ids, pace[:, None].astype(np.float32))


class DistinctWords(keras.layers.Layer):  # type: ignore[misc]
    """Tells a batch's words from the places they stand in: most stand in many."""

    def call(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give int32 [words], each id once, and int32 [texts, length], which stands where."""
        words, places = tf.unique(tf.reshape(ids, [-1]))
        return words, tf.reshape(places, tf.shape(ids))


@keras.saving.register_keras_serializable("glovelite")
class LearnedTable(keras.layers.Layer):  # type: ignore[misc]
    """A table of word vectors, frozen but for what the settings let move; only for training."""

    def __init__(self, table: Table, settings: Settings, **options: object) -> None:
        """Hold the frozen vectors.

        Args:
            table: vocabulary and vectors.
            settings: `tuned_words`, `adapter`, `dropout` and `seed` are used.
            **options: Keras's own.
        """
        super().__init__(**options)
        self._vectors, self._rows = table.vectors, choose_rows(table, settings.tuned_words)
        self._adapter = settings.adapter
        self._drop = keras.layers.Dropout(settings.dropout, seed=settings.seed + 2)

    def build(self, _shape: object) -> None:
        """Make the weights."""
        words, dimensions = self._vectors.shape
        places = np.zeros(words, np.int32)  # id → row of `learned`, counted from 1; 0 is "none"
        places[list(self._rows.ids)] = np.arange(1, len(self._rows.ids) + 1)
        self.frozen = self.add_weight(
            name="frozen", shape=(words, dimensions), trainable=False, initializer="zeros"
        )
        self.frozen.assign(self._vectors)
        self.places = tf.constant(places)
        self.learned = self.add_weight(
            name="learned",
            shape=(len(self._rows.ids), dimensions),
            initializer=keras.initializers.RandomUniform(-START, START),
        )
        self.learned.assign(self.learned * (self._rows.pace == 1))
        if self._adapter:
            self.inward = self.add_weight(name="inward", shape=(dimensions, self._adapter))
            self.bias = self.add_weight(name="bias", shape=(self._adapter,), initializer="zeros")
            self.outward = self.add_weight(name="outward", shape=(self._adapter, dimensions))

    def call(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Look words up: int32 [words], their ids → float32 [words, dimensions]."""
        learned = tf.concat([tf.zeros_like(self.learned[:1]), self.learned * self._rows.pace], 0)
        vectors = tf.gather(self.frozen, words) + tf.gather(learned, tf.gather(self.places, words))
        if self._adapter:
            dropped = self._drop(vectors, training=training)
            hidden = self._drop(tf.nn.relu(dropped @ self.inward + self.bias), training=training)
            present = tf.cast(tf.not_equal(words, PADDING_ID), tf.float32)[:, None]
            vectors += hidden @ self.outward * present
        return vectors

    def merged(self) -> Floats:
        """Give the table that the device looks up, float32 [vocabulary, dimensions]."""
        table: Floats = self(np.arange(len(self._vectors), dtype=np.int32)).numpy()
        return table
