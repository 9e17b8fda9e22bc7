"""Builds `model.bin`, which engines in other languages read in place.

docs/formats.md has the format: a header, a table of sections, the sections. Words come with an
index, so that nothing is built at the start; numbers that are read often are stored as float32, so
that nothing is converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any
from zlib import crc32

import numpy as np

from glovelite.runtime.aliases import Array, Floats
from glovelite.runtime.bundle import Bundle
from glovelite.runtime.errors import EngineError
from glovelite.runtime.ngrams import MAX_COLUMNS, NgramWeights
from glovelite.runtime.numpy_engine.interpreter import Interpreter
from glovelite.runtime.self_test import read_golden_texts
from glovelite.runtime.text.spelling import MAX_LETTERS
from glovelite.runtime.text.tokenizer import MAX_MARKS, UNICODE_VOCABULARY
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS

from ..model.reduction import QuantizedRows, dequantize_rows
from ..model.weights import Convolution, NumpyModel, Weights
from .graph_weights import StoredWeights, read_weights

MODEL_MAGIC, MODEL_VERSION = b"GLMB", 1
ALIGNMENT = 16
FILTER_BLOCK, COLUMN_BLOCK = 8, 16  # filters and columns are padded to multiples by zeros
_HEADER, _SECTION = Struct("<4sIIIII8x"), Struct("<III4x")
CHECKED_FROM = 16  # the checksum covers everything from here on
_FNV_OFFSET, _FNV_PRIME, _WORD = 2166136261, 16777619, 0xFFFFFFFF
WORDS, WORDS_AND_PUNCTUATION, PIECES = range(3)  # tokenizers
MULTI_LABEL, SOFTMAX, FOLDED = 1, 2, 4  # flags
_RUN_CHARACTERS, _NGRAM_SUMS = 2 * MAX_MARKS + 8, MAX_COLUMNS  # MAX_RUN and sums of glovelite.c
MAX_DIFFERENCE = 1e-4  # of a golden text's probability from the numpy engine's


class Section(IntEnum):
    """What a section holds."""

    SETTINGS = 1
    LABELS = 2
    TOKEN_STARTS = 3
    TOKENS = 4
    TOKEN_INDEX = 5
    LEVELS = 6
    HASHED_KEYS = 7
    HASHED_IDS = 8
    ROWS = 9
    ROW_SCALES = 10
    KERNEL_SHAPES = 11
    KERNELS = 12
    FEATURE_BIAS = 13
    LOGIT_WEIGHTS = 14
    LOGIT_BIAS = 15
    WIDE = 16
    WIDE_SCALES = 17
    THRESHOLDS = 18
    NGRAM_BIAS = 19
    NGRAM_SCALES = 20
    NGRAM_MIXING = 21
    NGRAM_VALUES = 22
    LETTERS = 23
    MIXING = 24


@dataclass(frozen=True)
class ModelFile:
    """The content of `model.bin`.

    Attributes:
        content: its bytes.
        sections: name of each section and its bytes, without those that align the next one.
        buffer_bytes: memory that the C engine needs to run it, without a cache of words.
    """

    content: bytes
    sections: dict[str, int]
    buffer_bytes: int


def build_model_file(bundle: Bundle) -> ModelFile:
    """Build `model.bin` of a bundle; equal bundles give equal bytes.

    Raises:
        EngineError: an engine that reads the file cannot run the model; the message says why.
        BundleDamagedError: the bundle has no golden texts to check the file with.
    """
    return pack_model(bundle, read_stored(bundle))


def read_stored(bundle: Bundle) -> StoredWeights:
    """Read a bundle's weights, checked with its golden texts; raises as `build_model_file`."""
    _check_kind(bundle)
    try:
        weights = read_weights(bundle.model)
        _check_weights(bundle, weights)
    except (ValueError, IndexError) as error:
        raise EngineError(f"{bundle.path}: the model cannot be read back: {error}") from None
    return weights


def pack_model(bundle: Bundle, weights: StoredWeights) -> ModelFile:
    """Return the file of weights with everything else that a bundle holds."""
    sections = dict(_make_sections(bundle, weights))
    sizes = {kind.name: len(part) for kind, part in sections.items()}
    return ModelFile(_join(sections), sizes, _count_buffer_bytes(bundle, weights))


