"""Turns a model into a list of numpy calls, and runs it on inputs of any length.

A program has no state of its own between runs. All that could make a run fail or take unbounded
time or memory is checked before: types once, shapes and sizes the first time that a length is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..aliases import Array, Floats, Ids
from .model_file import Operator, Quantization, Tensor, read_graph
from .operators import BUILDERS, Kernel, Node

FLOAT32, FLOAT16, INT32, INT8 = (np.dtype(name) for name in ("<f4", "<f2", "<i4", "i1"))
INTEGER_OPERATORS = {"ADD", "MAXIMUM", "MINIMUM", "MUL", "RELU", "SUB", "SUM"}

# A forged model may ask for anything. Of ours, `--preset large` needs 10,000 values and 200,000
# multiplications an id. What does not depend on the input's length comes first.
MAX_EXPANSION = 8  # constants in memory, relative to the file
MAX_VALUES, MAX_VALUES_PER_ID, MAX_VALUES_IN_ALL = 1 << 22, 1 << 17, 1 << 29
MAX_WORK, MAX_WORK_PER_ID, MAX_WORK_IN_ALL = 1 << 28, 1 << 22, 1 << 34
WORK_PER_OPERATOR, WORK_PER_VALUE = 1 << 10, 8  # in multiplications of matrices

LOWEST, HIGHEST = np.float32(-128), np.float32(127)  # of int8

Step = Callable[[list[Any]], None]


class Program:
    """A compiled model.

    Attributes:
        input: the tensor that `run` is given.
    """

    def __init__(self, content: bytes, keep_all: bool = False) -> None:
        """Compile a model.

        Args:
            keep_all: `run` returns every tensor, not only the output.

        Raises:
            ValueError: the model is damaged, or has something that `convert` does not write.
        """
        graph = read_graph(content)
        self.tensors, self.operators = graph.tensors, graph.operators
        self.input, self.output = graph.input, graph.output
        self._keep_all = keep_all
        self._spare_bytes = MAX_EXPANSION * len(content)
        self._constants: dict[int, Array] = {
            index: tensor.values
            for index, tensor in enumerate(self.tensors)
            if tensor.values is not None
        }
        self._real_constants: dict[int, Floats] = {}
        self._checked_lengths: set[int] = set()
        if self._type_of(self.input) != INT32 or self.input in self._constants:
            raise ValueError("the model's input is not int32")
        self._kernels = self._compile()
        self._steps, self._template = self._assign_slots()

    def check_length(self, length: int) -> None:
        """Raise ValueError if a length is impossible or takes too much time or memory."""
        if length in self._checked_lengths:
            return
        shapes = {index: array.shape for index, array in self._constants.items()}
        shapes[self.input] = (1, length)
        values = work = 0
        for operator, kernel in self._kernels:
            try:
                shape = kernel.shape(*(shapes[tensor] for tensor in kernel.inputs))
            except ValueError as error:
                raise ValueError(f"{operator.name} {error}") from None
            if min(shape, default=1) < 1:
                raise ValueError(f"{operator.name} computes no values of {length} ids")
            shapes.update(dict.fromkeys(operator.outputs, shape))
            size = prod(shape) * len(operator.outputs)
            values += size + (prod(shape[:-1]) * kernel.depth if kernel.depth > 1 else 0)
            read = 0 if operator.name == "GATHER" else sum(prod(shapes[n]) for n in kernel.inputs)
            work += max(size * kernel.depth, (size + read) * WORK_PER_VALUE) + WORK_PER_OPERATOR
            if values > min(MAX_VALUES + MAX_VALUES_PER_ID * length, MAX_VALUES_IN_ALL):
                raise ValueError(f"the model takes too much memory for {length} ids")
            if work > min(MAX_WORK + MAX_WORK_PER_ID * length, MAX_WORK_IN_ALL):
                raise ValueError(f"the model takes too much time for {length} ids")
        output = shapes[self.output]
        if len(output) != 2 or output[0] != 1:
            raise ValueError(f"the model's output has the shape {list(output)}, expected [1, …]")
        self._checked_lengths.add(length)

    def run(self, ids: Ids) -> list[Any]:
        """Run the model.

        Args:
            ids: int32 [1, length] of a length that `check_length` accepts.

        Returns:
            Tensors at the places that `place` returns.
        """
        values = list(self._template)
        values[self.place(self.input)] = ids
        with np.errstate(all="ignore"):  # infinite and undefined numbers are results like others
            for step in self._steps:
                step(values)
        return values

    def place(self, tensor: int) -> int:
        """Return where `run` leaves a tensor: the input, the output, or any if all are kept."""
        return self._places[tensor]

    def _type_of(self, tensor: int) -> np.dtype[Any]:
        return self.tensors[tensor].dtype

    def _compile(self) -> list[tuple[Operator, Kernel]]:
        """Build the kernels of all operators whose inputs are not constant."""
        kernels, computed = [], {self.input}
        gathered = self._find_gathered()
        for operator in self.operators:
            try:
                if {*operator.outputs} & {*computed, *self._constants} or not operator.outputs:
                    raise ValueError("computes a tensor that exists, or none")
                if not {*operator.inputs} - {-1} <= {*computed, *self._constants}:
                    raise ValueError("reads a tensor that nothing computes")
                if operator.name == "DEQUANTIZE" and self._fold(operator, gathered):
                    continue
                node = Node(operator, self.tensors, self._real_constant)
                kernels.append((operator, self._adapt(operator, BUILDERS[operator.name](node))))
            except ValueError as error:
                raise ValueError(f"{operator.name} {error}") from None
            computed.update(operator.outputs)
        if self.output not in computed or self.output == self.input:
            raise ValueError("the model does not compute its output")
        return kernels

    def _find_gathered(self) -> set[int]:
        """Return the tensors that are only the tables of GATHER."""
        tables: set[int] = set()
        others = {self.output}
        for operator in self.operators:
            is_gather = operator.name == "GATHER"
            tables.update(operator.inputs[:is_gather])
            others.update(operator.inputs[is_gather:])
        return tables - others

    def _fold(self, operator: Operator, gathered: set[int]) -> bool:
        """Compute a constant DEQUANTIZE now; a table of 16 bits is left to GATHER."""
        if len(operator.inputs) != 1 or len(operator.outputs) != 1:
            raise ValueError("has several inputs or outputs")
        source, target = operator.inputs[0], operator.outputs[0]
        if source not in self._constants:
            return False
        if self._type_of(target) != FLOAT32 or self.tensors[target].quantization:
            raise ValueError("does not compute float32")
        if target in gathered and self._type_of(source) == FLOAT16:
            self._constants[target] = self._constants[source]
        else:
            self._constants[target] = self._real_constant(source)
        return True

    def _real_constant(self, index: int) -> Floats:
        """Return a constant as float32, expanded once."""
        found = self._real_constants.get(index)
        if found is not None:
            return found
        values, quantization = self._constants.get(index), self.tensors[index].quantization
        if values is None:
            raise ValueError("needs constant weights")
        if values.dtype != FLOAT32:
            if values.dtype != FLOAT16 and quantization is None:
                raise ValueError("has integer weights without a scale")
            self._spare_bytes -= values.size * FLOAT32.itemsize
            if self._spare_bytes < 0:
                raise ValueError("has too many constants that must be expanded")
            values = values.astype(FLOAT32)
            if quantization:
                values -= np.float32(quantization.zero_point)
                values *= quantization.scales
        self._real_constants[index] = values
        return values

    def _adapt(self, operator: Operator, kernel: Kernel) -> Kernel:
        """Check a kernel's types; convert the quantized arguments and results of arithmetic."""
        inputs = kernel.inputs[:1] if operator.name == "GATHER" else kernel.inputs
        outputs = [self.tensors[index] for index in operator.outputs]
        tensors = [self.tensors[index] for index in inputs] + outputs
        types = {tensor.dtype for tensor in tensors}
        if FLOAT16 in types:
            raise ValueError("of float16 is unknown to the numpy engine")
        if len(outputs) > 1 and operator.name != "SPLIT":
            raise ValueError(f"has {len(outputs)} outputs")
        if operator.name == "CAST":
            if any(tensor.quantization for tensor in tensors):
                raise ValueError("has quantized values")
            return kernel
        if kernel.moves and len(types) == 1 and _have_one_quantization(tensors):
            return kernel
        if types == {INT32} and operator.name in INTEGER_OPERATORS:
            return kernel
        if types == {FLOAT32} and not any(tensor.quantization for tensor in tensors):
            return kernel
        if operator.name in ("GATHER", "SPLIT"):
            raise ValueError("changes the type of its values")
        return self._with_conversions(kernel, outputs[0])

    def _with_conversions(self, kernel: Kernel, output: Tensor) -> Kernel:
        arguments: list[int] = []
        converters: list[Callable[[Array], Array]] = []
        for index in kernel.inputs:
            tensor = self.tensors[index]
            if index in self._constants:
                extra = len(self.tensors) + index  # its integers may be needed as well
                self._constants[extra] = self._real_constant(index)
                arguments.append(extra)
                converters.append(_keep)
            else:
                arguments.append(index)
                converters.append(_dequantizer(tensor))
        quantize = _quantizer(output)

        def convert(function: Callable[..., Array]) -> Callable[..., Array]:
            if len(converters) == 1:
                (only,) = converters
                return lambda values: quantize(function(only(values)))

            def run(*values: Array) -> Array:
                real = [to_real(value) for to_real, value in zip(converters, values)]
                return quantize(function(*real))

            return run

        # Quantizing is monotonic: the maximum over the steps may come first.
        run_pooled = kernel.run_pooled and convert(kernel.run_pooled)
        run = convert(kernel.run)
        return Kernel(tuple(arguments), run, kernel.shape, kernel.depth, run_pooled=run_pooled)

    def _fuse_pooling(self) -> list[tuple[Operator, Kernel]]:
        """Replace each convolution, and the maximum over its steps that alone uses it, by one."""
        uses = Counter(tensor for _, kernel in self._kernels for tensor in kernel.inputs)
        uses[self.output] += 1
        convolutions = {
            operator.outputs[0]: kernel for operator, kernel in self._kernels if kernel.run_pooled
        }
        fused, pooled = [], set()
        for operator, kernel in self._kernels:
            source = kernel.inputs[0]
            if (
                operator.name == "REDUCE_MAX"
                and source in convolutions
                and uses[source] == 1
                and kernel.shape((1, 1, 5, 7)) == (1, 1, 7)
            ):
                pooled.add(source)
                run = convolutions[source].run_pooled or kernel.run
                kernel = replace(kernel, inputs=convolutions[source].inputs, run=run)
            fused.append((operator, kernel))
        return [pair for pair in fused if pair[0].outputs[0] not in pooled]

    def _assign_slots(self) -> tuple[list[Step], list[Any]]:
        """Return the steps, and the list of values that they start with.

        A computed tensor takes the place of one that is no longer needed, which frees its memory.
        """
        kernels = self._kernels if self._keep_all else self._fuse_pooling()
        last_use = {tensor: n for n, (_, kernel) in enumerate(kernels) for tensor in kernel.inputs}
        template: list[Any] = []
        self._places: dict[int, int] = {}
        free: list[int] = []

        def place(tensor: int, value: Any = None) -> int:
            if not free:
                template.append(value)
            self._places[tensor] = free.pop() if free else len(template) - 1
            return self._places[tensor]

        for index, values in self._constants.items():
            if index in last_use or self._keep_all:
                place(index, values)
        place(self.input)
        steps = []
        for number, (operator, kernel) in enumerate(kernels):
            arguments = [self._places[tensor] for tensor in kernel.inputs]
            if not self._keep_all:
                for tensor in {*kernel.inputs} - self._constants.keys():
                    if last_use[tensor] == number:
                        free.append(self._places[tensor])
            results = [place(tensor) for tensor in operator.outputs]
            steps.append(_make_step(kernel.run, arguments, results))
        return steps, template


