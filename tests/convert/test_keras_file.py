"""A model.keras declares no more than it has, before Keras allocates anything."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from glovelite.convert.model.keras_file import CONFIG_FILE, WEIGHTS_FILE, check_keras_file
from glovelite.runtime.errors import RunFolderError
from glovelite.runtime.text.vocabulary import parse_vocabulary
from tests.helpers import LEGACY_RUN

MODEL = LEGACY_RUN / "model.keras"
HUGE = 2 * 10**9


@pytest.fixture
def check(tmp_path):
    """A function that checks a model of these members."""
    vocabulary = parse_vocabulary((LEGACY_RUN / "vocab.json").read_text("utf-8"))

    def call(members, compression=zipfile.ZIP_STORED):
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        check_keras_file(path, vocabulary)

    return call


def read_members():
    with zipfile.ZipFile(MODEL) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change_layer(name, **changes):
    """Return the members of the model with other options of a layer."""
    members = read_members()
    content = json.loads(members[CONFIG_FILE])
    (layer,) = [layer for layer in content["config"]["layers"] if layer["name"] == name]
    for key, value in changes.items():
        (layer if key in layer else layer["config"])[key] = value
    return {**members, CONFIG_FILE: json.dumps(content)}


def store(**datasets):
    """Return the members of the model with other weights, each declared but not stored."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, shape in datasets.items():
            file.create_dataset(name, shape, np.float32, chunks=True, compression="gzip")
    return {**read_members(), WEIGHTS_FILE: content.getvalue()}


def test_the_model_of_a_run_is_accepted(check):
    check(read_members())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (change_layer("table", output_dim=HUGE), "layer 'conv_1' is built for"),
        (change_layer("conv_1", filters=HUGE), "layer 'logits' is built for"),
        (change_layer("wide", output_dim=HUGE), "declares .* bytes of weights and has"),
        (change_layer("conv_2", kernel_size=[HUGE]), "declares .* bytes of weights and has"),
        (change_layer("logits", units=HUGE), "declares .* bytes of weights and has"),
        (store(vars=(HUGE,)), "declares 8,000,000,000 bytes"),
        (store(**{f"part-{n}": (30_000,) for n in range(9)}), "declares 1,080,000 bytes"),
        (change_layer("table", input_dim=HUGE), "layer 'table' has 2000000000 rows for a vocab"),
        (change_layer("wide", input_dim=299), "layer 'wide' has 299 rows for a vocabulary of 300"),
        (change_layer("table", output_dim=True), "layer 'table' has output_dim True"),
        (change_layer("table", output_dim=-1), "layer 'table' has output_dim -1"),
        (change_layer("conv_1", kernel_size=[]), "cannot be loaded"),
        (change_layer("conv_1", build_config={"input_shape": [None, None, HUGE]}), "is built for"),
        (change_layer("logits", build_config={"input_shape": [HUGE]}), "is built for"),
        (change_layer("conv_1", build_config=[HUGE]), "cannot be loaded"),
        (change_layer("conv_1", lora_rank=HUGE), "layer 'conv_1' is quantized or has a LoRA"),
        (change_layer("conv_1", module="os.path"), "a layer of 'os.path'"),
        (change_layer("conv_1", class_name="GRU"), r"layer 'conv_1' \(GRU\) cannot be converted"),
        (change_layer("joined", class_name="Lambda"), r"layer 'joined' \(Lambda\) cannot be conv"),
        (change_layer("joined", inbound_nodes=3), "cannot be loaded"),
        (change_layer("joined", class_name=[]), "cannot be loaded"),
        (change_layer("joined", config=None), "cannot be loaded"),
        ({**read_members(), CONFIG_FILE: "[" * 9_000}, "config.json is not JSON"),
        ({**read_members(), CONFIG_FILE: b"\xff"}, "cannot be loaded"),
        ({**read_members(), CONFIG_FILE: b" " * (2 << 20)}, "or has more than 1,048,576 bytes"),
        ({**read_members(), WEIGHTS_FILE: b"no HDF5"}, "cannot be loaded"),
        ({CONFIG_FILE: read_members()[CONFIG_FILE]}, "There is no item named 'model.weights.h5'"),
        ({}, "There is no item named 'config.json'"),
    ],
)
def test_what_cannot_be_one_is_refused(check, members, message):
    with pytest.raises(RunFolderError, match=message):
        check(members)


def test_a_compressed_file_is_refused(check):
    with pytest.raises(RunFolderError, match=r"config\.json is compressed"):
        check(read_members(), zipfile.ZIP_DEFLATED)
