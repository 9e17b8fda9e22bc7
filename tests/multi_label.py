"""A multi-label bundle from a single-label one: the same weights, a sigmoid for each label."""

import json
import shutil
import struct

from glovelite.runtime.bundle import MANIFEST_FILE, MODEL_FILE, VOCABULARY_FILE, describe_file
from glovelite.runtime.classifier import Classifier
from glovelite.runtime.text.vocabulary import MULTI_LABEL_VOCABULARY
from tests.helpers import read_json

LOGISTIC, SOFTMAX = 14, 25  # BuiltinOperator of TFLite's schema
OPERATOR_CODES_SLOT, OLD_CODE_SLOT, CODE_SLOT = 1, 0, 3


def write_multi_label_bundle(source, folder, **manifest):
    """Copy a bundle of three classes or more as a multi-label one; return the folder.

    Args:
        source: the bundle.
        folder: the one to write.
        manifest: fields to change, such as `thresholds`.
    """
    shutil.copytree(source, folder)
    (folder / MODEL_FILE).write_bytes(use_sigmoid((folder / MODEL_FILE).read_bytes()))
    vocabulary = read_json(folder / VOCABULARY_FILE)
    format_ = max(vocabulary["format"], MULTI_LABEL_VOCABULARY)
    vocabulary = {**vocabulary, "format": format_, "multi_label": True}
    (folder / VOCABULARY_FILE).write_text(json.dumps(vocabulary), "utf-8")
    update_manifest(folder, format=3, abstention={}, **manifest)
    record_goldens(folder)
    return folder


def update_manifest(folder, **changes):
    """Change fields of a manifest, and make it describe the files that are there."""
    content = read_json(folder / MANIFEST_FILE) | changes
    files = {name: describe_file((folder / name).read_bytes()) for name in content["files"]}
    (folder / MANIFEST_FILE).write_text(json.dumps({**content, "files": files}), "utf-8")


def record_goldens(folder):
    """Record what the bundle predicts for its golden texts."""
    goldens = read_json(folder / MANIFEST_FILE)["goldens"]
    rows = Classifier.load(folder).predict_proba(golden["text"] for golden in goldens)
    for golden, row in zip(goldens, rows.tolist()):
        golden["probabilities"] = row
    update_manifest(folder, goldens=goldens)


def use_sigmoid(model):
    """Replace the softmax of a flatbuffer by a sigmoid for each of its outputs."""
    content = bytearray(model)

    def read(kind, position):
        return struct.unpack_from(f"<{kind}", content, position)[0]

    def field(table, slot):
        entries = table - read("i", table)
        offset = read("H", entries + 4 + 2 * slot) if 4 + 2 * slot < read("H", entries) else 0
        return table + offset if offset else None

    codes = field(read("I", 0), OPERATOR_CODES_SLOT)
    codes += read("I", codes)
    replaced = 0
    for index in range(read("I", codes)):
        entry = codes + 4 + 4 * index
        entry += read("I", entry)
        for slot in (OLD_CODE_SLOT, CODE_SLOT):
            position = field(entry, slot)
            if position is not None and content[position] == SOFTMAX:
                content[position] = LOGISTIC
                replaced += 1
    assert replaced, "the model has no softmax"
    return bytes(content)
