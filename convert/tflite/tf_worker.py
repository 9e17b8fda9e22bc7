"""What the child process does: load the Keras model, convert it, score the reference.

Imports TensorFlow; the parent calls these functions through `worker.run_in_child`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from runtime.aliases import Floats, Ids, Longs
from runtime.io.row_quantization import quantization_error
from runtime.text.vocabulary import Vocabulary

from ..conversion import ConversionRequest, ConversionResult, ConvertedModel, ReferenceScores
from ..errors import ConversionError
from ..model.folding import (
    FOLDED_KEEPS_DIMENSIONS,
    LSTM_KEEPS_ALL,
    LSTM_NOT_FOLDED,
    choose_layout,
)
from ..model.keras_weights import load_model, read_weights
from ..model.low_rank import center_table, reduce_dimensions
from ..model.numpy_model import NumpyModel
from ..model.weights import Weights
from ..model.word_ranking import KeptWords, keep_words, rank_words
from ..run_folder import RunFolder, read_run
from ..verify.keras_scores import keras_scores, pad_texts
from .graph import GraphConfig, build_graph
from .quantize import quantize
from .recipes import RECIPES
from .tflite_file import repack


def convert_run(request: ConversionRequest) -> ConversionResult:
    """Convert a run's model and score its texts with Keras.

    Raises:
        RunFolderError: the run folder cannot be converted.
        ConversionError: the request does not fit the model.
    """
    if request.dimensions is not None and request.layout == "folded":
        raise ConversionError(FOLDED_KEEPS_DIMENSIONS)
    run, trained, weights = load_run(request.run)
    vocabulary, trained_words = run.vocabulary, len(run.vocabulary.tokens)
    length = input_length(weights, vocabulary)
    dev, test = (keras_scores(trained, vocabulary, t.texts, length) for t in (run.dev, run.test))
    dev_kept = dev
    full_dim = weights.table.shape[1]
    listed = trained_words if weights.lstm is not None else request.listed_words
    kept = KeptWords(weights, vocabulary)
    if listed < trained_words or (request.dimensions or full_dim) < full_dim:
        kept = reduce_model(weights, run, listed, request.hashed_words, request.dimensions)
        weights, vocabulary = kept.weights, kept.vocabulary
        dev_kept = NumpyModel(weights).scores(_encode_dev(run, vocabulary))
    layout = resolve_layout(request.layout, weights)
    padding = vocabulary.trailing_padding
    input_padding = 0 if request.for_mediapipe else padding
    config = GraphConfig(
        length=input_length(weights, vocabulary, request.fixed_length, input_padding),
        layout=layout,
        row_bits=RECIPES[request.recipe].row_bits.get(layout),
        appended_padding=padding if request.for_mediapipe else 0,
        two_columns=request.for_mediapipe,
    )
    flatbuffer = convert_weights(
        weights, vocabulary, config, request.recipe, run, request.integer_output
    )
    outputs = int(weights.kernel.shape[1])
    model = ConvertedModel(
        flatbuffer=flatbuffer,
        vocabulary=vocabulary,
        hashed_tokens=kept.hashed_tokens,
        layout=layout,
        length=config.length,
        outputs=max(2, outputs) if request.for_mediapipe else outputs,
        dimensions=int(weights.table.shape[1]),
        trained_words=trained_words,
    )
    return ConversionResult(model, ReferenceScores(dev, test, dev_kept))


def score_dev(run_path: Path) -> Floats:
    """Score a run's dev text with Keras, float32 [texts, classes]."""
    run, trained, weights = load_run(run_path)
    length = input_length(weights, run.vocabulary)
    return keras_scores(trained, run.vocabulary, run.dev.texts, length)


def resolve_layout(layout: str, weights: Weights) -> str:
    """Return `"conv"` or `"folded"` for `"conv"`, `"folded"` or `"auto"`.

    Raises:
        ConversionError: an LSTM cannot be folded.
    """
    if weights.lstm is not None:
        if layout == "folded":
            raise ConversionError(LSTM_NOT_FOLDED)
        return "conv"
    if layout == "auto":
        shapes = [each.kernel.shape for each in weights.convolutions]
        return choose_layout(weights.table.shape[1], shapes)
    return layout


def load_run(path: Path) -> tuple[RunFolder, keras.Model, Weights]:
    """Load a run: its texts, its model and the model's weights.

    Raises:
        RunFolderError: the run folder is incomplete or damaged.
    """
    run = read_run(path)
    trained = load_model(run.model)
    return run, trained, read_weights(trained, len(run.vocabulary.tokens), str(run.model))


def input_length(
    weights: Weights, vocabulary: Vocabulary, fixed: bool = False, padding: int | None = None
) -> int | None:
    """Return the only input length of a graph, or None for any."""
    if weights.lstm is None and not fixed:
        return None
    return vocabulary.max_tokens + (vocabulary.trailing_padding if padding is None else padding)


def reduce_model(
    weights: Weights,
    run: RunFolder,
    listed: int,
    hashed: int,
    dimensions: int | None,
    ranked: Longs | None = None,
) -> KeptWords:
    """Keep a part of a model's words and dimensions.

    Args:
        weights: of the model.
        run: its run.
        listed: tokens to list.
        hashed: further words to hash.
        dimensions: dimensions of the word vectors to keep, or None for all.
        ranked: the result of `rank_run_words`, if it is known.

    Raises:
        ConversionError: the model is a `conv-lstm`.
    """
    if weights.lstm is not None:
        raise ConversionError(LSTM_KEEPS_ALL)
    kept = KeptWords(weights, run.vocabulary)
    if listed < len(run.vocabulary.tokens):
        chosen = rank_run_words(weights, run) if ranked is None else ranked
        kept = keep_words(weights, run.vocabulary, chosen, listed, hashed)
    if dimensions is None:
        return kept
    return replace(kept, weights=reduce_dimensions(kept.weights, dimensions))


def rank_run_words(weights: Weights, run: RunFolder) -> Longs:
    """Rank the words of a `conv-pool` run by what dev text loses without them."""
    return rank_words(weights, _encode_dev(run, run.vocabulary))


def convert_weights(
    weights: Weights,
    vocabulary: Vocabulary,
    config: GraphConfig,
    recipe: str,
    run: RunFolder,
    integer_output: bool = False,
) -> bytes:
    """Convert weights to a flatbuffer."""
    calibration: Iterator[Ids] = pad_texts(run.calibration.texts, vocabulary, config.length)
    if recipe != "float32":
        weights = _center(weights, config)
    graph = build_graph(weights, config)
    return repack(quantize(graph, RECIPES[recipe], config.layout, calibration, integer_output))


def _encode_dev(run: RunFolder, vocabulary: Vocabulary) -> list[Longs]:
    """Encode a run's dev text, int64 [length] each, without padding."""
    return [np.array(vocabulary.encode(text).ids, np.int64) for text in run.dev.texts]


def _center(weights: Weights, config: GraphConfig) -> Weights:
    """Center the table, unless training rounded it to the bits in which it is stored."""
    centered = center_table(weights)
    if config.layout == "conv" and config.row_bits is not None:
        tables = (centered.table, weights.table)
        errors = [quantization_error(table, config.row_bits) for table in tables]
        return centered if errors[0] < errors[1] else weights
    return centered
