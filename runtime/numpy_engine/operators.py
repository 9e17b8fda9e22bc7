"""What each operator computes, on arrays of real numbers, and which shapes it accepts.

Each builder reads an operator's options and constants once and returns a `Kernel`. Whatever the
operator does not need for our models (a stride, an axis) is refused by a ValueError, so that the
arithmetic has no rare cases. Operators that only move values also work on quantized ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..aliases import Array, Floats
from .model_file import INT8, UINT8, Operator, Shape, Table, Tensor

NO_OPTIONS = Table(bytes(8), 4)  # a table without fields
VALID = 1  # padding
ACTIVATIONS = {0: None, 1: "RELU"}


@dataclass(frozen=True)
class Kernel:
    """An operator, ready to run.

    Attributes:
        inputs: tensors that are the arguments of `run`.
        run: computes the output, or a list of outputs, of arrays.
        shape: computes the output's shape (of each output) of the arguments' shapes; raises
            ValueError if it cannot be computed.
        depth: multiplications per value of the output.
        moves: whether it only moves values, so that quantized ones need no conversion.
        run_pooled: `run` and the maximum over all steps after it, in less time; or None.
    """

    inputs: tuple[int, ...]
    run: Callable[..., Any]
    shape: Callable[..., Shape]
    depth: int = 1
    moves: bool = False
    run_pooled: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Node:
    """An operator with what its builder needs.

    Attributes:
        constant_of: returns a constant tensor as real numbers.
    """

    operator: Operator
    tensors: tuple[Tensor, ...]
    constant_of: Callable[[int], Floats]

    @property
    def options(self) -> Table:
        """The operator's options."""
        return self.operator.options or NO_OPTIONS

    def inputs(self, count: int, optional: int = 0) -> list[int]:
        """Return that many input tensors, -1 for absent optional ones at the end."""
        found = list(self.operator.inputs)
        required = found[:count]
        if not count <= len(found) <= count + optional or min(required, default=0) < 0:
            raise ValueError(f"has {len(found)} inputs, expected {count}")
        return found + [-1] * (count + optional - len(found))

    def integers(self, tensor: int) -> list[int]:
        """Return a constant list of int32, such as a shape."""
        values = self.tensors[tensor].values
        if values is None or values.dtype != np.int32 or values.ndim > 1 or values.size > 8:
            raise ValueError("needs a constant list of int32")
        return [int(value) for value in values.reshape(-1)]

    def activation(self, field: int) -> str | None:
        """Return which of `ACTIVATIONS` is applied to the output."""
        number = self.options.number(field, INT8)
        if number not in ACTIVATIONS:
            raise ValueError(f"has the activation number {number}")
        return ACTIVATIONS[number]


Builder = Callable[[Node], Kernel]
dot: Callable[[Array, Array], Array] = np.dot


def _unary(function: Callable[[Any], Any]) -> Builder:
    def build(node: Node) -> Kernel:
        return Kernel(tuple(node.inputs(1)), function, lambda shape: shape)

    return build


def _binary(function: Callable[[Any, Any], Any], has_activation: bool = True) -> Builder:
    def build(node: Node) -> Kernel:
        inputs = tuple(node.inputs(2))
        if has_activation and node.activation(0):
            return Kernel(inputs, lambda a, b: _relu(function(a, b)), _broadcast)
        return Kernel(inputs, function, _broadcast)

    return build


def _broadcast(first: Shape, second: Shape) -> Shape:
    return np.broadcast_shapes(first, second)


def _relu(values: Any) -> Any:
    return np.maximum(values, values.dtype.type(0))


def _sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def _rsqrt(values: Any) -> Any:
    return 1 / np.sqrt(values)


def _build_softmax(node: Node) -> Kernel:
    beta = np.float32(node.options.real(0))

    def run(values: Array) -> Array:
        powers = np.exp((values - np.maximum.reduce(values, axis=-1, keepdims=True)) * beta)
        return powers / np.add.reduce(powers, axis=-1, keepdims=True)  # type: ignore[no-any-return]

    return Kernel(tuple(node.inputs(1)), run, lambda shape: _with_rank(shape, 2))


def _with_rank(shape: Shape, rank: int) -> Shape:
    if len(shape) != rank:
        raise ValueError(f"has an input of shape {list(shape)}, expected {rank} dimensions")
    return shape


def _build_cast(node: Node) -> Kernel:
    dtype = node.tensors[node.operator.outputs[0]].dtype
    return Kernel(tuple(node.inputs(1)), lambda values: values.astype(dtype), lambda shape: shape)


def _build_reshape(node: Node) -> Kernel:
    values, target = node.inputs(2)
    wanted = node.integers(target)
    if wanted.count(-1) > 1 or min(wanted, default=1) < -1 or 0 in wanted:
        raise ValueError(f"has the shape {wanted}")
    known = prod(size for size in wanted if size > 0)

    def shape(found: Shape) -> Shape:
        rest, remainder = divmod(prod(found), known)
        if remainder or (-1 not in wanted and rest != 1):
            raise ValueError(f"cannot give {list(found)} the shape {wanted}")
        return tuple(rest if size < 0 else size for size in wanted)

    return Kernel((values,), lambda array: array.reshape(wanted), shape, moves=True)


