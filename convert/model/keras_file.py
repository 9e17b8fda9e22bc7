"""Checks what a `model.keras` declares before Keras allocates it.

A Keras file is a zip archive of a configuration in JSON and of weights in HDF5. In a few bytes,
either may declare layers of gigabytes. Keras itself allows 4 GB, or a hundred times what is stored.

The layer names are the contract with `train`: `table`, `conv_1`…`conv_n`, `lstm`, `wide`,
`bottleneck`, `logits`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from glovelite.data.array_archive import UNREADABLE
from glovelite.runtime.errors import BundleError, RunFolderError
from glovelite.runtime.strict_json import is_count, parse_json
from glovelite.runtime.text.vocabulary import Vocabulary

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.weights.h5"
MAX_CONFIG_BYTES, MAX_FILE_BYTES = 1 << 20, 1 << 32
MAX_SIZE = (1 << 31) - 1  # of a dimension
VALUE_BYTES = 4  # float32
KNOWN_NAMES = re.compile(r"table|conv_[1-9]\d*|lstm|wide|bottleneck|logits")
LAYERS_WITH_WEIGHTS = frozenset(("Embedding", "Conv1D", "LSTM", "Dense"))
LAYERS_WITHOUT_WEIGHTS = frozenset(
    (
        "InputLayer",
        "GlobalMaxPooling1D",
        "MaxPooling1D",
        "Concatenate",
        "Activation",
        "Dropout",
    )
)
#: The operations that sum the wide weights over a text and divide by the root of its length.
WIDE_OPERATIONS = frozenset(
    ("Sum", "NotEqual", "Cast", "Maximum", "Sqrt", "Divide", "TrueDivide", "Add")
)


@dataclass(frozen=True)
class Layer:
    """A layer as the configuration describes it.

    Attributes:
        kind: name of its class in Keras.
        config: its options.
        inputs: names of the layers that it reads.
        built: the shape of its input for which Keras makes its weights, if it was recorded.
    """

    name: str
    kind: str
    config: dict[str, Any]
    inputs: Sequence[str]
    built: Sequence[int | None] | None

    def size(self, option: str) -> int:
        """Return an option that is a dimension, or a list of one."""
        value = self.config[option]
        if isinstance(value, list):
            (value,) = value
        if not is_count(value, MAX_SIZE):
            raise ValueError(f"layer {self.name!r:.40} has {option} {value!r:.40}")
        return value


def check_keras_file(path: Path, vocabulary: Vocabulary) -> None:
    """Check that a file has the layers of a classifier, and the bytes of the weights they declare.

    Raises:
        RunFolderError: a layer is unknown, does not fit the vocabulary or declares more weights
            than the file has, or the file is damaged.
    """
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            config = _read_member(archive, CONFIG_FILE, min(size, MAX_CONFIG_BYTES))
            content = parse_json(config.decode("utf-8"), CONFIG_FILE)
            layers = [_parse_layer(layer) for layer in content["config"]["layers"]]
            _check_kinds(layers, str(path))
            _check_rows(layers, vocabulary, str(path))
            weights = _read_member(archive, WEIGHTS_FILE, min(size, MAX_FILE_BYTES))
            declared = max(VALUE_BYTES * _count_weights(layers), _measure_datasets(weights))
    except (*UNREADABLE, AttributeError, BundleError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunFolderError(f"{path} cannot be loaded: {reason:.200}: train again") from None
    if declared > size:
        raise RunFolderError(
            f"{path} declares {declared:,} bytes of weights and has {size:,}: train again"
        )


def _read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > max_bytes:
        raise ValueError(f"{name} is compressed, or has more than {max_bytes:,} bytes")
    return archive.read(member)


def _parse_layer(content: dict[str, Any]) -> Layer:
    if not content["module"].startswith("keras."):
        raise ValueError(f"a layer of {content['module']!r:.40}")
    inputs = _find_inputs(content["inbound_nodes"][:1])
    built = (content.get("build_config") or {}).get("input_shape")
    return Layer(content["name"], content["class_name"], content["config"], [*inputs], built)


def _find_inputs(value: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs are in the arguments of a call."""
    if isinstance(value, dict) and "keras_history" in value:
        yield value["keras_history"][0]
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _find_inputs(item)


def _check_kinds(layers: Sequence[Layer], source: str) -> None:
    """Raise RunFolderError that names an unknown layer."""
    without_weights = LAYERS_WITHOUT_WEIGHTS
    if any(layer.name == "wide" for layer in layers):
        without_weights |= WIDE_OPERATIONS
    for layer in layers:
        is_named = KNOWN_NAMES.fullmatch(layer.name)
        if layer.kind not in (LAYERS_WITH_WEIGHTS if is_named else without_weights):
            raise RunFolderError(
                f"{source}: layer {layer.name!r:.40} ({layer.kind:.40}) cannot be converted: "
                "expected table, conv_1…conv_n, lstm, wide, bottleneck, logits"
            )


def _check_rows(layers: Sequence[Layer], vocabulary: Vocabulary, source: str) -> None:
    for layer in layers:
        rows, tokens = layer.config.get("input_dim"), len(vocabulary.tokens)
        if layer.kind == "Embedding" and rows != tokens:
            raise RunFolderError(
                f"{source}: layer {layer.name!r} has {rows!r:.20} rows for a vocabulary of "
                f"{tokens:,}"
            )


def _count_weights(layers: Sequence[Layer]) -> int:
    """Return how many weights layers have, in the order in which they are called."""
    widths: dict[str, int] = {}
    total = 0
    for layer in layers:
        if layer.config.get("lora_rank") or layer.config.get("quantization_config"):
            raise ValueError(f"layer {layer.name!r:.40} is quantized or has a LoRA")
        inputs = [widths[name] for name in layer.inputs]
        before = width = sum(inputs) if layer.kind == "Concatenate" else max(inputs, default=0)
        weights = 0
        if layer.kind == "Embedding":
            width = layer.size("output_dim")
            weights = layer.size("input_dim") * width
        elif layer.kind in LAYERS_WITH_WEIGHTS and layer.built and layer.built[-1] != before:
            raise ValueError(f"layer {layer.name!r} is built for {layer.built!r:.40}")
        elif layer.kind == "Conv1D":
            width = layer.size("filters")
            weights = layer.size("kernel_size") * before * width
        elif layer.kind == "LSTM":
            width = layer.size("units")
            weights = 4 * width * (before + width)
        elif layer.kind == "Dense":
            width = layer.size("units")
            weights = before * width
        widths[layer.name] = width
        total += weights
    return total


def _measure_datasets(weights: bytes) -> int:
    """Return the bytes that the datasets of an HDF5 file declare."""
    sizes: list[int] = []

    def measure(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append((item.size or 0) * item.dtype.itemsize)

    with h5py.File(io.BytesIO(weights), "r") as content:
        content.visititems(measure)
    return sum(sizes)
