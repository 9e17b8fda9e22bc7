"""Scores texts with the Keras model: the reference for the device.

Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from glovelite.runtime.aliases import Floats, Ids
from glovelite.runtime.text.vocabulary import Vocabulary

BATCH_TOKENS = 1 << 16  # ids in a batch: bounds memory for any length


def pad_texts(texts: Sequence[str], vocabulary: Vocabulary, length: int | None) -> Iterator[Ids]:
    """Encode texts as the device does.

    Args:
        texts: the texts.
        vocabulary: of the bundle.
        length: ids of the input, or None for what each text needs.

    Yields:
        int32 [1, length], padding included.
    """
    for text in texts:
        ids = vocabulary.encode(text).ids
        row = np.zeros((1, length or len(ids) + vocabulary.trailing_padding), np.int32)
        row[0, : len(ids)] = ids
        yield row


def keras_scores(
    model: keras.Model, vocabulary: Vocabulary, texts: Sequence[str], length: int | None
) -> Floats:
    """Score texts with the Keras model, float32 [texts, classes].

    Args:
        model: the plain model.
        vocabulary: of the run.
        texts: the texts.
        length: ids of the input, or None for any.
    """
    encoded = list(pad_texts(texts, vocabulary, length))
    order = sorted(range(len(texts)), key=lambda row: encoded[row].size)
    scores = np.zeros((len(texts), len(vocabulary.labels)), np.float32)
    start = 0
    while start < len(order):
        count = max(1, BATCH_TOKENS // (encoded[order[start]].size + 64))
        rows = order[start : start + count]
        batch = np.zeros((len(rows), max(encoded[row].size for row in rows)), np.int32)
        for index, row in enumerate(rows):
            batch[index, : encoded[row].size] = encoded[row]
        outputs = np.asarray(model(batch, training=False))
        scores[rows] = outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])
        start += count
    return scores
