"""Writes a bundle's model as ONNX, from the weights of its flatbuffer: ids to probabilities.

Text becomes ids outside of the model, by the vocabulary of the bundle. The numbers of the table
stay as they are stored; what they are multiplied by is applied to the rows of a text.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.runtime.aliases import Array, PathLike
from glovelite.runtime.bundle import Bundle, read_bundle
from glovelite.runtime.errors import EngineError, OutputError
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.files.output import atomic_file
from glovelite.runtime.self_test import read_golden_texts, read_tolerance
from glovelite.runtime.text.vocabulary import PADDING_ID
from glovelite.runtime.version import __version__

from ..model.reduction import QuantizedRows, dequantize_rows
from ..model_bin.graph_weights import StoredRows, StoredWeights, StoredWide
from ..model_bin.model_file import read_stored, select_weights

OPSET, IR_VERSION = 17, 8  # of onnxruntime 1.12 and newer
IDS, PROBABILITIES = "ids", "probabilities"


@dataclass(frozen=True)
class OnnxResult:
    """An ONNX file that was written.

    Attributes:
        path: the file.
        bytes: its size.
        largest_difference: of a golden text's probability from the bundle's.
    """

    path: Path
    bytes: int
    largest_difference: float

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def write_onnx(bundle: PathLike, out: PathLike, *, overwrite: bool = False) -> OnnxResult:
    """Write the model of a bundle as ONNX, checked against the bundle's golden texts.

    Its input is `ids`, int64 [texts, length], each text with the padding that the metadata
    `trailing_padding` names at least; its output `probabilities`, float32 [texts, labels].

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: ONNX cannot have its model, or the extra `onnx` is missing.
        OutputError: the file exists or cannot be written.
    """
    target = Path(out)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists: choose another file, or --overwrite it")
    source = read_bundle(bundle)
    content, difference = build_onnx(source)
    with atomic_file(target) as file:
        file.write(content)
    return OnnxResult(target, len(content), difference)


def build_onnx(bundle: Bundle) -> tuple[bytes, float]:
    """Return the ONNX model of a bundle, and how far its golden texts' probabilities are off."""
    try:
        from onnx import checker
        from onnx.reference import ReferenceEvaluator
    except ModuleNotFoundError as error:
        raise EngineError(missing_extra_message(error.name, "onnx")) from None
    if bundle.ngrams is not None:
        raise EngineError(
            f"{bundle.path} reads character n-grams, which are added outside of the model: train "
            "with --no-ngrams"
        )
    model = build_model(bundle, read_stored(bundle))
    checker.check_model(model)
    evaluator, differences = ReferenceEvaluator(model), []
    for golden in read_golden_texts(bundle):
        ids = [*golden.ids, *[PADDING_ID] * bundle.vocabulary.trailing_padding]
        (found,) = evaluator.run(None, {IDS: np.array([ids], np.int64)})
        differences.append(float(np.abs(found[0] - np.array(golden.probabilities)).max()))
    if not max(differences) <= read_tolerance(bundle):
        raise EngineError(f"{bundle.path}: a golden text differs by {max(differences):.4f} in ONNX")
    content: bytes = model.SerializeToString()
    return content, max(differences)


class _Graph:
    """The nodes and constants of a graph; each node is named by its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Array) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def look_up(self, values: Array) -> str:
        """Add the rows of the ids of a text, as float32."""
        from onnx import TensorProto

        rows = self.add("Gather", self.constant(values), IDS)
        return rows if values.dtype == np.float32 else self.add("Cast", rows, to=TensorProto.FLOAT)


def build_model(bundle: Bundle, weights: StoredWeights) -> Any:
    """Build the ONNX model of a bundle from its stored weights."""
    from onnx import TensorProto, helper

    graph, vocabulary = _Graph(), bundle.vocabulary
    logits = _add_logits(graph, weights, bundle.vocabulary.multi_label)
    outputs = graph.add("Softmax" if weights.softmax else "Sigmoid", logits)
    if len(weights.bias) < len(vocabulary.labels):  # a sigmoid: of the second label
        first = graph.add("Sub", graph.constant(np.ones((1, 1), np.float32)), outputs)
        outputs = graph.add("Concat", first, outputs, axis=1)
    graph.add("Identity", outputs, output=PROBABILITIES)
    describe = helper.make_tensor_value_info
    inputs = [describe(IDS, TensorProto.INT64, ["texts", "length"])]
    results = [describe(PROBABILITIES, TensorProto.FLOAT, ["texts", len(vocabulary.labels)])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "glovelite", inputs, results, graph.constants),
        producer_name="glovelite",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    properties = {
        "labels": json.dumps(vocabulary.labels, ensure_ascii=False),
        "max_tokens": str(vocabulary.max_tokens),
        "trailing_padding": str(vocabulary.trailing_padding),
    }
    helper.set_model_props(model, properties)
    return model


def _add_logits(graph: _Graph, weights: StoredWeights, multi_label: bool) -> str:
    rows = weights.rows
    vectors = graph.look_up(_unpack(rows))
    if rows.scales is not None:
        vectors = graph.add("Mul", vectors, graph.look_up(rows.scales[:, None]))
    channels, features = graph.add("Transpose", vectors, perm=[0, 2, 1]), []
    for convolution in select_weights(weights, np.zeros(1, np.int64), multi_label).convolutions:
        kernel = graph.constant(convolution.kernel.transpose(2, 1, 0))  # filters, dimensions, taps
        windows = graph.add("Conv", channels, kernel, graph.constant(convolution.bias))
        features.append(graph.add("ReduceMax", windows, axes=[2], keepdims=0))
    joined = graph.add("Relu", graph.add("Concat", *features, axis=1))
    parts = [graph.add("MatMul", joined, graph.constant(weights.kernel))]
    if weights.wide is not None:
        parts.append(_add_wide(graph, weights.wide))
    if weights.mixing is not None:  # of many outputs
        mixing = graph.constant(weights.mixing)
        parts = [graph.add("MatMul", graph.add("Concat", *parts, axis=1), mixing)]
    return graph.add("Sum", *parts, graph.constant(weights.bias))


def _unpack(rows: StoredRows) -> Array:
    """Return the values of rows; ONNX has no half bytes, so values of 4 bits take a byte."""
    if rows.bits > 4:
        return rows.values
    ones = np.ones((len(rows.values), 1), np.float32)
    return dequantize_rows(QuantizedRows(rows.values, ones, rows.columns, rows.bits)).astype(
        np.int8
    )


def _add_wide(graph: _Graph, wide: StoredWide) -> str:
    """Add the weights of the words, summed and divided by the root of the number of words."""
    from onnx import TensorProto

    axis = graph.constant(np.ones(1, np.int64))
    total = graph.add("ReduceSum", graph.look_up(wide.values), axis, keepdims=0)
    padding = graph.add("Equal", IDS, graph.constant(np.array([PADDING_ID], np.int64)))
    present = graph.add("Cast", graph.add("Not", padding), to=TensorProto.FLOAT)
    count = graph.add("ReduceSum", present, axis, keepdims=1)
    tokens = graph.add("Max", count, graph.constant(np.ones(1, np.float32)))
    mean = graph.add("Div", total, graph.add("Sqrt", tokens))
    if wide.scales is not None:
        mean = graph.add("Mul", mean, graph.constant(wide.scales))
    return mean
