"""Reads and rewrites TFLite flatbuffers: operators, tensors, alignment, metadata.

Models are read by the numpy engine's reader, which checks every offset. TensorFlow ships generated
code that writes the format and names its numbers. It is loaded by its path, because importing all
of TensorFlow takes seconds.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from glovelite.runtime.aliases import Array
from glovelite.runtime.errors import ConversionError
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.numpy_engine.model_file import (
    FILE_IDENTIFIER,
    INT8,
    MAX_DIMENSIONS,
    MAX_ITEMS,
    MAX_LINKS,
    UINT32,
    Table,
    read_indices,
    root_table,
)

ALIGNMENT = 16  # bytes, as schema.fbs requires (force_align: 16)
METADATA_NAME = "TFLITE_METADATA"

#: The newest version of each operator that tflite-runtime 2.14.0 accepts, determined empirically.
TFLITE_2_14 = {
    "ADD": 5,
    "CAST": 5,
    "CONCATENATION": 4,
    "CONV_2D": 7,
    "DEQUANTIZE": 5,
    "DIV": 2,
    "EXPAND_DIMS": 1,
    "FLOOR": 1,
    "FULLY_CONNECTED": 10,
    "GATHER": 6,
    "LOGISTIC": 3,
    "MAXIMUM": 4,
    "MAX_POOL_2D": 3,
    "MINIMUM": 4,
    "MUL": 7,
    "PACK": 4,
    "QUANTIZE": 3,
    "REDUCE_MAX": 3,
    "RELU": 3,
    "RESHAPE": 1,
    "RSQRT": 2,
    "SHAPE": 1,
    "SLICE": 6,
    "SOFTMAX": 3,
    "SPLIT": 4,
    "SQRT": 1,
    "SQUEEZE": 2,
    "STRIDED_SLICE": 8,
    "SUB": 5,
    "SUM": 2,
    "TANH": 3,
    "TRANSPOSE": 6,
    "UNPACK": 4,
}


@dataclass(frozen=True)
class OperatorUse:
    """One kind of operator in a model.

    Attributes:
        name: as in TFLite's schema, such as `"GATHER"`; custom operators by their own name.
        version: version of the operator.
        count: number of its uses.
        builtin: whether every TFLite interpreter has it.
        types: types of its input and output tensors, such as `("FLOAT32", "INT8")`.
        output_types: types of its output tensors alone.
    """

    name: str
    version: int
    count: int
    builtin: bool
    types: tuple[str, ...] = ()
    output_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorSummary:
    """One tensor in a model.

    Attributes:
        name: name from the converter.
        dtype: such as `"INT8"`.
        shape: -1 for dimensions known only at run time.
        bytes: size of its constant data in the file; 0 for computed tensors.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Contents:
    """The contents of a flatbuffer.

    Attributes:
        operators: every kind, in the file's order.
        tensors: every tensor, largest first.
        oldest_runtime: the TFLite release that first had all operators, according to the converter.
    """

    operators: tuple[OperatorUse, ...]
    tensors: tuple[TensorSummary, ...]
    oldest_runtime: str


def read_contents(flatbuffer: bytes) -> Contents:
    """Read the operators and tensors of a flatbuffer, of which nothing is promised.

    Raises:
        ConversionError: TensorFlow is not installed.
        ValueError: it is damaged.
    """
    tflite = schema()
    model = root_table(flatbuffer, FILE_IDENTIFIER)
    graphs = model.tables(2, MAX_ITEMS)
    if not graphs:
        raise ValueError("the model has no graph")
    graph = graphs[0]
    return Contents(
        tuple(_read_operators(tflite, model, graph)),
        tuple(sorted(_read_tensors(tflite, model, graph), key=lambda tensor: -tensor.bytes)),
        _read_oldest_runtime(model),
    )


def check_operators(operators: tuple[OperatorUse, ...]) -> None:
    """Check that tflite-runtime 2.14 can run a model.

    Raises:
        ConversionError: an operator is custom, unknown or too new; the message names it.
    """
    for operator in operators:
        newest = TFLITE_2_14.get(operator.name, 0) if operator.builtin else 0
        if operator.version > newest:
            raise ConversionError(
                f"the model needs {operator.name} version {operator.version}, tflite-runtime 2.14 "
                f"has {f'version {newest}' if newest else 'none'}: try another recipe"
            )


