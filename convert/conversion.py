"""Requests to the child process that converts, and its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.aliases import Floats
from runtime.text.vocabulary import Vocabulary

from .options import DEFAULT_HASHED_WORDS, DEFAULT_LISTED_WORDS


@dataclass(frozen=True)
class ConversionRequest:
    """A model to convert.

    Attributes:
        run: the run folder.
        recipe: name of the recipe.
        layout: `"conv"`, `"folded"` or `"auto"`.
        listed_words: tokens to list.
        hashed_words: further words to hash.
        dimensions: dimensions of the word vectors to keep; None keeps all.
        for_mediapipe: let the graph append its padding and output at least two columns, as
            MediaPipe needs it.
        fixed_length: give the graph one input length, as microcontrollers need it.
        integer_output: leave the output of `int8` as int8.
    """

    run: Path
    recipe: str
    layout: str = "conv"
    listed_words: int = DEFAULT_LISTED_WORDS
    hashed_words: int = DEFAULT_HASHED_WORDS
    dimensions: int | None = None
    for_mediapipe: bool = False
    fixed_length: bool = False
    integer_output: bool = False


@dataclass(frozen=True)
class ConvertedModel:
    """A converted model.

    Attributes:
        flatbuffer: the TFLite model.
        vocabulary: the vocabulary that was kept, with the index of hashed words.
        hashed_tokens: the words in that index, most valuable first.
        layout: `"conv"` or `"folded"`.
        length: ids of the input, or None for any.
        outputs: columns of the output.
        dimensions: of the word vectors before folding.
        trained_words: size of the whole vocabulary.
    """

    flatbuffer: bytes
    vocabulary: Vocabulary
    hashed_tokens: tuple[str, ...]
    layout: str
    length: int | None
    outputs: int
    dimensions: int
    trained_words: int


@dataclass(frozen=True)
class ReferenceScores:
    """Probabilities of the Keras model, float32 [texts, classes].

    Attributes:
        dev: of dev text.
        test: of test text.
        dev_kept: of dev text, in float32 with the words and dimensions that were kept.
    """

    dev: Floats
    test: Floats
    dev_kept: Floats


@dataclass(frozen=True)
class ConversionResult:
    """A converted model and the reference for its predictions."""

    model: ConvertedModel
    reference: ReferenceScores


@dataclass(frozen=True)
class CandidateRequest:
    """Several sizes of a model to convert with one recipe and layout.

    Attributes:
        run: the run folder.
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        dimensions: numbers of dimensions to try; None is all.
        listed_words: the only number of listed tokens to try; None tries the largest that fits,
            its half and its quarter.
        hashed_words: the only number of hashed words to try; None takes `HASHED_PER_LISTED` for
            each listed token.
        max_bytes: maximum size of a bundle, or None.
    """

    run: Path
    recipe: str
    layout: str
    dimensions: tuple[int | None, ...]
    listed_words: int | None = None
    hashed_words: int | None = None
    max_bytes: int | None = None
