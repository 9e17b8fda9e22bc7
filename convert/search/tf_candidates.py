"""Converts a model to several sizes; runs in the child process, with TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from runtime.text.vocabulary import Vocabulary

from ..conversion import CandidateRequest, ConvertedModel
from ..manifest import vocabulary_files
from ..model.word_ranking import KeptWords
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

MIN_LISTED = 256  # tokens
HASHED_PER_LISTED = 3  # hashed words for each listed token
MAX_STEPS = 4  # in the search for the most words that fit
MAX_SIZES = 3  # vocabulary sizes tried: the largest that fits, its half and its quarter
MANIFEST_BYTES = 3_600  # upper bound of a manifest, without what grows with classes and tokens


Converter = Callable[[int], ConvertedModel]


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

    def hashed_count(size: int) -> int:
        wanted = request.hashed_words
        wanted = HASHED_PER_LISTED * size if wanted is None else wanted
        return min(wanted, vocabulary_size - size)

    for dimensions in request.dimensions:
        full_dim = weights.table.shape[1]
        if dimensions is not None and dimensions >= full_dim and len(request.dimensions) > 1:
            continue  # None covers all of them

        @cache
        def convert(size: int, dimensions: int | None = dimensions) -> ConvertedModel:
            kept = KeptWords(weights, run.vocabulary)
            if prunable:
                kept = reduce_model(weights, run, size, hashed_count(size), dimensions, ranked)
            return ConvertedModel(
                flatbuffer=convert_weights(
                    kept.weights, kept.vocabulary, config, request.recipe, run
                ),
                vocabulary=kept.vocabulary,
                hashed_tokens=kept.hashed_tokens,
                layout=layout,
                length=length,
                outputs=int(weights.kernel.shape[1]),
                dimensions=int(kept.weights.table.shape[1]),
                trained_words=vocabulary_size,
            )

        def total_bytes(size: int, convert: Converter = convert) -> int:
            files = vocabulary_files(convert(size).vocabulary).values()
            return len(convert(size).flatbuffer) + sum(map(len, files))

        sizes = [min(vocabulary_size, request.listed_words or vocabulary_size)]
        if request.listed_words is None and prunable:
            if request.max_bytes is not None:
                available = request.max_bytes - _manifest_bytes(run.vocabulary)
                smallest = min(vocabulary_size, MIN_LISTED)
                sizes = [largest_vocabulary(available, total_bytes, smallest, vocabulary_size)]
            halves = (sizes[0] >> halvings for halvings in range(1, MAX_SIZES))
            sizes += [size for size in halves if size >= MIN_LISTED]
        candidates += [convert(size) for size in sizes]
    return tuple(candidates)


def largest_vocabulary(
    max_bytes: int, total_bytes: Callable[[int], int], smallest: int, largest: int
) -> int:
    """Find the largest number of listed tokens whose files fit.

    Args:
        max_bytes: size of all files.
        total_bytes: size of all files for a number of listed tokens.
        smallest: the smallest number worth trying.
        largest: the largest.

    Returns:
        A number of tokens; the smallest if none fits.
    """
    if total_bytes(largest) <= max_bytes:
        return largest
    fits, exceeds = smallest, largest
    for _ in range(MAX_STEPS):
        # The cost of a word hardly depends on their number: a few steps of interpolation find it.
        bytes_per_word = (total_bytes(exceeds) - total_bytes(fits)) / (exceeds - fits)
        size = fits + int((max_bytes - total_bytes(fits)) / bytes_per_word)
        if not fits < size < exceeds:
            break
        if total_bytes(size) <= max_bytes:
            fits = size
        else:
            exceeds = size
    return fits


def _manifest_bytes(vocabulary: Vocabulary) -> int:
    """Return an upper bound of the manifest's size: a golden text may be as long as any text."""
    return MANIFEST_BYTES + 9 * vocabulary.max_tokens + 130 * len(vocabulary.labels)
