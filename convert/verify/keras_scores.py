"""What Keras makes of texts: the reference that the device is held to.

TensorFlow is imported here: this module runs in the child process only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import numpy.typing as npt

from runtime.vocabulary import Vocabulary

Ids = npt.NDArray[np.int32]
BATCH_TOKENS = 1 << 16  # ids in a batch of the reference: bounds memory whatever the lengths


def pad_texts(texts: Sequence[str], vocabulary: Vocabulary, length: int | None) -> Iterator[Ids]:
    """Encode texts as the device does.

    Args:
        texts: the texts.
        vocabulary: the bundle's.
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
) -> npt.NDArray[np.float32]:
    """Score texts with the Keras model, as the device is to score them.

    Args:
        model: the plain model.
        vocabulary: the run's.
        texts: the texts.
        length: ids of the input, or None for any.

    Returns:
        float32 [texts, classes].
    """
    encoded = list(pad_texts(texts, vocabulary, length))
    order = sorted(range(len(texts)), key=lambda row: encoded[row].size)
    scores = np.zeros((len(texts), len(vocabulary.labels)), np.float32)
    start = 0
    while start < len(order):
        count = max(1, BATCH_TOKENS // (encoded[order[start]].size + 64))
        chosen = order[start : start + count]
        batch = np.zeros((len(chosen), max(encoded[row].size for row in chosen)), np.int32)
        for place, row in enumerate(chosen):
            batch[place, : encoded[row].size] = encoded[row]
        outputs = np.asarray(model(batch, training=False))
        scores[chosen] = outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])
        start += count
    return scores
