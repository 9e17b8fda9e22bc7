"""Makes a model that MediaPipe's TextClassifier loads unchanged: Android, iOS, Web, Python.

It wants a `TFLITE_METADATA` buffer that describes tokenizer, vocabulary and labels, and their files
appended to the model as an uncompressed zip. The metadata is a flatbuffer by TensorFlow's
metadata_schema.fbs; places of fields below are that schema's.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import flatbuffers

from runtime.vocabulary import Vocabulary

from ..errors import ConversionError
from ..tflite.repack import repack
from .spellings import DELIMITERS, list_spellings

VOCABULARY_FILE, LABEL_FILE = "vocabulary.txt", "labels.txt"
IDENTIFIER = b"M001"
AXIS_LABELS, VOCABULARY_TYPE, REGEX_TOKENIZER = 2, 5, 6  # AssociatedFileType, ProcessUnitOptions
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes


def add_metadata(flatbuffer: bytes, vocabulary: Vocabulary) -> bytes:
    """Add to a model what MediaPipe needs.

    Args:
        flatbuffer: a model that pads its input by itself and answers a probability for each label.
        vocabulary: the bundle's.

    Returns:
        The model, which any TFLite interpreter still loads.

    Raises:
        ConversionError: a label cannot be written to a file of labels.
    """
    for label in vocabulary.labels:
        if not label.strip() or len(label.splitlines()) != 1:
            raise ConversionError(
                f"MediaPipe cannot hold the label {label!r}: rename it in the data"
            )
    model = repack(flatbuffer, vocabulary.max_tokens, _metadata(vocabulary))
    content = io.BytesIO(model)
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in (
            (VOCABULARY_FILE, list_spellings(vocabulary)),
            (LABEL_FILE, "".join(f"{label}\n" for label in vocabulary.labels)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode("utf-8"))
    return content.getvalue()


def _metadata(vocabulary: Vocabulary) -> bytes:
    """Describe a text classifier: one input cut by a pattern, one output with labels."""
    builder = flatbuffers.Builder(1024)
    vocabulary_file = _file(builder, VOCABULARY_FILE, VOCABULARY_TYPE)
    options = _table(
        builder,
        2,
        {0: builder.CreateString(DELIMITERS), 1: _vector(builder, [vocabulary_file])},
    )
    unit = _table(builder, 2, {1: options}, {0: REGEX_TOKENIZER})
    names = [builder.CreateString("ids"), builder.CreateString("probabilities")]
    input_ = _table(builder, 7, {0: names[0], 4: _vector(builder, [unit])})
    labels = _vector(builder, [_file(builder, LABEL_FILE, AXIS_LABELS)])
    output = _table(builder, 7, {0: names[1], 6: labels})
    graph = _table(builder, 10, {2: _vector(builder, [input_]), 3: _vector(builder, [output])})
    name = builder.CreateString("glovelite text classifier: " + ", ".join(vocabulary.labels))
    version = builder.CreateString("1.2.1")
    model = _table(builder, 8, {0: name, 3: _vector(builder, [graph]), 7: version})
    builder.Finish(model, IDENTIFIER)
    return bytes(builder.Output())


def _file(builder: flatbuffers.Builder, name: str, kind: int) -> int:
    return _table(builder, 5, {0: builder.CreateString(name)}, {2: kind})


def _table(
    builder: flatbuffers.Builder,
    fields: int,
    offsets: dict[int, int],
    numbers: dict[int, int] | None = None,
) -> int:
    """Write a table: place of field → offset of what it holds, or number of one byte."""
    builder.StartObject(fields)
    for place, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(place, offset, 0)
    for place, number in (numbers or {}).items():
        builder.PrependInt8Slot(place, number, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