def _count_buffer_bytes(bundle: Bundle, weights: StoredWeights) -> int:
    """Return what `glovelite_buffer_size` of the C engine returns, for buffers of constant size."""
    tokens, labels, outputs = bundle.vocabulary.tokens, bundle.vocabulary.labels, len(weights.bias)
    longest = max(len(token.encode()) for token in tokens)
    if bundle.vocabulary.spelling is not None:
        longest = max(longest, 4 * MAX_LETTERS)
    prefixes = 0
    if bundle.vocabulary.is_of_pieces:
        characters = max(map(len, tokens[len(SPECIAL_TOKENS) :]), default=1)
        longest, prefixes = 4 * characters + 4, 2 * (characters + 1)
    filters = [_pad_count(count) for _, count in weights.shapes]
    columns = sum(taps * count for (taps, _), count in zip(weights.shapes, filters))
    columns += -columns % COLUMN_BLOCK
    taps = max(taps for taps, _ in weights.shapes)
    shared = 0 if weights.mixing is None else _pad_count(len(weights.mixing))
    words = (_RUN_CHARACTERS, prefixes, len(labels), len(labels), outputs, outputs, shared)
    floats = (outputs + _NGRAM_SUMS, weights.rows.columns, sum(filters), columns, taps * columns)
    return sum(_align(4 * count) for count in words + floats) + _align(longest) + ALIGNMENT


def _check_kind(bundle: Bundle) -> None:
    """Raise EngineError for a bundle that no engine runs."""
    recipe, architecture = (bundle.manifest.get(name) for name in ("recipe", "architecture"))
    if architecture == "conv-lstm":
        raise EngineError(
            f"{bundle.path} is a conv-lstm model, which only a TFLite interpreter runs: train "
            "with --architecture conv-pool"
        )
    if recipe == "int8":
        raise EngineError(
            f"{bundle.path} is of the recipe int8, whose arithmetic is TFLite's own: export it "
            "with --quantize dynamic or int4, which are as small"
        )
    version = bundle.vocabulary.format
    if version < UNICODE_VOCABULARY:
        raise EngineError(
            f"{bundle.path} has vocab.json format {version}, whose tokens depend on the "
            "platform's Unicode: train it again with this version"
        )


def _check_weights(bundle: Bundle, weights: StoredWeights) -> None:
    """Raise ValueError unless weights give what the model gives for the golden texts."""
    vocabulary = bundle.vocabulary
    if len(weights.rows.values) < len(vocabulary.tokens):
        raise ValueError("its table has fewer rows than the vocabulary has tokens")
    if len(weights.bias) not in (vocabulary.outputs, len(vocabulary.labels)):
        raise ValueError("its outputs are not those of the labels")
    if weights.wide is not None and weights.wide.values[0].any():
        raise ValueError("its padding has a weight of its own")
    if vocabulary.trailing_padding < max(taps for taps, _ in weights.shapes):
        raise ValueError("a window is longer than the padding after a text")
    texts = [golden.ids for golden in read_golden_texts(bundle)]
    used = np.unique(np.array([0, *(id_ for ids in texts for id_ in ids)]))
    found = NumpyModel(select_weights(weights, used, vocabulary.multi_label)).scores(
        [np.searchsorted(used, np.array(ids, np.int64)) for ids in texts]
    )
    interpreter = Interpreter(bundle.model)
    for ids, probabilities in zip(texts, found):
        length = bundle.fixed_length or len(ids) + vocabulary.trailing_padding
        padded = np.zeros((1, length), np.int32)
        padded[0, : len(ids)] = ids
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [1, length])
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], padded)
        interpreter.invoke()
        (expected,) = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        difference = np.abs(probabilities[-len(expected) :] - expected).max()
        if not difference <= MAX_DIFFERENCE:
            raise ValueError(f"a golden text differs by {difference:.4f}")


def select_weights(weights: StoredWeights, ids: Array, multi_label: bool) -> Weights:
    """Return a model of some of its words as real numbers."""
    rows = weights.rows
    scales = np.ones(len(ids), np.float32) if rows.scales is None else rows.scales[ids]
    if rows.bits <= 8:
        quantized = QuantizedRows(rows.values[ids], scales[:, None], rows.columns, rows.bits)
        table = dequantize_rows(quantized)
    else:
        table = rows.values[ids].astype(np.float32)
    kernels = weights.kernels
    if not kernels:  # each column of the table is a product: a kernel that only picks them
        picked, column = [], 0
        for taps, filters in weights.shapes:
            part = np.eye(rows.columns, dtype=np.float32)[:, column : column + taps * filters]
            picked.append(part.reshape(-1, taps, filters).swapaxes(0, 1))
            column += taps * filters
        kernels = tuple(picked)
    ends = np.cumsum([filters for _, filters in weights.shapes])[:-1]
    biases = np.split(weights.feature_bias, ends)
    wide = None
    if weights.wide is not None:
        wide = weights.wide.values[ids].astype(np.float32)
        wide = wide if weights.wide.scales is None else wide * weights.wide.scales
    convolutions = tuple(Convolution(kernel, bias) for kernel, bias in zip(kernels, biases))
    return Weights(
        table,
        convolutions,
        weights.kernel,
        weights.bias,
        wide=wide,
        mixing=weights.mixing,
        multi_label=multi_label,
    )


