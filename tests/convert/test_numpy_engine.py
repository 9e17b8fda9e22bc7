"""The numpy engine reads TFLite's format as TensorFlow defines it, and refuses what is not ours."""

import flatbuffers
import numpy as np
import pytest

from glovelite.convert.tflite.tflite_file import FILE_IDENTIFIER, TFLITE_2_14, schema
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.numpy_engine.model_file import OPERATORS, TYPES
from glovelite.runtime.numpy_engine.operators import BUILDERS
from glovelite.runtime.numpy_engine.program import Program


@pytest.fixture
def model(bundle):
    """The default bundle's model as objects that a test may change."""
    return schema().ModelT.InitFromPackedBuf(read_bundle(bundle).model)


def pack(model):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def run(model, length=20):
    program = Program(pack(model))
    program.check_length(length)
    values = program.run(np.full((1, length), 2, np.int32))
    return values[program.place(program.output)]


def find(model, name):
    """Return the first operator of a name."""
    number = getattr(schema().BuiltinOperator, name)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    (graph,) = model.subgraphs
    return next(operator for operator in graph.operators if codes[operator.opcodeIndex] == number)


def test_numbers_are_those_of_the_schema():
    operators, types = vars(schema().BuiltinOperator), vars(schema().TensorType)
    assert all(operators[name] == number for number, name in OPERATORS.items())
    assert set(OPERATORS.values()) == set(BUILDERS) <= set(TFLITE_2_14)
    assert {types[name.upper()]: name for name in map(str, TYPES.values())} == {
        number: dtype.name for number, dtype in TYPES.items()
    }


def test_an_unchanged_model_runs(model):
    assert run(model).shape == (1, 4)


@pytest.mark.parametrize("name", ["TRANSPOSE", "CUSTOM", "WHILE"])
def test_an_unknown_operator_is_refused_by_its_number(model, name):
    number = getattr(schema().BuiltinOperator, name)
    code = model.operatorCodes[find(model, "SOFTMAX").opcodeIndex]
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    with pytest.raises(ValueError, match=f"does not have the model's operator number {number}"):
        run(model)


def test_an_unknown_type_is_refused_by_its_number(model):
    model.subgraphs[0].tensors[-1].type = schema().TensorType.COMPLEX64
    with pytest.raises(ValueError, match="does not have the model's tensor type number 8"):
        run(model)


@pytest.mark.parametrize(
    ("operator", "option", "value", "message"),
    [
        ("CONV_2D", "padding", 0, "CONV_2D has padding, strides or dilations"),
        ("CONV_2D", "strideW", 2, "CONV_2D has padding, strides or dilations"),
        ("CONV_2D", "dilationWFactor", 2, "CONV_2D has padding, strides or dilations"),
        ("CONV_2D", "fusedActivationFunction", 4, "CONV_2D has the activation number 4"),
        ("GATHER", "axis", 1, "GATHER gathers along another axis"),
        ("GATHER", "batchDims", 1, "GATHER gathers along another axis"),
        ("CONCATENATION", "axis", 2, "CONCATENATION has the axis 2 of 2 dimensions"),
        ("FULLY_CONNECTED", "weightsFormat", 1, "FULLY_CONNECTED has shuffled weights"),
    ],
)
def test_options_that_our_models_never_have_are_refused(model, operator, option, value, message):
    setattr(find(model, operator).builtinOptions, option, value)
    with pytest.raises(ValueError, match=message):
        run(model)


def test_tensors_of_other_sizes_than_their_shapes_are_refused(model):
    weights = model.subgraphs[0].tensors[find(model, "GATHER").inputs[0]]
    weights.shape = [int(weights.shape[0]) + 1, int(weights.shape[1])]
    with pytest.raises(ValueError, match=r"a tensor of shape .* has .* bytes"):
        run(model)


def test_an_operator_that_reads_what_nothing_computes_is_refused(model):
    model.subgraphs[0].operators.reverse()
    with pytest.raises(ValueError, match="SOFTMAX reads a tensor that nothing computes"):
        run(model)


def test_an_operator_that_writes_a_constant_is_refused(model):
    find(model, "SOFTMAX").outputs = [find(model, "GATHER").inputs[0]]
    with pytest.raises(ValueError, match="SOFTMAX computes a tensor that exists"):
        run(model)


def add_operators(model, name, count, options=None):
    """Insert operators before the last one, each on the output of the one before it, twice."""
    (graph,), tflite = model.subgraphs, schema()
    code = tflite.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(tflite.BuiltinOperator, name)
    code.version = 1
    model.operatorCodes.append(code)
    source = find(model, "SOFTMAX").inputs[0]
    for _ in range(count):
        tensor, operator = tflite.TensorT(), tflite.OperatorT()
        tensor.shape, tensor.type, tensor.buffer = [1, 4], tflite.TensorType.FLOAT32, 0
        graph.tensors.append(tensor)
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [source, source], [len(graph.tensors) - 1]
        if options is not None:
            operator.builtinOptions, operator.builtinOptionsType = options
        graph.operators.insert(-1, operator)
        source = operator.outputs[0]
    find(model, "SOFTMAX").inputs = [source]


def test_a_model_that_doubles_its_values_is_refused_before_it_runs(model):
    tflite = schema()
    options = tflite.ConcatenationOptionsT()
    options.axis = 1
    add_operators(model, "CONCATENATION", 40, (options, tflite.BuiltinOptions.ConcatenationOptions))
    with pytest.raises(ValueError, match="takes too much memory for 20 ids"):
        run(model)


def test_a_model_that_reads_its_values_too_often_is_refused_before_it_runs(model):
    """2,000 maxima of one large tensor, of which each has a few values."""
    (graph,), tflite = model.subgraphs, schema()
    big = find(model, "CONV_2D").outputs[0]
    code = tflite.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tflite.BuiltinOperator.REDUCE_MAX
    model.operatorCodes.append(code)
    original = find(model, "REDUCE_MAX")
    position = graph.operators.index(original) + 1
    for _ in range(2_000):
        operator = tflite.OperatorT()
        graph.tensors.append(graph.tensors[original.outputs[0]])
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [big, original.inputs[1]], [len(graph.tensors) - 1]
        graph.operators.insert(position, operator)
    assert run(model, 20).shape == (1, 4)  # little work
    with pytest.raises(ValueError, match="takes too much time for 60000 ids"):
        run(model, 60_000)


def test_a_model_of_too_many_operators_is_refused(model):
    add_operators(model, "MAXIMUM", 40_000)
    with pytest.raises(ValueError, match=r"has a list of .* items"):
        run(model)


def test_constants_that_expand_to_much_more_than_the_file_are_refused(model):
    """Hundreds of tensors share one buffer of 8-bit weights, each expanded to 32 bits."""
    (graph,), tflite = model.subgraphs, schema()
    table = graph.tensors[find(model, "GATHER").inputs[0]]
    quantization = tflite.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [1.0], [0]
    code = tflite.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tflite.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(code)
    for _ in range(300):
        for kind, buffer in (
            (tflite.TensorType.INT8, table.buffer),
            (tflite.TensorType.FLOAT32, 0),
        ):
            tensor = tflite.TensorT()
            tensor.shape, tensor.type, tensor.buffer = table.shape, kind, buffer
            tensor.quantization = quantization if buffer else None
            graph.tensors.append(tensor)
        operator = tflite.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [len(graph.tensors) - 2], [len(graph.tensors) - 1]
        graph.operators.insert(0, operator)
    with pytest.raises(ValueError, match="DEQUANTIZE has too many constants"):
        run(model)
