"""The part of TFLite's Python interface that glovelite uses, on numpy.

Programs that run a bundle's model on TFLite's `Interpreter` run it on this one unchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..aliases import Array, Ids
from .program import Program


class OpResolverType:
    """Accepted for compatibility: there are no delegates."""

    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 0


class Interpreter:
    """Runs a model that `convert` wrote; use it in one thread at a time."""

    def __init__(
        self,
        model_content: bytes,
        num_threads: int | None = None,
        experimental_op_resolver_type: int | None = None,
        experimental_preserve_all_tensors: bool = False,
    ) -> None:
        """Read a model.

        Args:
            num_threads: accepted for compatibility; numpy's library for matrices decides.
            experimental_op_resolver_type: accepted for compatibility.
            experimental_preserve_all_tensors: keep all tensors for `get_tensor`.

        Raises:
            ValueError: the model is damaged, or has something that `convert` does not write.
        """
        del num_threads, experimental_op_resolver_type
        self._program = Program(model_content, experimental_preserve_all_tensors)
        self._keeps_all = experimental_preserve_all_tensors
        shape = self._program.tensors[self._program.input].shape
        self._length = shape[1] if len(shape) == 2 else 0
        self._ids: Ids | None = None
        self._values: list[Any] | None = None

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the input."""
        return [self._describe(self._program.input)]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the output."""
        return [self._describe(self._program.output)]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """Describe every tensor."""
        return [self._describe(index) for index in range(len(self._program.tensors))]

    def _get_ops_details(self) -> list[dict[str, Any]]:
        """Describe every operator in order."""
        return [
            {"op_name": operator.name, "inputs": [*operator.inputs], "outputs": [*operator.outputs]}
            for operator in self._program.operators
        ]

    def resize_tensor_input(self, input_index: int, tensor_size: list[int]) -> None:
        """Change the length of the input to [1, length]."""
        if input_index != self._program.input or len(tensor_size) != 2 or tensor_size[0] != 1:
            raise ValueError(f"the input cannot have the shape {tensor_size}")
        self._length, self._values = int(tensor_size[1]), None

    def allocate_tensors(self) -> None:
        """Raise ValueError if the model cannot run on the input's length, or costs too much."""
        self._program.check_length(self._length)
        self._ids = np.zeros((1, self._length), np.int32)

    def set_tensor(self, tensor_index: int, value: Ids) -> None:
        """Set the input."""
        if tensor_index != self._program.input or self._ids is None:
            raise ValueError("only the input can be set, after allocate_tensors()")
        if value.shape != self._ids.shape or value.dtype != np.int32:
            raise ValueError(f"the input is int32 {list(self._ids.shape)}")
        self._ids[:] = value

    def invoke(self) -> None:
        """Run the model; raise IndexError for an id outside of a table."""
        if self._ids is None:
            raise ValueError("call allocate_tensors() first")
        self._values = self._program.run(self._ids)

    def get_tensor(self, tensor_index: int) -> Array:
        """Return the output; or any tensor, if all are kept."""
        if self._values is None or not (self._keeps_all or tensor_index == self._program.output):
            raise ValueError("the tensor was not kept: call invoke() first")
        return np.asarray(self._values[self._program.place(tensor_index)])

    def _describe(self, index: int) -> dict[str, Any]:
        tensor, scale, zero_point = self._program.tensors[index], 0.0, 0
        quantization = tensor.quantization
        if quantization is not None and quantization.scales.size == 1:
            scale = float(quantization.scales.reshape(-1)[0])
            zero_point = quantization.zero_point
        shape = (1, self._length) if index == self._program.input else tensor.shape
        return {
            "index": index,
            "shape": np.array(shape, np.int32),
            "dtype": tensor.dtype.type,
            "quantization": (scale, zero_point),
        }
