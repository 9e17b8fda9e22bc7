"""Reads the operators and tensors of a `model.tflite`, checking every offset of the flatbuffer.

Every access stays inside the file: a damaged or forged offset raises ValueError. Only what
`convert` writes is accepted: one graph, the operators of `OPERATORS`, the types of `TYPES`.
Anything else raises a ValueError that names it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..aliases import Array, Floats

UINT8, INT8, UINT16, INT32, UINT32, FLOAT32 = "<B", "<b", "<H", "<i", "<I", "<f"
Shape = tuple[int, ...]
FILE_IDENTIFIER = b"TFL3"
#: Operators by their number in TFLite's schema.
OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    6: "DEQUANTIZE",
    8: "FLOOR",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    18: "MUL",
    19: "RELU",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    36: "GATHER",
    41: "SUB",
    45: "STRIDED_SLICE",
    49: "SPLIT",
    53: "CAST",
    55: "MAXIMUM",
    57: "MINIMUM",
    74: "SUM",
    76: "RSQRT",
    82: "REDUCE_MAX",
    114: "QUANTIZE",
}
#: Types of tensors by their number in TFLite's schema.
TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
    7: np.dtype("<i2"),
    9: np.dtype("i1"),
}
# A list may name the same item again and again, so that a small file describes a huge model.
# A `conv-lstm` model of 1,000 tokens has 4,000 operators.
MAX_ITEMS = 1 << 15
MAX_LINKS = 1 << 18  # from operators to tensors
MAX_DIMENSIONS = 6
MAX_SCALES = 1 << 12  # of a tensor: one per filter
MAX_TEXT = 1 << 10  # bytes of a name


@dataclass(frozen=True)
class Table:
    """A table: fields by number, each present or not."""

    content: bytes
    position: int

    def number(self, field: int, form: str = INT32, default: int = 0) -> int:
        """Return an integer field."""
        position = self._find(field)
        return int(read(self.content, position, form)) if position else default

    def real(self, field: int, default: float = 0.0) -> float:
        """Return a float32 field."""
        position = self._find(field)
        return read(self.content, position, FLOAT32) if position else default

    def table(self, field: int) -> Table | None:
        """Return a table, or None if it is absent."""
        position = self._find(field)
        return _follow(self.content, position) if position else None

    def tables(self, field: int, limit: int) -> list[Table]:
        """Return a vector of up to `limit` tables; empty if it is absent."""
        start, count = self._find_vector(field, 4)
        if count > limit:
            raise ValueError(f"the model has a list of {count} items, expected up to {limit}")
        return [_follow(self.content, start + 4 * index) for index in range(count)]

    def vector(self, field: int, dtype: str) -> Array | None:
        """Return a vector of numbers, a view of the file; None if it is absent."""
        start, count = self._find_vector(field, np.dtype(dtype).itemsize)
        if not start:
            return None
        return np.frombuffer(self.content, dtype, count, start)

    def text(self, field: int) -> str:
        """Return up to `MAX_TEXT` bytes of a string; empty if it is absent."""
        values = self.vector(field, "u1")
        return "" if values is None else values[:MAX_TEXT].tobytes().decode("utf-8", "replace")

    def _find(self, field: int) -> int:
        """Return the position of a field, 0 if it is absent."""
        vtable = self.position - int(read(self.content, self.position, INT32))
        if 4 + 2 * field >= read(self.content, vtable, UINT16):
            return 0
        offset = int(read(self.content, vtable + 4 + 2 * field, UINT16))
        return self.position + offset if offset else 0

    def _find_vector(self, field: int, item_size: int) -> tuple[int, int]:
        """Return start and count of a vector, (0, 0) if it is absent."""
        position = self._find(field)
        if not position:
            return 0, 0
        position += int(read(self.content, position, UINT32))
        count = int(read(self.content, position, UINT32))
        if position + 4 + count * item_size > len(self.content):
            raise ValueError("the model is damaged: a list ends outside the file")
        return position + 4, count


def root_table(content: bytes, identifier: bytes) -> Table:
    """Return the outermost table of a flatbuffer with this identifier."""
    if content[4:8] != identifier:
        raise ValueError(f"the model is not a flatbuffer with the identifier {identifier.decode()}")
    return _follow(content, 0)


def read(content: bytes, position: int, form: str) -> float:
    """Return the number at a position; raise ValueError outside of the file."""
    if not 0 <= position <= len(content) - struct.calcsize(form):
        raise ValueError("the model is damaged: an offset points outside the file")
    (number,) = struct.unpack_from(form, content, position)
    return number  # type: ignore[no-any-return]


def _follow(content: bytes, position: int) -> Table:
    return Table(content, position + int(read(content, position, UINT32)))


@dataclass(frozen=True)
class Quantization:
    """How the integers of a tensor stand for real numbers: (integer - zero point) * scale.

    Attributes:
        scales: one, or one per index of an axis; shaped so that they broadcast.
        zero_point: the integer that stands for 0.
    """

    scales: Floats
    zero_point: int


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        dtype: the type of its values.
        shape: of its constant values, or as declared.
        values: its constant values, a view of the file; None if they are computed.
        quantization: what its values stand for; None for the values themselves.
    """

    dtype: np.dtype[Any]
    shape: Shape
    values: Array | None
    quantization: Quantization | None