def _have_one_quantization(tensors: list[Tensor]) -> bool:
    found = [tensor.quantization for tensor in tensors]
    kinds = {q and (q.zero_point, q.scales.shape, q.scales.tobytes()) for q in found}
    return len(kinds) == 1


def _keep(values: Array) -> Array:
    return values


def _dequantizer(tensor: Tensor) -> Callable[[Array], Array]:
    """Return the function from a tensor's values to real numbers."""
    if tensor.quantization is None and tensor.dtype == FLOAT32:
        return _keep
    scale, zero_point = _one_scale(tensor)

    def dequantize(values: Array) -> Array:
        real = values.astype(np.float32)
        real -= zero_point
        real *= scale
        return real

    return dequantize


def _quantizer(tensor: Tensor) -> Callable[[Array], Array]:
    """Return the function from real numbers to a tensor's values."""
    if tensor.quantization is None and tensor.dtype == FLOAT32:
        return _keep
    scale, zero_point = _one_scale(tensor)

    def quantize(values: Array) -> Array:  # np.clip takes longer than two functions
        codes = values / scale
        np.rint(codes, codes)
        codes += zero_point
        np.maximum(codes, LOWEST, codes)
        np.minimum(codes, HIGHEST, codes)
        return codes.astype(np.int8)

    return quantize


def _one_scale(tensor: Tensor) -> tuple[np.float32, np.float32]:
    quantization: Quantization | None = tensor.quantization
    if quantization is None or tensor.dtype != INT8 or quantization.scales.size != 1:
        raise ValueError(f"of {tensor.dtype} is unknown to the numpy engine")
    return np.float32(quantization.scales.reshape(-1)[0]), np.float32(quantization.zero_point)


def _make_step(run: Callable[..., Any], arguments: list[int], results: list[int]) -> Step:
    """Return a function that computes some places of a list of values from others."""
    if len(results) > 1:

        def compute_several(values: list[Any]) -> None:
            for result, value in zip(results, run(*[values[place] for place in arguments])):
                values[result] = value

        return compute_several
    (result,) = results
    if len(arguments) == 1:
        (only,) = arguments

        def compute_one(values: list[Any]) -> None:
            values[result] = run(values[only])

        return compute_one
    if len(arguments) == 2:
        first, second = arguments

        def compute_two(values: list[Any]) -> None:
            values[result] = run(values[first], values[second])

        return compute_two

    def compute_many(values: list[Any]) -> None:
        values[result] = run(*[values[place] for place in arguments])

    return compute_many