def _make_sections(bundle: Bundle, weights: StoredWeights) -> Iterator[tuple[Section, bytes]]:
    """Yield the sections, without those that the bundle has no use for."""
    vocabulary, slots = bundle.vocabulary, _count_slots(len(bundle.vocabulary.tokens))
    yield Section.SETTINGS, _pack_settings(bundle, weights, slots)
    yield Section.LABELS, _pack_strings([f"{label}\0" for label in vocabulary.labels])
    starts, tokens = _split_strings(vocabulary.tokens)
    yield Section.TOKEN_STARTS, starts
    yield Section.TOKENS, tokens
    yield Section.TOKEN_INDEX, _index_tokens(vocabulary.tokens, slots)
    if vocabulary.familiarity is not None:
        yield Section.LEVELS, bytes(vocabulary.familiarity.listed)
    if vocabulary.hashed is not None:
        yield Section.HASHED_KEYS, _pack(vocabulary.hashed.keys, "<u4")
        yield Section.HASHED_IDS, _pack(vocabulary.hashed.ids, "<u2")
    if vocabulary.spelling is not None:
        yield Section.LETTERS, _pack([*map(ord, vocabulary.spelling.letters)], "<u4")
    yield from _weight_sections(weights)
    yield Section.THRESHOLDS, _pack(_list_thresholds(bundle), "<f8")
    if bundle.ngrams is not None:
        yield Section.NGRAM_BIAS, _pack(bundle.ngrams.bias, "<f4")
        yield Section.NGRAM_SCALES, _pack(bundle.ngrams.scales, "<f4")
        if bundle.ngrams.mixing is not None:
            yield Section.NGRAM_MIXING, _pack(bundle.ngrams.mixing, "<f4")
        yield Section.NGRAM_VALUES, bundle.ngrams.values.tobytes()


def _pack_settings(bundle: Bundle, weights: StoredWeights, slots: int) -> bytes:
    """Return the numbers that sizes and arithmetic depend on."""
    vocabulary, abstention = bundle.vocabulary, bundle.abstention
    tokenizer = WORDS_AND_PUNCTUATION if vocabulary.tokenizer.punctuation else WORDS
    wide, penalty, spelling = weights.wide, abstention.familiarity, vocabulary.spelling
    flags = MULTI_LABEL * vocabulary.multi_label | SOFTMAX * weights.softmax
    flags |= FOLDED * (not weights.kernels)
    integers = (
        PIECES if vocabulary.is_of_pieces else tokenizer,
        vocabulary.max_tokens,
        len(vocabulary.tokens),
        len(vocabulary.labels),
        len(weights.bias),
        flags,
        weights.rows.bits,
        weights.rows.columns,
        len(weights.shapes),
        0 if wide is None else 8 * wide.values.itemsize,
        vocabulary.hashed_count,
        slots,
        *_ngram_settings(bundle.ngrams),
        *((0, 0) if spelling is None else (spelling.shortest, len(spelling.letters))),
    )
    reals = (
        abstention.known,
        0.0 if penalty is None else penalty.typical,
        0.0 if penalty is None else penalty.penalty,
        0.0 if vocabulary.familiarity is None else vocabulary.familiarity.hashed,
    )
    return _pack(integers, "<u4") + _pack(reals, "<f8")


def _ngram_settings(ngrams: NgramWeights | None) -> tuple[int, int, int, int]:
    if ngrams is None:
        return 0, 0, 0, 0
    return len(ngrams.values), ngrams.longest, ngrams.max_characters, len(ngrams.scales)


def _list_thresholds(bundle: Bundle) -> Sequence[float]:
    """Return for each label where it is given, or where a single-label bundle relies on it."""
    rule = bundle.abstention
    if bundle.vocabulary.multi_label:
        return (*bundle.thresholds, rule.probability)
    thresholds = [rule.labels.get(label, rule.probability) for label in bundle.vocabulary.labels]
    return (*thresholds, rule.probability)


def _weight_sections(weights: StoredWeights) -> Iterator[tuple[Section, bytes]]:
    rows = weights.rows
    yield Section.ROWS, rows.values.tobytes()
    if rows.scales is not None:
        yield Section.ROW_SCALES, _pack(rows.scales, "<f4")
    yield Section.KERNEL_SHAPES, _pack(weights.shapes, "<u4")
    if weights.kernels:
        yield Section.KERNELS, _pack(_block_kernels(weights.kernels), "<f4")
    yield Section.FEATURE_BIAS, _pack(_pad_features(weights.feature_bias, weights.shapes), "<f4")
    padded = np.array([_pad_features(column, weights.shapes) for column in weights.kernel.T])
    yield Section.LOGIT_WEIGHTS, _pack(padded, "<f4")
    yield Section.LOGIT_BIAS, _pack(weights.bias, "<f4")
    wide = weights.wide
    if wide is not None:
        yield Section.WIDE, wide.values.tobytes()
        if wide.scales is not None:
            scales = np.broadcast_to(wide.scales, wide.values.shape[1:])
            yield Section.WIDE_SCALES, _pack(scales, "<f4")
    if weights.mixing is not None:
        yield Section.MIXING, _pack(_pad_shared(weights.mixing), "<f4")