def _build_gather(node: Node) -> Kernel:
    table, indices = node.inputs(2)
    if node.options.number(0) or node.options.number(1):
        raise ValueError("gathers along another axis than the first")
    if node.tensors[indices].dtype.kind != "i" or node.tensors[indices].quantization:
        raise ValueError("has indices that are not integers")

    def run(rows: Array, positions: Array) -> Array:
        if np.minimum.reduce(positions, axis=None) < 0:
            raise IndexError("an index is negative")
        taken = rows.take(positions, 0)
        # A table of 16 bits stays so: only the rows of the text are expanded.
        return taken.astype(np.float32) if taken.dtype == np.float16 else taken

    def shape(rows: Shape, positions: Shape) -> Shape:
        if not rows:
            raise ValueError("gathers from a single value")
        return positions + rows[1:]

    return Kernel((table, indices), run, shape, moves=True)


def _build_concatenation(node: Node) -> Kernel:
    inputs, axis = node.operator.inputs, node.options.number(0)
    if not inputs or min(inputs) < 0 or node.activation(1):
        raise ValueError("has no inputs, or an activation")

    def shape(*shapes: Shape) -> Shape:
        first = shapes[0]
        if not -len(first) <= axis < len(first):
            raise ValueError(f"has the axis {axis} of {len(first)} dimensions")
        at = axis % len(first)
        if any((s[:at], s[at + 1 :]) != (first[:at], first[at + 1 :]) for s in shapes):
            raise ValueError(f"cannot join {', '.join(map(str, shapes[:4]))}")
        return (*first[:at], sum(s[at] for s in shapes), *first[at + 1 :])

    def run(*arrays: Array) -> Array:
        return np.concatenate(arrays, axis)

    return Kernel(inputs, run, shape, moves=True)


def _reduction(function: np.ufunc, moves: bool) -> Builder:
    def build(node: Node) -> Kernel:
        values, axes = node.inputs(2)
        axis, keep = node.integers(axes), bool(node.options.number(0, UINT8))
        if len(axis) != 1:
            raise ValueError(f"reduces {len(axis)} axes, expected one")

        def shape(found: Shape) -> Shape:
            if not -len(found) <= axis[0] < len(found):
                raise ValueError(f"has the axis {axis[0]} of {len(found)} dimensions")
            at = axis[0] % len(found)
            return found[:at] + (1,) * keep + found[at + 1 :]

        def run(array: Array) -> Array:
            reduced: Array = function.reduce(array, axis[0], array.dtype, None, keep)
            return reduced

        return Kernel((values,), run, shape, moves=moves)

    return build


def _build_strided_slice(node: Node) -> Kernel:
    values, *bounds = node.inputs(4)
    begin, end, strides = (node.integers(tensor) for tensor in bounds)
    begin_mask, end_mask, *others = (node.options.number(field) for field in range(5))
    if any(others) or any(stride != 1 for stride in strides):
        raise ValueError("has strides, or adds or removes dimensions")
    if not len(begin) == len(end) == len(strides):
        raise ValueError("has bounds of different lengths")
    slices = tuple(
        slice(
            None if begin_mask >> axis & 1 else first,
            None if end_mask >> axis & 1 else last,
        )
        for axis, (first, last) in enumerate(zip(begin, end))
    )

    def shape(found: Shape) -> Shape:
        if len(slices) > len(found):
            raise ValueError(f"has {len(slices)} bounds for {len(found)} dimensions")
        sizes = [len(range(size)[part]) for size, part in zip(found, slices)]
        return (*sizes, *found[len(slices) :])

    return Kernel((values,), lambda array: array[slices], shape, moves=True)


def _build_split(node: Node) -> Kernel:
    axes, values = node.inputs(2)
    axis, count = node.integers(axes), len(node.operator.outputs)
    if len(axis) != 1 or axis[0] not in (1, -1):
        raise ValueError(f"splits the axis {axis}, expected the last of two")

    def shape(found: Shape) -> Shape:
        rows, columns = _with_rank(found, 2)
        if columns % count:
            raise ValueError(f"cannot split {columns} columns into {count}")
        return rows, columns // count

    def run(array: Array) -> list[Array]:
        size = array.shape[1] // count
        return [array[:, start : start + size] for start in range(0, size * count, size)]

    return Kernel((values,), run, shape, moves=True)


def _build_max_pool(node: Node) -> Kernel:
    """Maximum over steps of [1, 1, steps, filters], in windows that do not overlap."""
    (values,), options = node.inputs(1), node.options
    stride, width = options.number(1), options.number(3)
    one = (options.number(2), options.number(4)) == (1, 1)
    if options.number(0, INT8) != VALID or not one or stride != width or width < 1:
        raise ValueError("pools windows that overlap or are not in a row")
    if node.activation(5):
        raise ValueError("has an activation")

    def shape(found: Shape) -> Shape:
        _check_row(found)
        return 1, 1, found[2] // width, found[3]

    def run(array: Array) -> Array:
        count, filters = array.shape[2] // width, array.shape[3]
        windows = array[:, :, : count * width].reshape(1, 1, count, width, filters)
        return np.maximum.reduce(windows, axis=3)  # type: ignore[no-any-return]

    return Kernel((values,), run, shape, moves=True)


