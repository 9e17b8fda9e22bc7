"""What the child process is asked for and what it returns: a run's model, converted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.aliases import Floats
from runtime.vocabulary import Vocabulary


@dataclass(frozen=True)
class ConversionRequest:
    """A model to convert.

    Attributes:
        run: the run folder.
        recipe: name of the recipe.
        layout: `"conv"`, `"folded"` or `"auto"`.
        max_words: vocabulary size to keep; None keeps all.
        dimensions: dimensions of the word vectors to keep; None keeps all.
        own_padding: let the graph add its padding and output at least two columns, as MediaPipe
            needs it.
        fixed_length: give the graph one input length, as microcontrollers need it.
        integer_output: leave the output of `int8` as int8.
    """

    run: Path
    recipe: str
    layout: str = "conv"
    max_words: int | None = None
    dimensions: int | None = None
    own_padding: bool = False
    fixed_length: bool = False
    integer_output: bool = False


@dataclass(frozen=True)
class ConvertedModel:
    """A converted model.

    Attributes:
        flatbuffer: the TFLite model.
        vocabulary: the vocabulary that was kept.
        layout: `"conv"` or `"folded"`.
        length: ids of the input, or None for any.
        outputs: columns of the output.
        dimensions: of the word vectors before folding.
        trained_words: size of the whole vocabulary.
    """

    flatbuffer: bytes
    vocabulary: Vocabulary
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
        max_words: the only vocabulary size to try; None tries the largest that fits, its half and
            its quarter.
        max_bytes: maximum size of a bundle, or None.
    """

    run: Path
    recipe: str
    layout: str
    dimensions: tuple[int | None, ...]
    max_words: int | None = None
    max_bytes: int | None = None
