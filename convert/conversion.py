"""Results of the child process that converts."""

from __future__ import annotations

from dataclasses import dataclass

from glovelite.runtime.aliases import Floats, Longs
from glovelite.runtime.text.vocabulary import Vocabulary

from .tflite.tflite_file import Contents


@dataclass(frozen=True)
class ConvertedModel:
    """A converted model.

    Attributes:
        flatbuffer: the TFLite model, with MediaPipe's metadata on request.
        plain_bytes: its size without that metadata.
        contents: its operators and tensors.
        vocabulary: the listed tokens and the index of hashed words.
        hashed_tokens: words in that index, most valuable first.
        recipe: name of the recipe.
        layout: `"conv"` or `"folded"`.
        dimensions: length of a word vector before folding.
        length: ids of the input, or None for any.
        outputs: columns of the output.
        output_dtype: `"float32"` or `"int8"`.
    """

    flatbuffer: bytes
    plain_bytes: int
    contents: Contents
    vocabulary: Vocabulary
    hashed_tokens: tuple[str, ...]
    recipe: str
    layout: str
    dimensions: int
    length: int | None
    outputs: int
    output_dtype: str = "float32"


@dataclass(frozen=True)
class ConversionResult:
    """A converted model and the reference for its predictions.

    Attributes:
        model: the converted model.
        keras: the Keras model's probabilities of `dev`, and of `test` if there is test text,
            float32 [texts, classes].
        dev_kept: the same of dev text, by the reduced model that was converted, in float32.
    """

    model: ConvertedModel
    keras: dict[str, Floats]
    dev_kept: Floats


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a trained model, from which a search plans its conversions.

    Attributes:
        ranked: int64 [words], ids without padding and the unknown word, those first that text loses
            most without; empty for a model that keeps all its words.
        dimensions: length of a word vector.
        kernels: taps and filters of each convolution.
        outputs: columns of the output.
        wide_columns: wide weights of a word, 0 if there are none.
        feature_columns: sums of the features that many outputs share, else `outputs`.
        dev: Keras's probabilities of dev text, float32 [texts, classes].
    """

    ranked: Longs
    dimensions: int
    kernels: tuple[tuple[int, int], ...]
    outputs: int
    wide_columns: int
    feature_columns: int
    dev: Floats
