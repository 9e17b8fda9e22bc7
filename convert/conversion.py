"""Requests to the child process that converts, and its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.text.vocabulary import Vocabulary

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
        dimensions: dimensions of the word vectors to keep; None takes the recipe's.
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
        dev_kept: of dev text, by the reduced model that was converted, in float32.
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
class ModelFacts:
    """What a search needs to know about a trained model before it converts it.

    Attributes:
        ranked: int64 [words], ids without padding and the unknown word, those first that text loses
            most without; empty for a model that keeps all its words.
        dimensions: of its word vectors.
        kernels: taps and filters of each convolution.
        outputs: columns of the output.
        wide: whether it has wide weights.
        dev: Keras's probabilities of dev text, float32 [texts, classes].
    """

    ranked: Longs
    dimensions: int
    kernels: tuple[tuple[int, int], ...]
    outputs: int
    wide: bool
    dev: Floats
