"""What the child process does: load the Keras model, write the flatbuffer, score the reference.

TensorFlow is imported here; the parent calls `convert_run` through `child.call`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from runtime.bundle import MODEL_FILE, VOCABULARY_FILE
from runtime.vocabulary import Vocabulary

from ..errors import ConversionError
from ..model.folding import (
    LSTM_KEEPS_ALL,
    LSTM_NOT_FOLDED,
    NO_DIMENSIONS,
    choose_layout,
    rounding_error,
)
from ..model.keras_weights import load_model, take_weights
from ..model.low_rank import centre_table, reduce_dimensions
from ..model.numpy_model import FoldedModel, Longs
from ..model.weights import Weights
from ..model.word_ranking import prune, rank_words
from ..run_folder import RunFolder, read_run
from ..verify.keras_scores import keras_scores, pad_texts
from .graph import Form, build_graph
from .quantize import Ids, quantize
from .recipes import RECIPES
from .repack import repack


def convert_run(
    run: str,
    folder: str,
    reference: str,
    recipe: str,
    layout: str = "conv",
    max_words: int | None = None,
    dimensions: int | None = None,
    own_padding: bool = False,
    fixed_length: bool = False,
    integer_output: bool = False,
) -> Any:
    """Convert a run's model and score its texts with Keras.

    Args:
        run: the run folder.
        folder: where to write `model.tflite` and `vocab.json`.
        reference: the `.npz` to write: float32 [texts, classes] for `dev` and `test`, and
            `dev_kept`, for dev text by what was kept of words and dimensions, in float32.
        recipe: name of the recipe.
        layout: `"conv"`, `"folded"` or `"auto"`.
        max_words: size of the vocabulary to keep; None keeps it whole.
        dimensions: of the word vectors to keep; None keeps them all.
        own_padding: let the graph pad its input by itself and answer in two columns or more, as
            MediaPipe needs it.
        fixed_length: give the graph one length, as a microcontroller needs it.
        integer_output: leave the output of `int8` as int8.

    Returns:
        What the manifest tells of the model: `{"outputs", "length", "layout", "words",
        "dimensions"}`, length null for any, words those of the whole vocabulary.

    Raises:
        RunFolderError: the run folder cannot be converted.
        ConversionError: what was asked for does not go with the model.
    """
    if dimensions is not None and layout == "folded":
        raise ConversionError(NO_DIMENSIONS)
    source, trained, weights = load_run(run)
    vocabulary, words = source.vocabulary, len(source.vocabulary.tokens)
    scores = {
        name: keras_scores(trained, vocabulary, part.texts, input_length(weights, vocabulary))
        for name, part in (("dev", source.dev), ("test", source.test))
    }
    scores["dev_kept"] = scores["dev"]
    everything = weights.table.shape[1]
    if (max_words or words) < words or (dimensions or everything) < everything:
        weights, vocabulary = keep(weights, source, max_words or words, dimensions)
        scores["dev_kept"] = FoldedModel(weights).scores(_encode_dev(source, vocabulary))
    layout = settle_layout(layout, weights)
    padding = vocabulary.trailing_padding
    form = Form(
        length=input_length(weights, vocabulary, fixed_length, 0 if own_padding else padding),
        layout=layout,
        row_bits=RECIPES[recipe].row_bits.get(layout),
        own_padding=padding if own_padding else 0,
        two_columns=own_padding,
    )
    flatbuffer = convert_weights(weights, vocabulary, form, recipe, source, integer_output)
    write_model(Path(folder), flatbuffer, vocabulary)
    np.savez(reference, **scores)
    outputs = int(weights.kernel.shape[1])
    return {
        "outputs": max(2, outputs) if own_padding else outputs,
        "length": form.length,
        "layout": layout,
        "words": words,
        "dimensions": int(weights.table.shape[1]),
    }


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
            raise ConversionError(LSTM_NOT_FOLDED)
        return "conv"
    if layout == "auto":
        shapes = [each.kernel.shape for each in weights.convolutions]
        return choose_layout(weights.table.shape[1], shapes)
    return layout


def load_run(run: str) -> tuple[RunFolder, keras.Model, Weights]:
    """Load a run: its texts, its model, the model's weights; RunFolderError says what is wrong."""
    source = read_run(Path(run))
    trained = load_model(source.model)
    return source, trained, take_weights(trained, len(source.vocabulary.tokens), str(source.model))


def input_length(
    weights: Weights, vocabulary: Vocabulary, fixed: bool = False, padding: int | None = None
) -> int | None:
    """Give the one length of a graph's input, or None for any."""
    if weights.lstm is None and not fixed:
        return None
    return vocabulary.max_tokens + (vocabulary.trailing_padding if padding is None else padding)


def keep(
    weights: Weights,
    source: RunFolder,
    words: int,
    dimensions: int | None,
    ranked: Longs | None = None,
) -> tuple[Weights, Vocabulary]:
    """Keep so many words and dimensions of a model.

    Args:
        weights: the model's.
        source: its run.
        words: size of the vocabulary; as large as the model's keeps it whole.
        dimensions: of the word vectors, or None for all.
        ranked: what `rank` gave, if it is there.

    Returns:
        Weights and vocabulary.

    Raises:
        ConversionError: the model is a `conv-lstm`.
    """
    vocabulary = source.vocabulary
    if weights.lstm is not None:
        raise ConversionError(LSTM_KEEPS_ALL)
    if words < len(vocabulary.tokens):
        chosen = rank(weights, source) if ranked is None else ranked
        weights, vocabulary = prune(weights, vocabulary, chosen, words)
    return weights if dimensions is None else reduce_dimensions(weights, dimensions), vocabulary


def rank(weights: Weights, source: RunFolder) -> Longs:
    """Rank the words of a `conv-pool` run by what dev text loses without them."""
    return rank_words(weights, _encode_dev(source, source.vocabulary))


def _encode_dev(source: RunFolder, vocabulary: Vocabulary) -> list[Longs]:
    """Encode a run's dev text, int64 [length] each, without padding."""
    return [np.array(vocabulary.encode(text).ids, np.int64) for text in source.dev.texts]


def convert_weights(
    weights: Weights,
    vocabulary: Vocabulary,
    form: Form,
    recipe: str,
    source: RunFolder,
    integer_output: bool = False,
) -> bytes:
    """Convert weights to a flatbuffer; the arguments are those of `convert_run`."""
    calibration: Iterator[Ids] = pad_texts(source.calibration.texts, vocabulary, form.length)
    if recipe != "float32":
        weights = _centre(weights, form)
    graph = build_graph(weights, form)
    return repack(quantize(graph, RECIPES[recipe], form.layout, calibration, integer_output))


def _centre(weights: Weights, form: Form) -> Weights:
    """Centre the table, unless training has rounded it to the very bits it will be kept in."""
    centred = centre_table(weights)
    if form.layout == "conv" and form.row_bits is not None:
        tables = (centred.table, weights.table)
        errors = [rounding_error(table, form.row_bits) for table in tables]
        return centred if errors[0] < errors[1] else weights
    return centred


def write_model(folder: Path, flatbuffer: bytes, vocabulary: Vocabulary) -> None:
    """Write `model.tflite` and `vocab.json`."""
    (folder / MODEL_FILE).write_bytes(flatbuffer)
    (folder / VOCABULARY_FILE).write_text(vocabulary.to_json(), "utf-8")
