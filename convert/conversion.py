"""What the child process does: load the Keras model, write the flatbuffer, score the reference.

TensorFlow is imported here; the parent calls `convert_run` through `child.call`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from runtime.vocabulary import Vocabulary

from .errors import ConversionError
from .graph import build_graph
from .layouts import choose_layout
from .quantize import Ids, quantize
from .recipes import RECIPES
from .run_folder import read_run
from .weights import Weights, load_model, take_weights

BATCH_TOKENS = 1 << 16  # ids in a batch of the reference: bounds memory whatever the lengths


def convert_run(
    run: str,
    recipe: str,
    model: str,
    reference: str,
    layout: str = "conv",
    integer_output: bool = False,
) -> Any:
    """Convert a run's model and score its texts with Keras.

    Args:
        run: the run folder.
        recipe: name of the recipe.
        model: the flatbuffer to write.
        reference: the `.npz` to write: float32 [texts, classes] for `dev` and `test`.
        layout: `"conv"`, `"folded"` or `"auto"`.
        integer_output: leave the output of `int8` as int8.

    Returns:
        What the manifest tells of the model: `{"outputs", "length", "layout"}`, length null for
        any.

    Raises:
        RunFolderError: the run folder cannot be converted.
    """
    folder = read_run(Path(run))
    vocabulary = folder.vocabulary
    trained = load_model(folder.model)
    weights = take_weights(trained, len(vocabulary.tokens), str(folder.model))
    length = vocabulary.max_tokens + vocabulary.trailing_padding if weights.lstm else None
    layout = settle_layout(layout, weights)
    flatbuffer = quantize(
        build_graph(weights, length, layout, RECIPES[recipe].row_bits.get(layout)),
        RECIPES[recipe],
        layout,
        pad_texts(folder.calibration.texts, vocabulary, length),
        integer_output,
    )
    Path(model).write_bytes(flatbuffer)
    texts = {"dev": folder.dev.texts, "test": folder.test.texts}
    scores = {n: keras_scores(trained, vocabulary, each, length) for n, each in texts.items()}
    np.savez(reference, **scores)
    return {"outputs": int(weights.kernel.shape[1]), "length": length, "layout": layout}


def settle_layout(layout: str, weights: Weights) -> str:
    """Settle which layout a model gets.

    Args:
        layout: `"conv"`, `"folded"` or `"auto"`.
        weights: the model's.

    Returns:
        `"conv"` or `"folded"`.

    Raises:
        ConversionError: an LSTM was to be folded.
    """
    if weights.lstm is not None:
        if layout == "folded":
            raise ConversionError("conv-lstm has no folded layout: say --layout conv")
        return "conv"
    if layout == "auto":
        shapes = [each.kernel.shape for each in weights.convolutions]
        return choose_layout(weights.table.shape[1], shapes)
    return layout


def pad_texts(texts: Sequence[str], vocabulary: Vocabulary, length: int | None) -> Iterator[Ids]:
    """Encode texts as the device does.

    Args:
        texts: the texts.
        vocabulary: the run's.
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
        rows = order[start : start + count]
        batch = np.zeros((len(rows), max(encoded[row].size for row in rows)), np.int32)
        for place, row in enumerate(rows):
            batch[place, : encoded[row].size] = encoded[row]
        outputs = np.asarray(model(batch, training=False))
        scores[rows] = outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])
        start += count
    return scores
