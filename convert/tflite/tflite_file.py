"""Reads and rewrites TFLite flatbuffers: operators, tensors, alignment, metadata.

TensorFlow ships the generated code for the format. It is loaded by its path, because importing all
of TensorFlow takes seconds.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from glovelite.runtime.errors import ConversionError
from glovelite.runtime.extras import missing_extra_message

ALIGNMENT = 16  # bytes, as schema.fbs requires (force_align: 16)
FILE_IDENTIFIER = b"TFL3"
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
    """Read the operators and tensors of a flatbuffer that is known to be intact.

    Raises:
        ConversionError: TensorFlow is not installed.
    """
    tflite = schema()
    model = tflite.Model.GetRootAsModel(flatbuffer, 0)
    graph = model.Subgraphs(0)
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


def _read_operators(tflite: Any, model: Any, graph: Any) -> list[OperatorUse]:
    names, kinds = _names(tflite.BuiltinOperator), _names(tflite.TensorType)
    counts: Counter[int] = Counter()
    types: defaultdict[int, set[str]] = defaultdict(set)
    output_types: defaultdict[int, set[str]] = defaultdict(set)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code_index = operator.OpcodeIndex()
        inputs, outputs = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
        counts[code_index] += 1
        output_types[code_index] |= {kinds[graph.Tensors(t).Type()] for t in outputs}
        types[code_index] |= {kinds[graph.Tensors(t).Type()] for t in inputs + outputs if t >= 0}
    operators = []
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        builtin = number != tflite.BuiltinOperator.CUSTOM
        name = names[number] if builtin else code.CustomCode().decode()
        seen, made = tuple(sorted(types[index])), tuple(sorted(output_types[index]))
        operators.append(OperatorUse(name, code.Version(), counts[index], builtin, seen, made))
    return operators


def _read_tensors(tflite: Any, model: Any, graph: Any) -> list[TensorSummary]:
    types, seen, tensors = _names(tflite.TensorType), set(), []
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else None
        shape = shape if shape is not None else tensor.ShapeAsNumpy()
        size = 0 if tensor.Buffer() in seen else model.Buffers(tensor.Buffer()).DataLength()
        seen.add(tensor.Buffer())
        dimensions = tuple(int(size) for size in shape) if tensor.ShapeLength() else ()
        kind = types[tensor.Type()]
        tensors.append(TensorSummary(tensor.Name().decode(), kind, dimensions, size))
    return tensors


def _read_oldest_runtime(model: Any) -> str:
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == b"min_runtime_version":
            content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return str(content.split(b"\0", 1)[0], "ascii")
    return "unknown"
