"""Runs in the child process: loads a run, reduces and converts its model, scores texts with Keras.

Imports TensorFlow; the parent calls these functions through `worker.run_in_child`. A run stays
loaded between calls, because a search converts it many times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import keras
import numpy as np

from glovelite.runtime.aliases import Floats, Ids, Longs
from glovelite.runtime.errors import ConversionError
from glovelite.runtime.text.vocabulary import Vocabulary

from .conversion import ConversionResult, ConvertedModel, ModelFacts
from .model.distillation import fit_convolutions
from .model.keras_weights import load_run_model, read_weights
from .model.reduction import center_table, reduce_dimensions, round_table
from .model.weights import (
    FOLDED_KEEPS_DIMENSIONS,
    LSTM_KEEPS_ALL,
    LSTM_NOT_FOLDED,
    NumpyModel,
    Weights,
    choose_layout,
)
from .model.words import KeptWords, keep_all_words, keep_words, rank_words
from .options import ExportOptions, Form, Recipe
from .run_folder import RunFolder, read_run
from .targets.mediapipe import add_metadata
from .tflite.graph import GraphConfig, build_graph, quantize
from .tflite.tflite_file import check_operators, read_contents, repack
from .verify.spelling import Score, choose_spelling

BATCH_TOKENS = 1 << 16  # ids in a batch: bounds memory for any length
RANGE_TEXTS = 500  # calibration texts from which a calibrated recipe takes its ranges


def pad_texts(texts: Sequence[str], vocabulary: Vocabulary, length: int | None) -> Iterator[Ids]:
    """Encode texts as the device does: int32 [1, length] each, padding included.

    A length of None is what each text needs.
    """
    for text in texts:
        ids = vocabulary.encode(text).ids
        row = np.zeros((1, length or len(ids) + vocabulary.trailing_padding), np.int32)
        row[0, : len(ids)] = ids
        yield row


def _score_texts(
    model: keras.Model, vocabulary: Vocabulary, texts: Sequence[str], length: int | None
) -> Floats:
    """Score texts with the plain Keras model, float32 [texts, classes]."""
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


@dataclass(frozen=True)
class TrainedRun:
    """A loaded run, shared by its conversions.

    Attributes:
        run: the run folder.
        model: its model.
        weights: of its model.
        keras: see `ConversionResult`.
    """

    run: RunFolder
    model: keras.Model
    weights: Weights
    keras: dict[str, Floats]

    @cached_property
    def dev_ids(self) -> list[Longs]:
        """The ids of dev text, int64 [length] each, without padding."""
        return self._encode(self.run.dev.texts)

    @cached_property
    def calibration_ids(self) -> list[Longs]:
        """The ids of calibration text, int64 [length] each, without padding."""
        return self._encode(self.run.calibration.texts)

    @cached_property
    def ranked_words(self) -> Longs:
        """The ids of all words, first those that matter most to the predictions."""
        return rank_words(self.weights, self.dev_ids)

    def _encode(self, texts: Sequence[str]) -> list[Longs]:
        vocabulary = self.run.vocabulary
        return [np.array(vocabulary.encode(text).ids, np.int64) for text in texts]


def convert_run(path: Path, options: ExportOptions) -> ConversionResult:
    """Convert a run's model and score its texts with Keras.

    Raises:
        RunFolderError: the run folder cannot be converted.
        ConversionError: the options do not fit the model, or it would not run on tflite-runtime
            2.14.
    """
    trained = open_run(path)
    form = options.choose_form(len(trained.run.vocabulary.labels))
    recipe = form.recipe
    layout, dimensions = choose_layout_and_dimensions(trained.weights, options, form)
    kept = reduce_model(trained, form, layout, dimensions)
    score = _make_score(trained, kept.weights)
    kept = _correct_spelling(kept, trained.run, options, score)
    weights, vocabulary = kept.weights, kept.vocabulary
    padding = vocabulary.trailing_padding
    input_padding, appended_padding = (0, padding) if options.mediapipe else (padding, 0)
    config = GraphConfig(
        length=_input_length(weights, vocabulary, options.emit_c, input_padding),
        layout=layout,
        row_bits=recipe.row_bits,
        appended_padding=appended_padding,
        two_columns=options.mediapipe,
    )
    plain = _convert_weights(kept, config, recipe, trained.run, options.integer_output)
    flatbuffer = plain
    if options.mediapipe:
        flatbuffer = add_metadata(plain, vocabulary, kept.hashed_tokens)
    contents = read_contents(flatbuffer)
    check_operators(contents.operators)
    outputs = weights.outputs
    model = ConvertedModel(
        flatbuffer=flatbuffer,
        plain_bytes=len(plain),
        contents=contents,
        vocabulary=vocabulary,
        hashed_tokens=kept.hashed_tokens,
        recipe=recipe.name,
        layout=layout,
        dimensions=int(weights.table.shape[1]),
        length=config.length,
        outputs=max(2, outputs) if options.mediapipe else outputs,
        output_dtype="int8" if options.integer_output else "float32",
    )
    dev_kept = trained.keras["dev"]
    if weights is not trained.weights or vocabulary.spelling is not None:
        dev_kept = score(vocabulary, trained.run.dev.texts)
    return ConversionResult(model, trained.keras, dev_kept)


def describe_run(path: Path) -> ModelFacts:
    """Return what a search needs to know about a run's model.

    Raises:
        RunFolderError: the run folder is incomplete or damaged.
    """
    trained = open_run(path)
    weights = trained.weights
    return ModelFacts(
        ranked=trained.ranked_words if weights.max_pooled else np.zeros(0, np.int64),
        dimensions=int(weights.table.shape[1]),
        kernels=tuple((len(kernel), kernel.shape[2]) for kernel in weights.kernels),
        outputs=weights.outputs,
        wide_columns=0 if weights.wide is None else weights.wide.shape[1],
        feature_columns=int(weights.kernel.shape[1]),
        dev=trained.keras["dev"],
    )


def open_run(path: Path) -> TrainedRun:
    """Load a run and score its texts with Keras; the last one is kept.

    Raises:
        RunFolderError: the run folder is incomplete or damaged.
    """
    files = sorted(path.glob("*"))
    versions = ((file.name, file.stat().st_mtime_ns) for file in files if file.is_file())
    return _open_run(path, tuple(versions))


@lru_cache(maxsize=1)
def _open_run(path: Path, _versions: tuple[tuple[str, int], ...]) -> TrainedRun:
    """Load a run; another version of its files is another run."""
    run = read_run(path)
    vocabulary = run.vocabulary
    model = load_run_model(run.model, vocabulary)
    weights = read_weights(model, vocabulary, str(run.model))
    length = _input_length(weights, vocabulary)
    keras_scores = {
        name: run.add_ngrams(_score_texts(model, vocabulary, part.texts, length), part.texts)
        for name, part in run.held_out.items()
    }
    return TrainedRun(run, model, weights, keras_scores)


def choose_layout_and_dimensions(
    weights: Weights, options: ExportOptions, form: Form
) -> tuple[str, int | None]:
    """Return the layout, and the dimensions to keep or None for all.

    Raises:
        ConversionError: the options do not fit the model.
    """
    if not weights.max_pooled:
        if options.layout == "folded":
            raise ConversionError(LSTM_NOT_FOLDED)
        if options.dimensions is not None:
            raise ConversionError(LSTM_KEEPS_ALL)
        return "conv", None
    if options.layout == "folded":
        if options.dimensions is not None:
            raise ConversionError(FOLDED_KEEPS_DIMENSIONS)
        return "folded", None
    dimensions = form.dimensions
    if options.layout == "auto":
        shapes = [kernel.shape for kernel in weights.kernels]
        columns = dimensions or weights.table.shape[1]
        if choose_layout(columns, shapes) == "folded":
            return "folded", None
    return "conv", dimensions


def reduce_model(trained: TrainedRun, form: Form, layout: str, dimensions: int | None) -> KeptWords:
    """Reduce a model to the words, dimensions and bits that it is stored with.

    Returns:
        The trained model itself if nothing is reduced.
    """
    weights, vocabulary = trained.weights, trained.run.vocabulary
    kept = keep_all_words(weights, vocabulary)
    listed, hashed = form.listed_words, form.hashed_words
    if weights.max_pooled and not vocabulary.is_of_pieces and listed < len(vocabulary.tokens):
        kept = keep_words(weights, vocabulary, trained.ranked_words, listed, hashed)
    reduced = kept.weights
    if dimensions is not None:
        reduced = reduce_dimensions(reduced, dimensions)
    if layout == "conv" and form.recipe.row_bits is not None:
        reduced = round_table(reduced, form.recipe.row_bits)
    if reduced is weights or not weights.max_pooled:
        return replace(kept, weights=reduced)
    fitted = fit_convolutions(reduced, weights, kept.ids, trained.calibration_ids)
    return replace(kept, weights=fitted)


def _make_score(trained: TrainedRun, weights: Weights) -> Score:
    """Return a function that scores texts with the reduced weights and a vocabulary."""
    score = _score_distinct(weights) if weights.max_pooled else _score_by_keras(trained)
    return lambda vocabulary, texts: trained.run.add_ngrams(score(vocabulary, texts), texts)


def _score_by_keras(trained: TrainedRun) -> Score:
    """Return a function that scores texts with the trained model, which is never reduced."""
    length = _input_length(trained.weights, trained.run.vocabulary)
    return lambda vocabulary, texts: _score_texts(trained.model, vocabulary, texts, length)


def _score_distinct(weights: Weights) -> Score:
    """Return a function that scores texts in numpy, those with the same ids once."""
    numpy_model, found = NumpyModel(weights), dict[tuple[int, ...], Floats]()

    def score(vocabulary: Vocabulary, texts: Sequence[str]) -> Floats:
        keys = [tuple(vocabulary.encode(text).ids) for text in texts]
        new = [key for key in dict.fromkeys(keys) if key not in found]
        found.update(zip(new, numpy_model.scores([np.array(key, np.int64) for key in new])))
        return np.array([found[key] for key in keys])

    return score


def _correct_spelling(
    kept: KeptWords, run: RunFolder, options: ExportOptions, score: Score
) -> KeptWords:
    """Choose which unknown words are looked up by their spelling, if the target can do that."""
    if not options.corrects_spelling:
        return kept
    dev, thresholds = run.dev, run.metrics.thresholds
    spelling = choose_spelling(kept.vocabulary, dev.texts, dev.targets, score, thresholds)
    return replace(kept, vocabulary=replace(kept.vocabulary, spelling=spelling))


def _input_length(
    weights: Weights, vocabulary: Vocabulary, fixed: bool = False, padding: int | None = None
) -> int | None:
    """Return the only input length of a graph, or None for any."""
    if weights.max_pooled and not fixed:
        return None
    return vocabulary.max_tokens + (vocabulary.trailing_padding if padding is None else padding)


def _convert_weights(
    kept: KeptWords, config: GraphConfig, recipe: Recipe, run: RunFolder, integer_output: bool
) -> bytes:
    """Convert weights to a flatbuffer."""
    texts = run.calibration.texts[:RANGE_TEXTS]
    calibration = pad_texts(texts, kept.vocabulary, config.length)
    weights = kept.weights
    if recipe.weight_bytes < 4 and (config.layout == "folded" or recipe.row_bits is None):
        weights = center_table(weights)  # else it was rounded, which includes this
    return repack(quantize(build_graph(weights, config), recipe, calibration, integer_output))
