"""Reads a TFLite flatbuffer back: its operators with their versions, its tensors, its bytes.

TensorFlow ships the format's generated reader, which is loaded by its path: importing all of
TensorFlow for it would take seconds.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ConversionError

#: The newest version of each operator that tflite-runtime 2.14.0 takes, found by asking it.
TFLITE_2_14 = {
    **{"ADD": 5, "CAST": 5, "CONCATENATION": 4, "CONV_2D": 7, "DEQUANTIZE": 5, "DIV": 2},
    **{"EXPAND_DIMS": 1, "FLOOR": 1, "FULLY_CONNECTED": 10, "GATHER": 6, "LOGISTIC": 3},
    **{"MAXIMUM": 4, "MAX_POOL_2D": 3, "MINIMUM": 4, "MUL": 7, "PACK": 4, "QUANTIZE": 3},
    **{"REDUCE_MAX": 3, "RELU": 3, "RESHAPE": 1, "RSQRT": 2, "SHAPE": 1, "SLICE": 6},
    **{"SOFTMAX": 3, "SPLIT": 4, "SQRT": 1, "SQUEEZE": 2, "STRIDED_SLICE": 8, "SUB": 5},
    **{"SUM": 2, "TANH": 3, "TRANSPOSE": 6, "UNPACK": 4},
}


@dataclass(frozen=True)
class Operator:
    """One kind of operator in a model.

    Attributes:
        name: as in TFLite's schema, such as `"GATHER"`; custom operators by their own name.
        version: of the operator.
        count: how often the model has it.
        builtin: whether every TFLite interpreter has it.
        types: of the tensors it reads and writes, such as `("FLOAT32", "INT8")`.
    """

    name: str
    version: int
    count: int
    builtin: bool
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tensor:
    """One tensor in a model.

    Attributes:
        name: as the converter named it.
        dtype: such as `"INT8"`.
        shape: -1 where it is known at run time only.
        bytes: constant data it holds in the file; 0 for what is computed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Contents:
    """What a flatbuffer holds.

    Attributes:
        operators: every kind, in the file's order.
        tensors: every tensor, largest first.
        oldest_runtime: the TFLite release that first had them all, by the converter's word.
    """

    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]
    oldest_runtime: str


def read_contents(flatbuffer: bytes) -> Contents:
    """Read what a flatbuffer holds.

    Args:
        flatbuffer: a model that is known to be whole.

    Returns:
        Its operators and tensors.

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


def check_operators(operators: tuple[Operator, ...]) -> None:
    """Refuse a model that tflite-runtime 2.14 could not run.

    Args:
        operators: what the model holds.

    Raises:
        ConversionError: an operator is custom, unknown or too new; the message names it.
    """
    for each in operators:
        newest = TFLITE_2_14.get(each.name, 0) if each.builtin else 0
        if each.version > newest:
            raise ConversionError(
                f"the model needs {each.name} version {each.version}, tflite-runtime 2.14 has "
                + (f"version {newest}" if newest else "none")
                + ": try another recipe"
            )


@cache
def schema() -> Any:
    """Give TensorFlow's generated reader and writer of the format; ConversionError without it."""
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        raise ConversionError("tensorflow is not installed: pip install 'glovelite[convert]'")
    path = Path(package.submodule_search_locations[0], "lite/python/schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    if spec is None or spec.loader is None:
        raise ConversionError(f"{path} cannot be loaded: install tensorflow again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _names(enumeration: Any) -> dict[int, str]:
    return {v: name for name, v in vars(enumeration).items() if isinstance(v, int)}


def _read_operators(tflite: Any, model: Any, graph: Any) -> list[Operator]:
    names, kinds = _names(tflite.BuiltinOperator), _names(tflite.TensorType)
    counts: Counter[int] = Counter()
    types: defaultdict[int, set[str]] = defaultdict(set)
    for place in range(graph.OperatorsLength()):
        operator = graph.Operators(place)
        counts[operator.OpcodeIndex()] += 1
        touched = (*operator.InputsAsNumpy().tolist(), *operator.OutputsAsNumpy().tolist())
        types[operator.OpcodeIndex()] |= {kinds[graph.Tensors(t).Type()] for t in touched if t >= 0}
    operators = []
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        builtin = number != tflite.BuiltinOperator.CUSTOM
        name = names[number] if builtin else code.CustomCode().decode()
        seen = tuple(sorted(types[index]))
        operators.append(Operator(name, code.Version(), counts[index], builtin, seen))
    return operators


def _read_tensors(tflite: Any, model: Any, graph: Any) -> list[Tensor]:
    types, seen, tensors = _names(tflite.TensorType), set(), []
    for place in range(graph.TensorsLength()):
        tensor = graph.Tensors(place)
        shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else None
        shape = shape if shape is not None else tensor.ShapeAsNumpy()
        size = 0 if tensor.Buffer() in seen else model.Buffers(tensor.Buffer()).DataLength()
        seen.add(tensor.Buffer())
        dimensions = tuple(int(size) for size in shape) if tensor.ShapeLength() else ()
        tensors.append(Tensor(tensor.Name().decode(), types[tensor.Type()], dimensions, size))
    return tensors


def _read_oldest_runtime(model: Any) -> str:
    for place in range(model.MetadataLength()):
        entry = model.Metadata(place)
        if entry.Name() == b"min_runtime_version":
            content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return str(content.split(b"\0", 1)[0], "ascii")
    return "unknown"