@dataclass(frozen=True)
class Operator:
    """An operator of the graph.

    Attributes:
        name: as in TFLite's schema.
        inputs: the tensors that it reads; -1 for an optional one that is absent.
    """

    name: str
    inputs: Shape
    outputs: Shape
    options: Table | None


@dataclass(frozen=True)
class Graph:
    """The content of a model: operators in the order of their execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    input: int
    output: int


def read_graph(content: bytes) -> Graph:
    """Read a model.

    Raises:
        ValueError: it is damaged, or has something that `convert` does not write.
    """
    model = root_table(content, FILE_IDENTIFIER)
    graphs = model.tables(2, MAX_ITEMS)
    if len(graphs) != 1:
        raise ValueError(f"the model has {len(graphs)} graphs, expected one")
    (graph,) = graphs
    buffers = model.tables(4, MAX_ITEMS)
    tensors = tuple(_read_tensor(table, buffers) for table in graph.tables(0, MAX_ITEMS))
    names = [_read_name(table) for table in model.tables(1, MAX_ITEMS)]
    operators, links = [], 0
    for table in graph.tables(3, MAX_ITEMS):
        operators.append(_read_operator(table, names, len(tensors)))
        links += len(operators[-1].inputs) + len(operators[-1].outputs)
        if links > MAX_LINKS:
            raise ValueError(f"the operators have more than {MAX_LINKS} inputs and outputs")
    ends = [read_indices(graph, field, len(tensors), lowest=0) for field in (1, 2)]
    if [len(indices) for indices in ends] != [1, 1]:
        raise ValueError("the model does not have one input and one output")
    ((input_,), (output,)) = ends
    return Graph(tensors, tuple(operators), input_, output)


def _read_name(table: Table) -> str:
    number = max(table.number(0, INT8), table.number(3))
    name = OPERATORS.get(number)
    if name is None:
        raise ValueError(f"the numpy engine does not have the model's operator number {number}")
    return name


def _read_operator(table: Table, names: list[str], tensor_count: int) -> Operator:
    code = table.number(0, UINT32)
    if code >= len(names):
        raise ValueError("the model is damaged: an operator has no name")
    return Operator(
        names[code],
        read_indices(table, 1, tensor_count, lowest=-1),
        read_indices(table, 2, tensor_count, lowest=0),
        table.table(4),
    )


def read_indices(table: Table, field: int, count: int, lowest: int) -> Shape:
    """Return a vector of numbers of tensors, from `lowest` to below `count`."""
    values = table.vector(field, "<i4")
    if values is None:
        return ()
    if len(values) > MAX_LINKS:
        raise ValueError(f"the operators have more than {MAX_LINKS} inputs and outputs")
    if len(values) and not lowest <= int(values.min()) <= int(values.max()) < count:
        raise ValueError(f"the model is damaged: a tensor's number is not below {count}")
    return tuple(values.tolist())


def _read_tensor(table: Table, buffers: list[Table]) -> Tensor:
    number = table.number(1, INT8)
    if number not in TYPES:
        raise ValueError(f"the numpy engine does not have the model's tensor type number {number}")
    dtype, declared = TYPES[number], table.vector(0, "<i4")
    if declared is not None and len(declared) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor has {len(declared)} dimensions, expected {MAX_DIMENSIONS}")
    shape = tuple(declared.tolist()) if declared is not None else ()
    values = _read_values(table.number(2, UINT32), buffers, dtype, shape)
    quantization = table.table(4)
    scales = _read_quantization(quantization, shape) if quantization else None
    return Tensor(dtype, shape, values, scales)


def _read_values(
    index: int, buffers: list[Table], dtype: np.dtype[Any], shape: Shape
) -> Array | None:
    if index >= len(buffers):
        raise ValueError("the model is damaged: a tensor has no buffer")
    data = buffers[index].vector(0, "u1")
    if data is None or not len(data):
        return None
    if min(shape, default=1) < 1 or prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"a tensor of shape {list(shape)} has {len(data)} bytes")
    values = data.view(dtype).reshape(shape)
    if not values.flags.aligned:  # numpy would copy it for every call
        raise ValueError("the model is damaged: a constant is not aligned")
    return values


def _read_quantization(table: Table, shape: Shape) -> Quantization | None:
    scales, zero_points = table.vector(2, "<f4"), table.vector(3, "<i8")
    if scales is None or not len(scales):
        return None
    if table.number(4, UINT8):
        raise ValueError("the numpy engine does not have the model's kind of quantization")
    axis, count = table.number(6), len(scales)
    if count > 1 and not (0 <= axis < len(shape) and count == shape[axis] and count <= MAX_SCALES):
        raise ValueError(f"a tensor of shape {list(shape)} has {count} scales")
    if not (np.isfinite(scales[:MAX_SCALES]) & (scales[:MAX_SCALES] > 0)).all():
        raise ValueError("a tensor has scales that are not positive numbers")
    zero_point = 0
    if zero_points is not None and len(zero_points):
        zero_point = int(zero_points[0])
        if len(zero_points) != count or (count > 1 and zero_points.any()):
            raise ValueError("a tensor has invalid zero points")
        if not -128 <= zero_point <= 127:
            raise ValueError(f"a tensor has the zero point {zero_point}")
    broadcast = [-1 if index == axis else 1 for index in range(len(shape))] if count > 1 else ()
    return Quantization(scales.reshape(broadcast), zero_point)