@cache
def schema() -> Any:
    """Return TensorFlow's generated code for the format.

    Raises:
        ConversionError: TensorFlow is not installed.
    """
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        raise ConversionError(missing_extra_message("tensorflow", "convert"))
    path = Path(package.submodule_search_locations[0], "lite/python/schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    if spec is None or spec.loader is None:
        raise ConversionError(f"{path} cannot be loaded: reinstall tensorflow")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _AligningBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that aligns the vectors that it is given as arrays."""

    def CreateNumpyVector(self, x: Any) -> Any:
        self.Prep(ALIGNMENT, x.nbytes)
        return super().CreateNumpyVector(x)


def repack(
    flatbuffer: bytes, input_length: int | None = None, metadata: bytes | None = None
) -> bytes:
    """Rewrite a model with its constants aligned, optionally with MediaPipe's additions.

    TensorFlow's converter aligns constants to 4 bytes although the format requires 16, which code
    for microcontrollers and vector units relies on.

    Args:
        flatbuffer: a TFLite model.
        input_length: static input length; None keeps the current one.
        metadata: a `TFLITE_METADATA` flatbuffer.

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
    builder = _AligningBuilder(len(flatbuffer) + 4096)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _names(enumeration: Any) -> dict[int, str]:
    return {v: name for name, v in vars(enumeration).items() if isinstance(v, int)}


def _read_operators(tflite: Any, model: Table, graph: Table) -> list[OperatorUse]:
    names, types = _names(tflite.BuiltinOperator), _read_types(tflite, graph)
    codes = model.tables(1, MAX_ITEMS)
    read = [set[str]() for _ in codes]
    made = [set[str]() for _ in codes]
    counts: Counter[int] = Counter()
    links = 0
    for operator in graph.tables(3, MAX_ITEMS):
        index = operator.number(0, UINT32)
        if index >= len(codes):
            raise ValueError("an operator has no name")
        counts[index] += 1
        inputs, outputs = (read_indices(operator, field, len(types), -1) for field in (1, 2))
        links += len(inputs) + len(outputs)
        if links > MAX_LINKS:
            raise ValueError(f"the operators have more than {MAX_LINKS} inputs and outputs")
        made[index] |= {types[tensor] for tensor in outputs if tensor >= 0}
        read[index] |= {types[tensor] for tensor in inputs if tensor >= 0}
    operators = []
    for index, code in enumerate(codes):
        number = max(code.number(0, INT8), code.number(3))
        builtin = number != tflite.BuiltinOperator.CUSTOM
        name = names.get(number, f"operator {number}") if builtin else code.text(1)
        seen, version = tuple(sorted(read[index] | made[index])), code.number(2, default=1)
        operators.append(
            OperatorUse(name, version, counts[index], builtin, seen, tuple(sorted(made[index])))
        )
    return operators


def _read_types(tflite: Any, graph: Table) -> list[str]:
    kinds = _names(tflite.TensorType)
    numbers = (tensor.number(1, INT8) for tensor in graph.tables(0, MAX_ITEMS))
    return [kinds.get(number, f"type {number}") for number in numbers]


def _read_tensors(tflite: Any, model: Table, graph: Table) -> list[TensorSummary]:
    buffers = model.tables(4, MAX_ITEMS)
    types, seen, tensors = _read_types(tflite, graph), set[int](), []
    for tensor, type_ in zip(graph.tables(0, MAX_ITEMS), types):
        shape, signature = (tensor.vector(field, "<i4") for field in (0, 7))
        if shape is not None and len(shape) and signature is not None and len(signature):
            shape = signature
        buffer = tensor.number(2, UINT32)
        size = 0 if buffer in seen else len(_read_buffer(buffers, buffer))
        seen.add(buffer)
        dimensions = () if shape is None else tuple(shape[:MAX_DIMENSIONS].tolist())
        tensors.append(TensorSummary(tensor.text(3), type_, dimensions, size))
    return tensors


def _read_buffer(buffers: Sequence[Table], index: int) -> bytes | Array:
    if index >= len(buffers):
        raise ValueError("a tensor has no buffer")
    data = buffers[index].vector(0, "u1")
    return b"" if data is None else data


def _read_oldest_runtime(model: Table) -> str:
    for entry in model.tables(6, MAX_ITEMS):
        if entry.text(0) == "min_runtime_version":
            content = bytes(_read_buffer(model.tables(4, MAX_ITEMS), entry.number(1, UINT32)))
            return content.split(b"\0", 1)[0].decode("ascii", "replace")
    return "unknown"
