"""Reads the weights of `model.keras` by layer name.

Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import RunFolderError
from glovelite.runtime.text.vocabulary import PADDING_ID, Vocabulary

from .keras_file import KNOWN_NAMES, check_keras_file
from .weights import Convolution, Lstm, Weights


def load_run_model(path: Path, vocabulary: Vocabulary) -> keras.Model:
    """Load the model of a run, after checking what it declares.

    Raises:
        RunFolderError: the file is damaged, or has other layers than a classifier of this
            vocabulary.
    """
    check_keras_file(path, vocabulary)
    return load_model(path)


def load_model(path: Path) -> keras.Model:
    """Load a Keras file of the user's own.

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
        RunFolderError: a layer is missing, activations disagree, or a weight is not finite.
    """
    layers = _find_layers(model, source)
    names = sorted((name for name in layers if name.startswith("conv_")), key=lambda n: int(n[5:]))
    (kernel, bias), mixing = layer_weights(layers["logits"], source), None
    if "bottleneck" in layers:
        (kernel,), mixing = layer_weights(layers["bottleneck"], source), kernel
    weights = Weights(
        table=layer_weights(layers["table"], source)[0],
        convolutions=tuple(Convolution(*layer_weights(layers[name], source)) for name in names),
        kernel=kernel,
        bias=bias,
        lstm=_read_lstm(model, layers["lstm"], source) if "lstm" in layers else None,
        wide=layer_weights(layers["wide"], source)[0] if "wide" in layers else None,
        mixing=mixing,
        multi_label=vocabulary.multi_label,
    )
    wide_columns = 0 if weights.wide is None else weights.wide.shape[1]
    if mixing is not None and len(mixing) != weights.kernel.shape[1] + wide_columns:
        raise RunFolderError(
            f"{source}: layers 'bottleneck' and 'wide' have {weights.kernel.shape[1]:,} and "
            f"{wide_columns:,} columns, but 'logits' has {len(mixing):,} inputs: train again"
        )
    _check_activation(model, weights.activation, source)
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
    """Return the layers with weights by name; raise for missing ones."""
    layers = {layer.name: layer for layer in model.layers if KNOWN_NAMES.fullmatch(layer.name)}
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
