"""Converts a model to several sizes; runs in the child process, with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from runtime.aliases import Longs
from runtime.vocabulary import SPECIAL_TOKENS, Vocabulary

from ..conversion import CandidateRequest, ConvertedModel
from ..tflite.graph import GraphConfig
from ..tflite.recipes import RECIPES
from ..tflite.tf_worker import (
    convert_weights,
    input_length,
    load_run,
    rank_run_words,
    reduce_model,
    resolve_layout,
)

MIN_VOCABULARY = 256
MAX_SIZES = 3  # vocabulary sizes tried: the largest that fits, its half and its quarter
MANIFEST_BYTES = 3_600  # upper bound of a manifest, without what grows with classes and tokens


def convert_candidates(request: CandidateRequest) -> tuple[ConvertedModel, ...]:
    """Convert a run's model with one recipe and layout to several sizes.

    Raises:
        RunFolderError: the run folder cannot be converted.
        ConversionError: the layout does not fit the model.
    """
    run, _, weights = load_run(request.run)
    vocabulary_size, length = len(run.vocabulary.tokens), input_length(weights, run.vocabulary)
    layout = resolve_layout(request.layout, weights)
    config = GraphConfig(length, layout, RECIPES[request.recipe].row_bits.get(layout))
    prunable = weights.lstm is None
    ranked = rank_run_words(weights, run) if prunable else np.zeros(0, np.int64)
    candidates: list[ConvertedModel] = []
    for dimensions in request.dimensions:
        full_dim = weights.table.shape[1]
        if dimensions is not None and dimensions >= full_dim and len(request.dimensions) > 1:
            continue  # None covers all of them

        @cache
        def convert(size: int, dimensions: int | None = dimensions) -> ConvertedModel:
            reduced, vocabulary = weights, run.vocabulary
            if prunable:
                reduced, vocabulary = reduce_model(weights, run, size, dimensions, ranked)
            return ConvertedModel(
                flatbuffer=convert_weights(reduced, vocabulary, config, request.recipe, run),
                vocabulary=vocabulary,
                layout=layout,
                length=length,
                outputs=int(weights.kernel.shape[1]),
                dimensions=int(reduced.table.shape[1]),
                trained_words=vocabulary_size,
            )

        sizes = [min(vocabulary_size, request.max_words or vocabulary_size)]
        if request.max_words is None and prunable:
            if request.max_bytes is not None:
                available = request.max_bytes - _manifest_bytes(run.vocabulary)
                sizes = [largest_vocabulary(available, convert, run.vocabulary, ranked)]
            halves = (sizes[0] >> halvings for halvings in range(1, MAX_SIZES))
            sizes += [size for size in halves if size >= MIN_VOCABULARY]
        candidates += [convert(size) for size in sizes]
    return tuple(candidates)


def largest_vocabulary(
    max_bytes: int,
    convert: Callable[[int], ConvertedModel],
    vocabulary: Vocabulary,
    ranked: Longs,
) -> int:
    """Find the largest vocabulary whose model and vocabulary file fit.

    Args:
        max_bytes: size of both files.
        convert: converts the model with a vocabulary of a size.
        vocabulary: the whole vocabulary.
        ranked: its ids, most valuable first.

    Returns:
        A vocabulary size; the smallest worth trying if none fits.
    """
    size = len(vocabulary.tokens)
    smallest = min(size, MIN_VOCABULARY)

    def model_bytes(size: int) -> int:
        return len(convert(size).flatbuffer)

    lengths = [len(f'"{vocabulary.tokens[id_]}",'.encode()) for id_ in ranked]
    fixed = len(vocabulary.to_json().encode()) - sum(lengths)
    vocabulary_bytes = fixed + np.concatenate([[0], np.cumsum(lengths)])  # by ranked words kept
    specials = len(SPECIAL_TOKENS)
    while size > smallest and model_bytes(size) + vocabulary_bytes[size - specials] > max_bytes:
        # The cost of a word hardly depends on the size: two or three steps find it.
        bytes_per_word = (model_bytes(size) - model_bytes(smallest)) / (size - smallest)
        sizes = np.arange(smallest, size)
        estimated = model_bytes(size) - bytes_per_word * (size - sizes)
        fitting = sizes[estimated + vocabulary_bytes[sizes - specials] <= max_bytes]
        size = int(fitting.max(initial=smallest))
    return size


def _manifest_bytes(vocabulary: Vocabulary) -> int:
    """Return an upper bound of the manifest's size: a golden text may be as long as any text."""
    return MANIFEST_BYTES + 9 * vocabulary.max_tokens + 130 * len(vocabulary.labels)
