"""Reads and runs Keras text classifiers that glovelite did not train.

Imports TensorFlow: only the child process loads this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from glovelite.runtime.aliases import Floats, Ids
from glovelite.runtime.errors import ConversionError, RunFolderError

from ..model.keras_weights import layer_weights, load_model
from ..model.weights import Convolution, Weights
from .vectorizer import ForeignModel, Vectorizer

TRANSPARENT = {"Dropout", "SpatialDropout1D"}  # in prediction
KNOWN = {
    *TRANSPARENT, "InputLayer", "TextVectorization", "Embedding", "Conv1D", "GlobalMaxPooling1D",
    "Concatenate", "Dense", "Activation",
}  # fmt: skip
EXPECTED = "expected Embedding, one or several Conv1D, GlobalMaxPooling1D, Dense"
#: What a Conv1D must have: nothing else is a maximum over windows of words.
CONVOLUTION: dict[str, list[Any]] = {
    "activation": ["relu"],
    "padding": ["valid", "same"],
    "strides": [1, (1,)],
    "dilation_rate": [1, (1,)],
    "groups": [1],
}
BATCH_TEXTS = 256


def read_foreign(path: Path) -> ForeignModel:
    """Read the weights of a model, and its TextVectorization layer if it has one.

    Raises:
        ConversionError: the file cannot be loaded, or a layer cannot be converted; the message
            names it.
    """
    model = _load(path)
    layers = _by_type(model, path)
    (embedding,), (dense,) = layers["Embedding"], layers["Dense"]
    convolutions = _find_convolutions(dense, embedding, path)
    if unused := [layer for layer in layers["Conv1D"] if layer not in convolutions]:
        raise _refuse(path, unused[0], "does not lead to the Dense layer by a GlobalMaxPooling1D")
    activation, _ = _find_activation(layers, path)
    kernel, bias = _arrays(dense, path)
    if activation == "softmax" and kernel.shape[1] == 2:  # the same as one sigmoid
        kernel, bias, activation = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1], "sigmoid"
    weights = Weights(
        table=layer_weights(embedding, str(path))[0],
        convolutions=tuple(Convolution(*_arrays(layer, path)) for layer in convolutions),
        kernel=kernel,
        bias=bias,
        multi_label=activation == "sigmoid" and kernel.shape[1] > 1,
    )
    vectorizers = layers["TextVectorization"]
    vectorizer = _read_vectorizer(vectorizers[0], path) if vectorizers else None
    length = None if vectorizers else embedding.input.shape[1]
    return ForeignModel(weights, vectorizer, length)


def read_vectorizer(path: Path) -> Vectorizer:
    """Read a TextVectorization layer that was saved in a model of its own.

    Raises:
        ConversionError: there is none, or it does something else than split text at spaces.
    """
    for layer in _load(path).layers:
        if type(layer).__name__ == "TextVectorization":
            return _read_vectorizer(layer, path)
    raise ConversionError(f"{path} holds no TextVectorization layer")


def score_foreign(
    path: Path, texts: Sequence[str], ids: Ids | None, vectorizer: Vectorizer
) -> Floats:
    """Return a model's own probabilities of texts, float32 [texts, outputs].

    `ids` are what it reads; None lets a TextVectorization layer make them.
    """
    model = _load(path)
    if ids is None and not any(type(x).__name__ == "TextVectorization" for x in model.layers):
        ids = np.asarray(_make_layer(vectorizer)(np.array(texts, object)))
    given = np.array(texts, object)[:, None] if ids is None else ids
    blocks = (given[start : start + BATCH_TEXTS] for start in range(0, len(given), BATCH_TEXTS))
    activation, applied = _find_activation(_by_type(model, path), path)
    apply = keras.activations.get("linear" if applied else activation)
    outputs = [np.asarray(apply(model(keras.ops.convert_to_tensor(block)))) for block in blocks]
    scores: Floats = np.concatenate(outputs).astype(np.float32)
    return scores


def save_plain(weights: Weights, path: Path) -> None:
    """Save weights as a Keras model with the layer names that `convert` reads."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    table = keras.layers.Embedding(*weights.table.shape, name="table")
    vectors, features, set_weights = table(ids), [], [(table, [weights.table])]
    for number, convolution in enumerate(weights.convolutions, start=1):
        taps, _, filters = convolution.kernel.shape
        layer = keras.layers.Conv1D(filters, taps, activation="relu", name=f"conv_{number}")
        pool = keras.layers.GlobalMaxPooling1D(name=f"pool_{number}")
        features.append(pool(layer(vectors)))
        set_weights.append((layer, [convolution.kernel, convolution.bias]))
    joined = features[0] if len(features) == 1 else keras.layers.Concatenate()(features)
    logits = keras.layers.Dense(weights.kernel.shape[1], name="logits")
    outputs = keras.layers.Activation(weights.activation, name="probabilities")(logits(joined))
    model = keras.Model(ids, outputs, name="conv-pool")
    for layer, arrays in [*set_weights, (logits, [weights.kernel, weights.bias])]:
        layer.set_weights(arrays)
    model.save(path)


