"""The Keras layers that exist only in training; `build.plain_model` replaces them.

Training looks up each distinct word of a batch once (`DistinctWords`, `TrainableTable`), convolves
word by word (`PooledConvolution`) and adds a weight per word and class (`WideSum`).
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import PADDING_ID, SPECIAL_TOKENS, UNKNOWN_ID

from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable
from .wide import WideWeights

LEARNED_ROW_RANGE = 0.05  # learned rows start uniform in [-0.05, 0.05]
TUNED_LR_SCALE = 0.3  # learning rate of a tuned GloVe vector, relative to a learned row
MERGED_ROWS = 4096  # at a time: bounds memory
WIDE_LR_SCALE = 3.0  # learning rate of a wide weight, relative to the other weights


class ByteDropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout with one random byte per value.

    That is a quarter of the random numbers that Keras's layer draws, which took as long as the
    convolutions. The rate is rounded to a multiple of 1/256.
    """

    def __init__(self, rate: float, seed: int, **keywords: object) -> None:
        """Initialize with the share of values to drop, 0 to 1."""
        super().__init__(**keywords)
        self._dropped, self._seed = round(rate * 256), seed

    def build(self, _shape: object) -> None:
        """Create the number of the next draw, a weight so that a resumed run draws the same."""
        self.draw = self.add_weight(
            name="draw", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop values and scale the others up, in training; float32 of any shape."""
        if not training or not self._dropped:
            return values
        self.draw.assign_add(1)
        seed = tf.stack([tf.constant(self._seed & 0x7FFFFFFF), tf.convert_to_tensor(self.draw)])
        count = tf.size(values)
        words = tf.random.stateless_uniform([(count + 3) // 4], seed, None, None, tf.int32)
        drawn = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count]
        kept = tf.cast(drawn >= tf.constant(self._dropped, tf.uint8), tf.float32)
        return values * tf.reshape(kept * (256 / (256 - self._dropped)), tf.shape(values))


class DistinctWords(keras.layers.Layer):  # type: ignore[misc]
    """Separates a batch's distinct words from their positions: most occur more than once."""

    def call(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return int32 [words], each id once, and int32 [texts, length], indices into it."""
        words, positions = tf.unique(tf.reshape(ids, [-1]))
        return words, tf.reshape(positions, tf.shape(ids))


def choose_trainable_rows(
    table: EmbeddingTable, tuned_words: int
) -> tuple[tuple[int, ...], Floats]:
    """Choose the rows that training changes: those GloVe lacks and the most frequent words.

    Returns:
        Word ids, ascending, and their relative learning rates, float32 [rows, 1]: 1 for words
        without a vector.
    """
    first = len(SPECIAL_TOKENS)
    tuned = range(first, min(len(table.tokens), first + tuned_words))
    ids = tuple(sorted({*table.learned, *tuned}))
    lr_scale = np.where(np.isin(ids, table.learned), 1.0, TUNED_LR_SCALE)
    return ids, lr_scale[:, None].astype(np.float32)


@keras.saving.register_keras_serializable("glovelite")
class TrainableTable(keras.layers.Layer):  # type: ignore[misc]
    """Looks up word vectors: GloVe's rows are frozen, the rest is learned.

    Learned are rows for words that GloVe lacks, offsets for the most frequent words, and an adapter
    (Houlsby et al., 2019): a small network that every word's vector passes through, including
    words that training text lacks. All of it depends on the word alone, so `merged` computes it
    once per word and it adds no inference cost.

    Attributes:
        learned_ids: word ids of the rows that training changes.
    """

    def __init__(
        self, table: EmbeddingTable, options: TrainingOptions, dropout: float, **keywords: object
    ) -> None:
        """Initialize with the frozen vectors."""
        super().__init__(**keywords)
        self._vectors = table.vectors
        self.learned_ids, self._lr_scale = choose_trainable_rows(table, options.tuned_words)
        self._adapter = options.adapter
        self._drop = ByteDropout(dropout, options.seed + 2)
        self._drop_hidden = ByteDropout(dropout, options.seed + 3)

    def build(self, _shape: object) -> None:
        """Create the weights."""
        words, dimensions = self._vectors.shape
        learned_index = np.zeros(words, np.int32)  # id -> row of `learned` from 1; 0 is none
        learned_index[list(self.learned_ids)] = np.arange(1, len(self.learned_ids) + 1)
        self.frozen = tf.constant(self._vectors)  # not a weight: checkpoints need no copy of it
        self.learned_index = tf.constant(learned_index)
        self.learned = self.add_weight(
            name="learned",
            shape=(len(self.learned_ids), dimensions),
            initializer=keras.initializers.RandomUniform(-LEARNED_ROW_RANGE, LEARNED_ROW_RANGE),
        )
        self.learned.assign(self.learned * (self._lr_scale == 1))
        if self._adapter:
            self.down = self.add_weight(name="down", shape=(dimensions, self._adapter))
            self.bias = self.add_weight(name="bias", shape=(self._adapter,), initializer="zeros")
            self.up = self.add_weight(name="up", shape=(self._adapter, dimensions))

    def call(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Look up words: int32 [words] -> float32 [words, dimensions]."""
        scaled = self.learned * self._lr_scale
        learned = tf.concat([tf.zeros_like(self.learned[:1]), scaled], 0)
        vectors = tf.gather(self.frozen, words)
        vectors += tf.gather(learned, tf.gather(self.learned_index, words))
        if self._adapter:
            dropped = self._drop(vectors, training=training)
            hidden = self._drop_hidden(
                tf.nn.relu(dropped @ self.down + self.bias), training=training
            )
            present = tf.cast(tf.not_equal(words, PADDING_ID), tf.float32)[:, None]
            vectors += hidden @ self.up * present
        return vectors

    def offsets(self) -> Floats:
        """Return what is added to the frozen vectors of `learned_ids`, float32."""
        offsets: Floats = (self.learned * self._lr_scale).numpy()
        return offsets

    def assign_offsets(self, offsets: Floats) -> None:
        """Set what `offsets` returns."""
        self.learned.assign(offsets / self._lr_scale)

    def merged(self) -> Floats:
        """Return the table that the device looks up, float32 [vocabulary, dimensions]."""
        ids = np.arange(len(self._vectors), dtype=np.int32)
        blocks = [ids[start : start + MERGED_ROWS] for start in range(0, len(ids), MERGED_ROWS)]
        return np.concatenate([self(block).numpy() for block in blocks])


class PooledConvolution(keras.layers.Layer):  # type: ignore[misc]
    """`Conv1D` with relu followed by `GlobalMaxPooling1D`, computed word by word.

    A convolution is linear before its relu, so each tap's product is computed once per distinct
    word of a batch and added where the word occurs; and only the maximal window has a gradient.
    Features and gradients equal those of the two Keras layers up to rounding, for a fraction of the
    work.
    """

    def __init__(self, filters: int, kernel_size: int, **keywords: object) -> None:
        """Initialize with arguments of `Conv1D`."""
        super().__init__(**keywords)
        self._filters, self._size = filters, kernel_size

    def build(self, words_shape: tuple[int | None, ...], positions_shape: object) -> None:  # noqa: ARG002
        """Create the weights, in the shapes and the order of `Conv1D`."""
        shape = (self._size, words_shape[-1], self._filters)
        self.kernel = self.add_weight(name="kernel", shape=shape)
        self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")

    def call(self, words: tf.Tensor, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the features of texts, float32 [texts, filters].

        Args:
            words: float32 [words, dimensions], a vector per distinct word of the batch.
            positions: int32 [texts, length], rows of `words`.
            training: whether gradients are wanted.
        """
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.nn.relu(convolve_and_pool(words, positions, kernel, training) + self.bias)


def convolve_and_pool(
    words: tf.Tensor, positions: tf.Tensor, kernel: tf.Tensor, training: bool
) -> tf.Tensor:
    """Return each filter's maximum over a text's windows.

    In training, the maximal windows are computed again, alone, so that only they have a gradient.
    `tf.custom_gradient` would keep every model for as long as the process runs.

    Args:
        words: float32 [words, dimensions].
        positions: int32 [texts, length], rows of `words`.
        kernel: float32 [taps, dimensions, filters].

    Returns:
        float32 [texts, filters].
    """
    taps, dimensions, filters = kernel.shape
    flat = tf.reshape(tf.transpose(kernel, [1, 0, 2]), [dimensions, taps * filters])
    products = tf.reshape(words @ flat, [-1, filters])  # a row for each word and tap
    fixed = tf.stop_gradient(products)
    last = tf.shape(positions)[1] - taps + 1
    windows = tf.add_n(
        [tf.gather(fixed, positions[:, tap : last + tap] * taps + tap) for tap in range(taps)]
    )
    if not training:
        return tf.reduce_max(windows, axis=1)
    maximal = tf.argmax(windows, axis=1, output_type=tf.int32)[:, :, None] + tf.range(taps)
    rows = tf.gather(positions, maximal, batch_dims=1) * taps + tf.range(taps)
    chosen = rows * filters + tf.range(filters)[:, None]  # [texts, filters, taps]
    return tf.reduce_sum(tf.gather(tf.reshape(products, [-1]), chosen), axis=2)


class WideSum(keras.layers.Layer):  # type: ignore[misc]
    """Sums the wide weights of a text's words, divided by the root of its length.

    The unknown word, and words that training text lacks, have no weight.
    """

    def __init__(self, initial: WideWeights, **keywords: object) -> None:
        """Initialize with the weights of the training words."""
        super().__init__(**keywords)
        self._initial = initial

    def build(self, _shape: object) -> None:
        """Create the weights."""
        rows, mixing = self._initial.rows, self._initial.mixing
        self.kernel = self.add_weight(name="wide", shape=rows.shape, initializer="zeros")
        if mixing is not None:
            self.mixing = self.add_weight(
                name="mixing", shape=mixing.shape, initializer="zeros", trainable=False
            )
        self.assign_merged(self._initial)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the sums: int32 [texts, length] -> float32 [texts, outputs]."""
        present = tf.cast(tf.not_equal(ids, PADDING_ID), tf.float32)[:, :, None]
        has_weight = (ids > UNKNOWN_ID) & (ids < self.words)
        rows = tf.gather(self.kernel, tf.where(has_weight, ids, PADDING_ID)) * WIDE_LR_SCALE
        total = tf.reduce_sum(rows * tf.cast(has_weight, tf.float32)[:, :, None], axis=1)
        mean = total / tf.sqrt(tf.maximum(tf.reduce_sum(present, axis=1), 1.0))
        return mean if self._initial.mixing is None else mean @ self.mixing

    @property
    def words(self) -> int:
        """Number of words with a weight, from the first id."""
        return len(self._initial.rows)

    def assign_merged(self, weights: WideWeights) -> None:
        """Set the weights of the training words."""
        self.kernel.assign(weights.rows / WIDE_LR_SCALE)
        if weights.mixing is not None:
            self.mixing.assign(weights.mixing)

    def merged(self, vocabulary_size: int) -> WideWeights:
        """Return the weights of the first words; they are 0 for those that have none."""
        rows = np.zeros((vocabulary_size, self._initial.rows.shape[1]), np.float32)
        count = min(vocabulary_size, self.words)
        rows[:count] = self.kernel[:count] * WIDE_LR_SCALE
        rows[: len(SPECIAL_TOKENS)] = 0
        mixing = None if self._initial.mixing is None else self.mixing.numpy()
        return WideWeights(rows, mixing)
