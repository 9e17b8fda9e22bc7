"""Packs a TFLite flatbuffer anew: every buffer aligned, and what MediaPipe wants added.

TensorFlow's own last step leaves constants at any multiple of 4 bytes, though the format asks for
16 (`force_align: 16` in schema.fbs), which code for microcontrollers and vector units counts on.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

from .tflite_file import schema

ALIGNMENT = 16  # bytes
IDENTIFIER = b"TFL3"
METADATA_NAME = "TFLITE_METADATA"


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that aligns the vectors it is given as arrays, as the format asks."""

    def CreateNumpyVector(self, x: Any) -> Any:
        self.Prep(ALIGNMENT, x.nbytes)
        return super().CreateNumpyVector(x)


def repack(
    flatbuffer: bytes, input_length: int | None = None, metadata: bytes | None = None
) -> bytes:
    """Pack a model anew.

    Args:
        flatbuffer: a TFLite model.
        input_length: what its input's length reads where nobody resizes it; None leaves it.
        metadata: a `TFLITE_METADATA` flatbuffer to put in.

    Returns:
        The model, its constants aligned to 16 bytes.

    Raises:
        ConversionError: TensorFlow is not installed.
    """
    tflite = schema()
    model = tflite.ModelT.InitFromPackedBuf(flatbuffer)
    if input_length is not None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = [1, input_length]
    if metadata is not None:
        buffer, entry = tflite.BufferT(), tflite.MetadataT()
        buffer.data = np.frombuffer(metadata, np.uint8)
        entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or []), entry]
    builder = _Builder(len(flatbuffer) + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