def _load(path: Path) -> keras.Model:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ConversionError(f"{path} {what}: give a .keras or .h5 file, as model.save writes it")
    try:
        return load_model(path)
    except RunFolderError as error:
        raise ConversionError(str(error).removesuffix(": train again")) from None


def _refuse(path: Path, layer: Any, reason: str) -> ConversionError:
    return ConversionError(
        f"{path}: layer {layer.name!r} ({type(layer).__name__}) {reason}: {EXPECTED}"
    )


def _by_type(model: keras.Model, path: Path) -> dict[str, list[Any]]:
    """Return the layers by the names of their types, each known one present."""
    layers: dict[str, list[Any]] = {name: [] for name in KNOWN}
    for operation in getattr(model, "operations", model.layers):  # a Sequential has only layers
        name = type(operation).__name__
        if name not in KNOWN:
            raise _refuse(path, operation, "cannot be imported")
        layers[name].append(operation)
    for name in ("Embedding", "Dense"):
        if len(layers[name]) != 1:
            found = ", ".join(layer.name for layer in layers[name]) or "none"
            raise ConversionError(f"{path}: expected one {name} layer, found {found}: {EXPECTED}")
    return layers


def _sources(layer: Any) -> Iterator[Any]:
    """Yield the layers whose outputs a layer takes, without those that only drop values."""
    for tensor in keras.tree.flatten(layer.input):
        source = tensor._keras_history.operation
        if type(source).__name__ in TRANSPARENT:
            yield from _sources(source)
        else:
            yield source


def _find_convolutions(dense: Any, embedding: Any, path: Path) -> list[Any]:
    """Return the convolutions in the order in which the Dense layer takes their features."""
    pools = list(_sources(dense))
    if len(pools) == 1 and type(pools[0]).__name__ == "Concatenate":
        pools = list(_sources(pools[0]))
    convolutions = []
    for pool in pools:
        if type(pool).__name__ != "GlobalMaxPooling1D":
            raise _refuse(path, pool, "is not followed by a GlobalMaxPooling1D")
        (convolution,) = _sources(pool)
        if type(convolution).__name__ != "Conv1D":
            raise _refuse(path, convolution, "is where a Conv1D is expected")
        (source,) = _sources(convolution)
        if source is not embedding:
            raise _refuse(path, convolution, f"follows {source.name!r}, not the Embedding")
        configuration = convolution.get_config()
        for name, expected in CONVOLUTION.items():
            if (value := configuration[name]) not in expected:
                reason = f"has {name} {value!r}, which cannot be imported, only {expected[0]!r}"
                raise _refuse(path, convolution, reason)
        convolutions.append(convolution)
    return convolutions


def _find_activation(layers: dict[str, list[Any]], path: Path) -> tuple[str, bool]:
    """Return `sigmoid` or `softmax`, and whether the model applies it or returns logits."""
    (dense,) = layers["Dense"]
    found = [str(layer.activation.__name__) for layer in (dense, *layers["Activation"])]
    names = [name for name in found if name != "linear"]
    if not names:
        return "sigmoid" if dense.units == 1 else "softmax", False
    if len(names) > 1 or names[0] not in ("sigmoid", "softmax"):
        shown = " and ".join(names)
        raise _refuse(path, dense, f"has the activation {shown}, expected sigmoid or softmax")
    return names[0], True


def _arrays(layer: Any, path: Path) -> tuple[Floats, Floats]:
    """Return kernel and bias; zeros without a bias."""
    kernel, *bias = layer_weights(layer, str(path))
    return kernel, bias[0] if bias else np.zeros(kernel.shape[-1], np.float32)


def _read_vectorizer(layer: Any, path: Path) -> Vectorizer:
    configuration = layer.get_config()
    expected = {"split": "whitespace", "ngrams": None, "output_mode": "int"}
    for name, value in expected.items():
        if (found := configuration[name]) != value:
            raise _refuse(path, layer, f"has {name} {found!r}, expected {value!r}")
    standardize = configuration["standardize"]
    return Vectorizer(
        words=tuple(layer.get_vocabulary()),
        unknown=1,
        strips=isinstance(standardize, str) and "strip_punctuation" in standardize,
        length=configuration["output_sequence_length"],
    )


def _make_layer(vectorizer: Vectorizer) -> Any:
    """Return the TextVectorization layer of a word list, with Keras's defaults."""
    layer = keras.layers.TextVectorization(output_sequence_length=vectorizer.length)
    layer.set_vocabulary(list(vectorizer.words[2:]))
    return layer