def _check_row(shape: Shape) -> None:
    if _with_rank(shape, 4)[:2] != (1, 1):
        raise ValueError(f"has an input of shape {list(shape)}, expected [1, 1, steps, values]")


def _build_fully_connected(node: Node) -> Kernel:
    values, weights, bias = node.inputs(2, optional=1)
    if node.options.number(1, INT8) or node.options.number(2, UINT8):
        raise ValueError("has shuffled weights, or keeps dimensions")
    matrix = node.constant_of(weights)
    outputs, depth = _with_rank(matrix.shape, 2)
    finish = _finisher(node, bias, outputs, node.activation(0))
    transposed = matrix.T  # BLAS reads it in either order

    def shape(found: Shape) -> Shape:
        if prod(found) % depth:
            raise ValueError(f"cannot multiply {list(found)} by {list(matrix.shape)}")
        return prod(found) // depth, outputs

    def run(array: Array) -> Array:
        return finish(dot(array.reshape(-1, depth), transposed))

    return Kernel((values,), run, shape, depth)


def _build_convolution(node: Node) -> Kernel:
    """A convolution over the steps of [1, 1, steps, values], without padding."""
    values, weights, bias = node.inputs(2, optional=1)
    options = node.options
    steps = [options.number(field) for field in (1, 2)]
    dilations = [options.number(field, default=1) for field in (4, 5)]
    if options.number(0, INT8) != VALID or steps + dilations != [1] * 4:
        raise ValueError("has padding, strides or dilations")
    kernel = node.constant_of(weights)
    filters, height, taps, size = _with_rank(kernel.shape, 4)
    if height != 1:
        raise ValueError(f"has windows of {height} rows, expected 1")
    finish = _finisher(node, bias, filters, node.activation(3))
    depth = taps * size
    matrix = kernel.reshape(filters, depth).T

    def shape(found: Shape) -> Shape:
        _check_row(found)
        if found[3] != size or found[2] < taps:
            raise ValueError(f"cannot convolve {list(found)} with {list(kernel.shape)}")
        return 1, 1, found[2] - taps + 1, filters

    def multiply(array: Array) -> Array:
        if taps == 1:
            return dot(array.reshape(-1, size), matrix)
        rows = np.ascontiguousarray(array)
        count, item = rows.shape[2] - taps + 1, rows.itemsize
        # Neighboring windows overlap in memory; numpy checks that the last one ends inside.
        windows: Array = np.ndarray((count, depth), rows.dtype, rows, 0, (size * item, item))
        return dot(windows, matrix)

    def run(array: Array) -> Array:
        return finish(multiply(array)).reshape(1, 1, -1, filters)

    def run_pooled(array: Array) -> Array:  # bias and relu are monotonic: the maximum comes first
        return finish(np.maximum.reduce(multiply(array), axis=0)).reshape(1, 1, filters)

    return Kernel((values,), run, shape, depth, run_pooled=run_pooled)


def _finisher(
    node: Node, bias: int, outputs: int, activation: str | None
) -> Callable[[Array], Array]:
    """Return the function that adds a bias and applies the activation, in place."""
    offset = None
    if bias >= 0:
        offset = node.constant_of(bias)
        if offset.shape != (outputs,):
            raise ValueError(f"has a bias of shape {list(offset.shape)}, expected [{outputs}]")

    def finish(products: Array) -> Array:
        if offset is not None:
            products += offset
        if activation:
            np.maximum(products, 0, out=products)
        return products

    return finish


BUILDERS: dict[str, Builder] = {
    "ADD": _binary(np.add),
    "CAST": _build_cast,
    "CONCATENATION": _build_concatenation,
    "CONV_2D": _build_convolution,
    "DEQUANTIZE": _unary(lambda values: values),
    "FLOOR": _unary(np.floor),
    "FULLY_CONNECTED": _build_fully_connected,
    "GATHER": _build_gather,
    "LOGISTIC": _unary(_sigmoid),
    "MAXIMUM": _binary(np.maximum, has_activation=False),
    "MAX_POOL_2D": _build_max_pool,
    "MINIMUM": _binary(np.minimum, has_activation=False),
    "MUL": _binary(np.multiply),
    "QUANTIZE": _unary(lambda values: values),
    "REDUCE_MAX": _reduction(np.maximum, moves=True),
    "RELU": _unary(_relu),
    "RESHAPE": _build_reshape,
    "RSQRT": _unary(_rsqrt),
    "SOFTMAX": _build_softmax,
    "SPLIT": _build_split,
    "STRIDED_SLICE": _build_strided_slice,
    "SUB": _binary(np.subtract),
    "SUM": _reduction(np.add, moves=False),
    "TANH": _unary(np.tanh),
}
