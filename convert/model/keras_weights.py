"""Takes the weights out of `model.keras`, by layer name, refusing what it does not know.

The names are the contract with `train`: `table`, `conv_1`…`conv_n`, `lstm`, `wide`, `logits`.
TensorFlow is imported here: this module runs in the child process only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from runtime.vocabulary import PADDING_ID

from ..errors import RunFolderError
from .folding import Floats
from .weights import Convolution, Lstm, Weights

WITHOUT_WEIGHTS = (
    *("InputLayer", "GlobalMaxPooling1D", "MaxPooling1D", "Concatenate", "Activation"),
    "Dropout",
)
#: What sums the wide weights over a text and divides by the root of its length.
WIDE_ARITHMETIC = ("Sum", "NotEqual", "Cast", "Maximum", "Sqrt", "Divide", "TrueDivide", "Add")
KNOWN = re.compile(r"table|conv_[1-9]\d*|lstm|wide|logits")


def load_model(path: Path) -> keras.Model:
    """Load a Keras file, plain layers only.

    Args:
        path: `model.keras`.

    Returns:
        The model.

    Raises:
        RunFolderError: the file is damaged or needs code that is not Keras's.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parsers raise
        reason = " ".join(str(error).split())
        raise RunFolderError(f"{path} cannot be loaded: {reason:.200}: train again") from None


def take_weights(model: keras.Model, words: int, source: str) -> Weights:
    """Take the weights by layer name.

    Args:
        model: the plain model.
        words: size of the vocabulary.
        source: what to call the model in an error.

    Returns:
        The weights.

    Raises:
        RunFolderError: a layer is unknown or missing, sizes disagree, or a weight is not finite.
    """
    layers = _known_layers(model, source)
    names = sorted((name for name in layers if name.startswith("conv_")), key=lambda n: int(n[5:]))
    kernel, bias = _weights(layers["logits"], source)
    weights = Weights(
        table=_weights(layers["table"], source)[0],
        convolutions=tuple(Convolution(*_weights(layers[name], source)) for name in names),
        kernel=kernel,
        bias=bias,
        lstm=_take_lstm(model, layers["lstm"], source) if "lstm" in layers else None,
        wide=_weights(layers["wide"], source)[0] if "wide" in layers else None,
    )
    for name, rows in (("table", weights.table), ("wide", weights.wide)):
        if rows is not None and len(rows) != words:
            raise RunFolderError(
                f"{source}: layer {name!r} has {len(rows):,} rows for a vocabulary of {words:,}"
            )
    if weights.wide is not None and weights.wide[PADDING_ID].any():
        raise RunFolderError(f"{source}: layer 'wide' gives padding a weight, which should be 0")
    return weights


def _known_layers(model: keras.Model, source: str) -> dict[str, Any]:
    """Give the layers that hold weights by name; refuse what is unknown or missing."""
    layers: dict[str, Any] = {}
    without_weights = {*WITHOUT_WEIGHTS}
    if any(each.name == "wide" for each in model.layers):
        without_weights.update(WIDE_ARITHMETIC)
    for each in model.operations:
        if KNOWN.fullmatch(each.name):
            layers[each.name] = each
        elif type(each).__name__ not in without_weights:
            raise RunFolderError(
                f"{source}: layer {each.name!r} ({type(each).__name__}) is not one that can be "
                "converted: table, conv_1…conv_n, lstm, wide, logits"
            )
    for name in ("table", "conv_1", "logits"):
        if name not in layers:
            raise RunFolderError(f"{source}: there is no layer {name!r}")
    return layers


def _take_lstm(model: keras.Model, layer: Any, source: str) -> Lstm:
    expected = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": True}
    configuration = layer.get_config()
    for name, value in expected.items():
        if configuration[name] != value:
            raise RunFolderError(
                f"{source}: layer 'lstm' has {name} {configuration[name]!r}, expected {value!r}"
            )
    kernel, recurrent, bias = _weights(layer, source)
    return Lstm(kernel, recurrent, bias, pool=int(model.get_layer("pool_1").pool_size[0]))


def _weights(layer: Any, source: str) -> list[Floats]:
    arrays = [np.asarray(array, np.float32) for array in layer.get_weights()]
    if not all(np.isfinite(array).all() for array in arrays):
        raise RunFolderError(f"{source}: layer {layer.name!r} holds values that are not finite")
    return arrays
