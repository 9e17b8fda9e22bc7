"""What the child process does for a search: one recipe and layout, several sizes of model.

TensorFlow is imported here; the parent calls `convert_candidates` through `child.call`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import MODEL_FILE
from runtime.vocabulary import SPECIAL_TOKENS, Vocabulary

from ..model.numpy_model import Longs
from ..tflite.graph import Form
from ..tflite.recipes import RECIPES
from ..tflite.tf_worker import (
    convert_weights,
    input_length,
    keep,
    load_run,
    rank,
    settle_layout,
    write_model,
)
from ..verify.keras_scores import keras_scores

FEWEST_WORDS = 256
MOST_SIZES = 3  # of vocabulary: the largest that fits, its half and its quarter
MANIFEST_BYTES = 3_600  # more than a manifest takes, but for what grows with classes and tokens


def convert_candidates(
    run: str,
    folder: str,
    recipe: str,
    layout: str,
    dimensions: list[int | None],
    max_words: int | None = None,
    max_bytes: int | None = None,
) -> Any:
    """Convert a run's model by one recipe and layout, to several sizes of table.

    Args:
        run: the run folder.
        folder: where to write a folder for each size, `WORDS-DIMENSIONS`.
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        dimensions: numbers of dimensions to try; null is all.
        max_words: the one size of vocabulary wanted, or None for the largest that fits, its half
            and its quarter.
        max_bytes: what a bundle may hold, or None.

    Returns:
        `{"outputs", "length", "layout", "words", "made"}`: made, names of the folders.

    Raises:
        RunFolderError: the run folder cannot be converted.
        ConversionError: the layout does not go with the model.
    """
    source, _, weights = load_run(run)
    words, length = len(source.vocabulary.tokens), input_length(weights, source.vocabulary)
    layout = settle_layout(layout, weights)
    form = Form(length, layout, RECIPES[recipe].row_bits.get(layout))
    prunable = weights.lstm is None
    ranked = rank(weights, source) if prunable else np.zeros(0, np.int64)
    made = []
    for count in dimensions:
        if count is not None and count >= weights.table.shape[1] and len(dimensions) > 1:
            continue  # all of them are tried already

        @cache
        def make(size: int, count: int | None = count) -> Path:
            fewer, vocabulary = weights, source.vocabulary
            if prunable:
                fewer, vocabulary = keep(weights, source, size, count, ranked)
            target = Path(folder) / f"{size}-{fewer.table.shape[1]}"
            target.mkdir(exist_ok=True)
            flatbuffer = convert_weights(fewer, vocabulary, form, recipe, source)
            write_model(target, flatbuffer, vocabulary)
            return target

        sizes = [min(words, max_words or words)]
        if max_words is None and prunable:
            if max_bytes is not None:
                room = max_bytes - _manifest_bytes(source.vocabulary)
                sizes = [largest_within(room, make, source.vocabulary, ranked)]
            halves = (sizes[0] >> part for part in range(1, MOST_SIZES))
            sizes += [size for size in halves if size >= FEWEST_WORDS]
        made += [make(size).name for size in sizes]
    facts = {"outputs": int(weights.kernel.shape[1]), "length": length, "layout": layout}
    return {**facts, "words": words, "made": made}


def largest_within(
    room: int, make: Callable[[int], Path], vocabulary: Vocabulary, ranked: Longs
) -> int:
    """Find the largest vocabulary whose model and vocabulary file are within so many bytes.

    Args:
        room: the bytes.
        make: makes a candidate of a size.
        vocabulary: the whole one.
        ranked: its ids, the dearest first.

    Returns:
        A size; the smallest worth trying where none is within.
    """
    words = len(vocabulary.tokens)
    least = min(words, FEWEST_WORDS)

    def model_bytes(size: int) -> int:
        return (make(size) / MODEL_FILE).stat().st_size

    lengths = [len(f'"{vocabulary.tokens[id_]}",'.encode()) for id_ in ranked]
    frame = len(vocabulary.to_json().encode()) - sum(lengths)
    files = frame + np.concatenate([[0], np.cumsum(lengths)])  # by the number of ranked words
    tried = words
    while tried > least and model_bytes(tried) + files[tried - len(SPECIAL_TOKENS)] > room:
        # What a word costs is nearly the same everywhere: two or three steps find the size.
        per_word = (model_bytes(tried) - model_bytes(least)) / (tried - least)
        sizes = np.arange(least, tried)
        models = model_bytes(tried) - per_word * (tried - sizes)
        fitting = sizes[models + files[sizes - len(SPECIAL_TOKENS)] <= room]
        tried = int(fitting.max(initial=least))
    return tried


def _manifest_bytes(vocabulary: Vocabulary) -> int:
    """Say what a manifest takes at the most: a golden text is as long as a text may be."""
    return MANIFEST_BYTES + 9 * vocabulary.max_tokens + 130 * len(vocabulary.labels)


def score_dev(run: str, target: str) -> None:
    """Score a run's dev text with Keras.

    Args:
        run: the run folder.
        target: the `.npy` to write: float32 [texts, classes].
    """
    source, trained, weights = load_run(run)
    length = input_length(weights, source.vocabulary)
    np.save(target, keras_scores(trained, source.vocabulary, source.dev.texts, length))
