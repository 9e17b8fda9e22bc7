"""Reads the weights of a `conv-pool` model back from its flatbuffer, as they are stored.

`convert/tflite/graph.py` builds the graphs. Each weight is found by what the graph does with it,
from the probabilities back to the table, so neither names nor the order of operators matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glovelite.runtime.aliases import Array, Floats
from glovelite.runtime.numpy_engine.model_file import Graph, Operator, read_graph


@dataclass(frozen=True)
class StoredRows:
    """The table: a row for each id.

    Attributes:
        values: float32, float16 or int8 [words, columns], or int8 [words, columns / 2], rounded up,
            with two values a byte, 16 × high + low, both from -7 to 7: the first half of the row is
            low.
        scales: float32 [words], what the values of a row are multiplied by, or None.
        columns: values in a row.
    """

    values: Array
    scales: Floats | None
    columns: int

    @property
    def bits(self) -> int:
        """Bits of a value: 32, 16, 8 or 4."""
        return 4 if self.values.shape[1] < self.columns else 8 * self.values.itemsize


@dataclass(frozen=True)
class StoredWide:
    """A weight for each word and output, or for each word and column that outputs share.

    Attributes:
        values: float32, float16 or int8 [words, columns].
        scales: float32 [columns], what the sums are multiplied by, or None.
    """

    values: Array
    scales: Floats | None


@dataclass(frozen=True)
class StoredWeights:
    """All weights of a `conv-pool` model.

    Attributes:
        rows: word vectors, or in the folded layout the products of each word with the kernels:
            kernel by kernel, tap by tap, filter by filter.
        shapes: taps and filters of each kernel.
        kernels: float32 [taps, dimensions, filters] each; empty in the folded layout.
        feature_bias: float32 [features].
        kernel: of the logits, float32 [features, outputs].
        bias: of the logits, float32 [outputs].
        wide: weights of single words, or None.
        mixing: of many outputs, which share columns: `kernel` and `wide` have columns in place of
            outputs, and the columns of both, joined, are multiplied by it: float32 [columns of
            both, outputs]. None where each output has a column.
        softmax: whether the outputs are a softmax of the logits, not a sigmoid of each.
    """

    rows: StoredRows
    shapes: tuple[tuple[int, int], ...]
    kernels: tuple[Floats, ...]
    feature_bias: Floats
    kernel: Floats
    bias: Floats
    wide: StoredWide | None
    mixing: Floats | None
    softmax: bool


def read_weights(flatbuffer: bytes) -> StoredWeights:
    """Read the weights of a model.

    Raises:
        ValueError: it is no `conv-pool` model of float32 arithmetic; the message says why.
    """
    return _Reader(read_graph(flatbuffer)).read()


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made_by = {t: operator for operator in graph.operators for t in operator.outputs}

    def read(self) -> StoredWeights:
        output = self._maker(self._graph.output, "LOGISTIC", "SOFTMAX")
        softmax, wide, mixing = output.name == "SOFTMAX", None, None
        bias = np.zeros(1, np.float32)
        dense: Operator | None = None
        addends = [*self._addends(output.inputs[0])]
        while addends:
            addend = addends.pop(0)
            maker = self._made_by.get(addend)
            if self._constant(addend) is not None:
                bias = bias + self._numbers(addend).reshape(-1)
            elif maker is not None and mixing is None and (parts := self._list_shared(maker)):
                addends += parts
                mixing, added = self._read_dense(maker)
                bias = bias + added
            elif maker is not None and self._is_of_features(maker) and dense is None:
                dense = maker
            elif wide is None:
                wide = self._read_wide(addend)
            else:
                raise ValueError("its logits have a part that is unknown")
        if dense is None:
            raise ValueError("its logits are not a weighted sum of features")
        kernel, added = self._read_dense(dense)
        if mixing is None:
            bias = bias + added
        elif added.any():
            raise ValueError("its shared columns have a bias")
        outputs = kernel if mixing is None else mixing
        bias = np.broadcast_to(bias, outputs.shape[1:]).astype(np.float32)
        convolutions = [o for o in self._graph.operators if o.name == "CONV_2D"]
        read = self._read_convolutions if convolutions else self._read_folded
        rows = read(dense.inputs[0])
        return StoredWeights(*rows, kernel, bias, wide, mixing, softmax)

    def _read_dense(self, maker: Operator) -> tuple[Floats, Floats]:
        """Return the weights of a dense layer, [inputs, outputs], and its bias."""
        bias = np.zeros(1, np.float32)
        if len(maker.inputs) > 2 and maker.inputs[2] >= 0:
            bias = self._numbers(maker.inputs[2])
        return np.ascontiguousarray(self._numbers(maker.inputs[1]).T), bias

    def _list_shared(self, maker: Operator) -> list[int]:
        """Return the parts of what a dense layer mixes, if one of them is of the features."""
        joined = self._made_by.get(maker.inputs[0]) if maker.name == "FULLY_CONNECTED" else None
        if joined is None or joined.name != "CONCATENATION":
            return []
        makers = [self._made_by.get(part) for part in joined.inputs]
        if all(made is None or made.name != "FULLY_CONNECTED" for made in makers):
            return []
        return [*joined.inputs]

    def _read_convolutions(
        self, features: int
    ) -> tuple[StoredRows, tuple[tuple[int, int], ...], tuple[Floats, ...], Floats]:
        """Read the kernels whose maxima over the text are the features."""
        kernels, biases, vectors = [], [], set()
        for pooled in self._parts(features):
            convolution = self._maker(self._maker(pooled, "REDUCE_MAX").inputs[0], "CONV_2D")
            source, kernel, bias = convolution.inputs
            kernels.append(np.ascontiguousarray(self._numbers(kernel)[:, 0].transpose(1, 2, 0)))
            biases.append(self._numbers(bias))
            vectors.add(self._unmoved(source))
        if len(vectors) != 1:
            raise ValueError("its convolutions read several tables")
        shapes = tuple((len(kernel), kernel.shape[2]) for kernel in kernels)
        return self._read_rows(vectors.pop()), shapes, tuple(kernels), np.concatenate(biases)

    def _read_folded(
        self, features: int
    ) -> tuple[StoredRows, tuple[tuple[int, int], ...], tuple[Floats, ...], Floats]:
        """Read the shapes of kernels whose products with each word are the table."""
        biased = self._made_by.get(features)
        while biased is not None and biased.name in ("RELU", "RESHAPE"):
            biased = self._made_by.get(biased.inputs[0])
        if biased is None or biased.name != "ADD":
            raise ValueError("its features have no bias")
        (bias,) = (tensor for tensor in biased.inputs if self._constant(tensor) is not None)
        (joined,) = (tensor for tensor in biased.inputs if tensor != bias)
        shapes, products = [], set()
        for pooled in self._parts(joined):
            slices = [*self._addends(self._maker(pooled, "REDUCE_MAX").inputs[0])]
            products |= {self._maker(part, "STRIDED_SLICE").inputs[0] for part in slices}
            shapes.append((len(slices), self._graph.tensors[pooled].shape[-1]))
        if len(products) != 1:
            raise ValueError("its features are not sums of one table's columns")
        feature_bias = self._numbers(bias).reshape(-1)
        return self._read_rows(products.pop()), tuple(shapes), (), feature_bias

    def _read_rows(self, tensor: int) -> StoredRows:
        """Read the table whose rows for the ids of a text are a tensor."""
        maker, scales = self._maker(tensor, "GATHER", "CAST", "MUL"), None
        columns = self._graph.tensors[tensor].shape[-1]
        if maker.name == "MUL":  # by the scale of each row
            by_scale = [t for t in maker.inputs if self._is_gathered(t)]
            (scale,) = by_scale
            (tensor,) = (t for t in maker.inputs if t != scale)
            scales = self._numbers(self._made_by[scale].inputs[0]).reshape(-1)
        values = self._find_table(tensor)
        if values.shape[1] not in (columns, -(-columns // 2)):
            raise ValueError("its table's rows have an unknown form")
        return StoredRows(values, scales, columns)

    def _find_table(self, tensor: int) -> Array:
        """Return the table that a tensor is looked up in and computed from."""
        seen = {tensor}
        while True:
            maker = self._made_by.get(tensor)
            if maker is None:
                raise ValueError("its table is not looked up")
            if maker.name == "GATHER":
                return self._stored(maker.inputs[0])
            computed = [t for t in maker.inputs if t >= 0 and self._constant(t) is None]
            tensor = computed[-1 if maker.name == "CONCATENATION" else 0]
            if tensor in seen:
                raise ValueError("the model is damaged: its operators form a cycle")
            seen.add(tensor)

    def _read_wide(self, tensor: int) -> StoredWide:
        """Read the weights of words that are summed, scaled, and divided by the text's length."""
        scales = None
        maker = self._maker(tensor, "MUL", "SUM")
        while maker.name == "MUL":
            for factor in maker.inputs:
                if self._constant(factor) is not None:
                    scales = self._numbers(factor).reshape(-1)
            (tensor,) = (t for t in maker.inputs if self._has_sum(t))
            maker = self._maker(tensor, "MUL", "SUM")
        return StoredWide(self._find_table(maker.inputs[0]), scales)

    def _is_of_features(self, maker: Operator) -> bool:
        """Return whether an operator is the dense layer of the features, not of wide weights."""
        return maker.name == "FULLY_CONNECTED" and not self._has_sum(maker.inputs[0])

    def _has_sum(self, tensor: int) -> bool:
        """Return whether a tensor is a sum of rows, scaled or not, and not the root of a length."""
        maker = self._made_by.get(tensor)
        while maker is not None and maker.name == "MUL":
            maker = next((self._made_by.get(t) for t in maker.inputs if self._has_sum(t)), None)
        return maker is not None and maker.name == "SUM"

    def _is_gathered(self, tensor: int) -> bool:
        maker = self._made_by.get(tensor)
        return maker is not None and maker.name == "GATHER" and self._is_column(maker.inputs[0])

    def _is_column(self, tensor: int) -> bool:
        return self._graph.tensors[tensor].shape[1:] == (1,)

    def _addends(self, tensor: int) -> Iterator[int]:
        """Yield what a tensor is the sum of, in order; the tensor itself if it is no sum."""
        maker = self._made_by.get(tensor)
        if maker is None or maker.name != "ADD" or self._constant(tensor) is not None:
            yield tensor
            return
        for addend in maker.inputs:
            yield from self._addends(addend)

    def _parts(self, tensor: int) -> list[int]:
        """Return what is joined to a tensor, in order, whatever its shape was before."""
        tensor = self._unmoved(tensor)
        maker = self._made_by.get(tensor)
        joined = maker.inputs if maker is not None and maker.name == "CONCATENATION" else (tensor,)
        return [self._unmoved(part) for part in joined]

    def _unmoved(self, tensor: int) -> int:
        """Return the tensor that another one is a reshaped copy of."""
        maker = self._made_by.get(tensor)
        while maker is not None and maker.name == "RESHAPE":
            tensor = maker.inputs[0]
            maker = self._made_by.get(tensor)
        return tensor

    def _maker(self, tensor: int, *names: str) -> Operator:
        """Return the operator that computes a tensor, which must be one of these."""
        maker = self._made_by.get(tensor)
        if maker is None or maker.name not in names:
            found = "nothing" if maker is None else maker.name
            raise ValueError(f"it has {found} where {' or '.join(names)} was expected")
        return maker

    def _constant(self, tensor: int) -> Array | None:
        """Return a constant, before it is dequantized; None if the tensor is computed."""
        maker = self._made_by.get(tensor)
        if maker is not None and maker.name == "DEQUANTIZE":
            tensor = maker.inputs[0]
        return self._graph.tensors[tensor].values

    def _stored(self, tensor: int) -> Array:
        values = self._constant(tensor)
        if values is None or values.ndim != 2:
            raise ValueError("its table is not constant")
        return values

    def _numbers(self, tensor: int) -> Floats:
        """Return a constant of real numbers as float32."""
        values = self._constant(tensor)
        if values is None or values.dtype.kind != "f":
            raise ValueError("a weight is no constant of real numbers")
        return values.astype(np.float32)
