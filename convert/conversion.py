"""What the child process does: load the Keras model, write the flatbuffer, score the reference.

TensorFlow is imported here; the parent calls `convert_run` through `child.call`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from runtime.vocabulary import Vocabulary

from .graph import build_graph
from .quantize import oldest_runtime, quantize
from .recipes import RECIPES
from .run_folder import read_run
from .weights import load_model, take_weights

BATCH_TOKENS = 1 << 16  # ids in a batch of the reference: bounds memory whatever the lengths


def convert_run(run: str, recipe: str, model: str, reference: str, goldens: list[str]) -> Any:
    """Convert a run's model and score its texts with Keras.

    Args:
        run: the run folder.
        recipe: name of the recipe.
        model: the flatbuffer to write.
        reference: the `.npz` to write: float32 [texts, classes] for `goldens`, `dev`, `test`.
        goldens: texts whose scores go into the manifest.

    Returns:
        What the manifest tells of the model: `{"oldest_runtime", "outputs"}`.

    Raises:
        RunFolderError: the run folder cannot be converted.
    """
    folder = read_run(Path(run))
    trained = load_model(folder.model)
    weights = take_weights(trained, len(folder.vocabulary.tokens), str(folder.model))
    flatbuffer = quantize(build_graph(weights), RECIPES[recipe])
    Path(model).write_bytes(flatbuffer)
    texts = {"goldens": goldens, "dev": folder.dev.texts, "test": folder.test.texts}
    scores = {name: keras_scores(trained, folder.vocabulary, each) for name, each in texts.items()}
    np.savez(reference, **scores)
    return {
        "oldest_runtime": oldest_runtime(flatbuffer),
        "outputs": int(weights.kernel.shape[1]),
    }


def keras_scores(
    model: keras.Model, vocabulary: Vocabulary, texts: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Score texts with the Keras model, as the device is to score them.

    Args:
        model: the plain model.
        vocabulary: the run's.
        texts: the texts.

    Returns:
        float32 [texts, classes].
    """
    encoded = [vocabulary.encode(text).ids for text in texts]
    order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
    scores = np.zeros((len(texts), len(vocabulary.labels)), np.float32)
    start = 0
    while start < len(order):
        length = len(encoded[order[start]])
        rows = order[start : start + max(1, BATCH_TOKENS // (length + 64))]
        longest = max(len(encoded[row]) for row in rows) + vocabulary.trailing_padding
        batch = np.zeros((len(rows), longest), np.int32)
        for place, row in enumerate(rows):
            batch[place, : len(encoded[row])] = encoded[row]
        outputs = np.asarray(model(batch, training=False))
        scores[rows] = outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])
        start += len(rows)
    return scores