def _block_kernels(kernels: Sequence[Floats]) -> Floats:
    """Return kernels as blocks of columns: float32 [blocks, dimensions, COLUMN_BLOCK].

    The columns are taps × filters of each kernel, its filters padded.
    """
    columns = []
    for kernel in kernels:
        padding = -kernel.shape[2] % FILTER_BLOCK
        padded = np.pad(kernel, ((0, 0), (0, 0), (0, padding)))
        columns.append(padded.swapaxes(0, 1).reshape(kernel.shape[1], -1))
    joined = np.concatenate(columns, axis=1)
    joined = np.pad(joined, ((0, 0), (0, -joined.shape[1] % COLUMN_BLOCK)))
    blocked: Floats = joined.reshape(len(joined), -1, COLUMN_BLOCK).swapaxes(0, 1)
    return blocked


def _pad_features(values: Floats, shapes: Sequence[tuple[int, int]]) -> Floats:
    """Return a value for each feature, with zeros for the padding of each kernel's filters."""
    parts = np.split(values, np.cumsum([filters for _, filters in shapes])[:-1])
    return np.concatenate([np.pad(part, (0, -len(part) % FILTER_BLOCK)) for part in parts])


def _pad_count(count: int) -> int:
    """Return a number of filters or of shared columns with their padding."""
    return count + -count % FILTER_BLOCK


def _pad_shared(mixing: Floats) -> Floats:
    """Return the weights of each output, with zeros for the padding: [outputs, shared columns]."""
    padded: Floats = np.pad(mixing.T, ((0, 0), (0, -len(mixing) % FILTER_BLOCK)))
    return padded


def _count_slots(tokens: int) -> int:
    """Return the size of the index of tokens: a power of two that leaves a quarter empty."""
    return 1 << (tokens + tokens // 3).bit_length()


def _index_tokens(tokens: Sequence[str], slots: int) -> bytes:
    """Return a table of ids by the CRC-32 of their tokens; 0 is an empty slot.

    A token is in the slot of its CRC-32 modulo the number of slots, or if that is taken in the next
    one that was empty.
    """
    index = np.zeros(slots, "<u2" if len(tokens) <= 1 << 16 else "<u4")
    for id_ in range(len(SPECIAL_TOKENS), len(tokens)):
        slot = crc32(tokens[id_].encode()) % slots
        while index[slot]:
            slot = (slot + 1) % slots
        index[slot] = id_
    return index.tobytes()


def _split_strings(strings: Sequence[str]) -> tuple[bytes, bytes]:
    """Return where each string starts and the last one ends, and the strings in UTF-8."""
    encoded = [string.encode() for string in strings]
    ends = np.cumsum([0, *map(len, encoded)])
    return _pack(ends, "<u4"), b"".join(encoded)


def _pack_strings(strings: Sequence[str]) -> bytes:
    return b"".join(_split_strings(strings))


def _pack(values: Any, dtype: str) -> bytes:
    return np.asarray(values).astype(dtype).tobytes()


def _join(sections: dict[Section, bytes]) -> bytes:
    """Return the file: header, table of sections, sections."""
    position = _align(_HEADER.size + _SECTION.size * len(sections))
    table, parts = [], []
    for kind, content in sections.items():
        table.append(_SECTION.pack(kind, position, len(content)))
        parts.append(content.ljust(_align(len(content)), b"\0"))
        position += len(parts[-1])
    entries = b"".join(table)
    body = entries.ljust(_align(len(entries)), b"\0") + b"".join(parts)
    fields = (MODEL_VERSION, position)
    header = _HEADER.pack(MODEL_MAGIC, *fields, 0, len(sections), 0)
    checked = header[CHECKED_FROM:] + body
    return _HEADER.pack(MODEL_MAGIC, *fields, checksum(checked), len(sections), 0) + body


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def checksum(content: bytes) -> int:
    """Return the checksum of the file from `CHECKED_FROM` on: FNV-1a over words of 32 bits."""
    hash_ = _FNV_OFFSET
    for word in np.frombuffer(content, "<u4").tolist():
        hash_ = (hash_ ^ word) * _FNV_PRIME & _WORD
    return hash_
