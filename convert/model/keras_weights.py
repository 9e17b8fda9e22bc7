"""Reads the weights of `model.keras` by layer name; unknown layers are an error.

The names are the contract with `train`: `table`, `conv_1`…`conv_n`, `lstm`, `wide`, `mixing`,
`logits`.
Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import RunFolderError
from glovelite.runtime.text.vocabulary import PADDING_ID, Vocabulary

from .weights import Convolution, Lstm, Weights

LAYERS_WITHOUT_WEIGHTS = {
    "InputLayer",
    "GlobalMaxPooling1D",
    "MaxPooling1D",
    "Concatenate",
    "Activation",
    "Dropout",
}
#: The operations that sum the wide weights over a text and divide by the root of its length.
WIDE_OPERATIONS = {
    "Sum",
    "NotEqual",
    "Cast",
    "Maximum",
    "Sqrt",
    "Divide",
    "TrueDivide",
    "Add",
}
KNOWN_NAMES = re.compile(r"table|conv_[1-9]\d*|lstm|wide|mixing|logits")


def load_model(path: Path) -> keras.Model:
    """Load a Keras file of plain layers.

    Raises:
        RunFolderError: the file is damaged or needs code that is not part of Keras.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parsers raise
        reason = " ".join(str(error).split())
        raise RunFolderError(f"{path} cannot be loaded: {reason:.200}: train again") from None


def read_weights(model: keras.Model, vocabulary: Vocabulary, source: str) -> Weights:
    """Read the weights by layer name; `source` names the model in error messages.

    Raises:
        RunFolderError: a layer is unknown or missing, sizes or activations disagree, or a weight is
            not finite.
    """
    layers = _find_layers(model, source)
    names = sorted((name for name in layers if name.startswith("conv_")), key=lambda n: int(n[5:]))
    kernel, bias = layer_weights(layers["logits"], source)
    weights = Weights(
        table=layer_weights(layers["table"], source)[0],
        convolutions=tuple(Convolution(*layer_weights(layers[name], source)) for name in names),
        kernel=kernel,
        bias=bias,
        lstm=_read_lstm(model, layers["lstm"], source) if "lstm" in layers else None,
        wide=layer_weights(layers["wide"], source)[0] if "wide" in layers else None,
        mixing=layer_weights(layers["mixing"], source)[0] if "mixing" in layers else None,
        multi_label=vocabulary.multi_label,
    )
    _check_activation(model, weights.activation, source)
    vocabulary_size = len(vocabulary.tokens)
    for name, rows in (("table", weights.table), ("wide", weights.wide)):
        if rows is not None and len(rows) != vocabulary_size:
            raise RunFolderError(
                f"{source}: layer {name!r} has {len(rows):,} rows for a vocabulary of "
                f"{vocabulary_size:,}"
            )
    if weights.wide is not None and weights.wide[PADDING_ID].any():
        raise RunFolderError(f"{source}: layer 'wide' has a weight for padding, expected 0")
    return weights


def _check_activation(model: keras.Model, expected: str, source: str) -> None:
    """Raise an error for a model with another activation than its labels need."""
    found = [
        layer.activation.__name__
        for layer in model.operations
        if type(layer).__name__ == "Activation"
    ]
    if found != [expected]:
        raise RunFolderError(
            f"{source}: expected {expected} as the only activation, found "
            f"{', '.join(found) or 'none'}: train again"
        )


def _find_layers(model: keras.Model, source: str) -> dict[str, Any]:
    """Return the layers with weights by name; raise for unknown or missing ones."""
    layers: dict[str, Any] = {}
    without_weights = set(LAYERS_WITHOUT_WEIGHTS)
    if any(layer.name == "wide" for layer in model.layers):
        without_weights |= WIDE_OPERATIONS
    for operation in model.operations:
        if KNOWN_NAMES.fullmatch(operation.name):
            layers[operation.name] = operation
        elif type(operation).__name__ not in without_weights:
            raise RunFolderError(
                f"{source}: layer {operation.name!r} ({type(operation).__name__}) cannot be "
                "converted: expected table, conv_1…conv_n, lstm, wide, mixing, logits"
            )
    for name in ("table", "conv_1", "logits"):
        if name not in layers:
            raise RunFolderError(f"{source}: there is no layer {name!r}")
    return layers


def _read_lstm(model: keras.Model, layer: Any, source: str) -> Lstm:
    expected = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": True}
    configuration = layer.get_config()
    for name, value in expected.items():
        if configuration[name] != value:
            raise RunFolderError(
                f"{source}: layer 'lstm' has {name} {configuration[name]!r}, expected {value!r}"
            )
    kernel, recurrent, bias = layer_weights(layer, source)
    return Lstm(kernel, recurrent, bias, pool=int(model.get_layer("pool_1").pool_size[0]))


def layer_weights(layer: Any, source: str) -> list[Floats]:
    """Return a layer's weights; raise RunFolderError if some are not finite."""
    arrays = [np.asarray(array, np.float32) for array in layer.get_weights()]
    if not all(np.isfinite(array).all() for array in arrays):
        raise RunFolderError(f"{source}: layer {layer.name!r} holds values that are not finite")
    return arrays
