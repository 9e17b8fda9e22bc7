"""A run folder in, a bundle out: converted, run on the device's interpreter, written whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import MANIFEST, MODEL, MODEL_CARD, VOCABULARY
from runtime.folder import check_target, written_whole
from runtime.interpreter import interpreter_version

from .card import write_card
from .child import call
from .device import Fidelity, compare, run_on_device
from .manifest import GOLDEN_TEXTS, add_measurements, first_manifest, write_manifest
from .recipes import RECIPES, Recipe
from .run_folder import LabelledTexts, RunFolder, read_run

Say = Callable[[str], None]
DEVICE_FILES = (MODEL, VOCABULARY, MANIFEST)


@dataclass(frozen=True)
class Export:
    """A bundle just written.

    Attributes:
        bundle: its folder.
        recipe: name of the recipe.
        bytes: of each file the device needs, by name.
        interpreter: what computed the device's side, with its version.
        fidelity: device against Keras, for `dev` and `test`.
    """

    bundle: Path
    recipe: str
    bytes: dict[str, int]
    interpreter: str
    fidelity: dict[str, Fidelity]

    @property
    def total_bytes(self) -> int:
        """What the device has to hold."""
        return sum(self.bytes.values())

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON types."""
        return {**asdict(self), "bundle": str(self.bundle), "total_bytes": self.total_bytes}


def export_bundle(
    run: Path, target: Path, recipe: str, overwrite: bool = False, say: Say = print
) -> Export:
    """Convert a run into a bundle, proven on the device's interpreter.

    Args:
        run: the folder `glovelite-train` wrote.
        target: the bundle to write; it appears when all is done.
        recipe: a name in `RECIPES`.
        overwrite: replace a bundle that is there.
        say: called with a line for every step.

    Returns:
        Sizes and comparisons.

    Raises:
        RunFolderError: the run cannot be converted.
        ConversionError: TensorFlow's converter failed or died.
        DeviceError: the device's interpreter refuses the model.
        InterpreterError: no interpreter is installed.
        TargetError: the bundle is in the way or cannot be written.
    """
    check_target(target, overwrite, marker=MANIFEST)
    interpreter = interpreter_version()
    folder = read_run(run)
    with written_whole(target) as staging:
        return _fill(staging, target, folder, RECIPES[recipe], interpreter, say)


def _fill(
    staging: Path, target: Path, run: RunFolder, recipe: Recipe, interpreter: str, say: Say
) -> Export:
    say(f"converting {run.path} by recipe {recipe.name}")
    reference_file = staging / "reference.npz"
    facts = call(
        "convert.conversion:convert_run",
        run=str(run.path),
        recipe=recipe.name,
        model=str(staging / MODEL),
        reference=str(reference_file),
        goldens=GOLDEN_TEXTS,
    )
    shutil.copyfile(run.path / "vocab.json", staging / VOCABULARY)
    manifest = first_manifest(staging, recipe, facts, run.metrics)
    write_manifest(staging, manifest)

    texts = {"dev": run.dev, "test": run.test}
    count = sum(len(each.texts) for each in texts.values())
    say(f"running {count:,} dev and test texts on {interpreter}")
    with np.load(reference_file) as reference:
        fidelity = {
            name: compare(_targets(each, run), reference[name], run_on_device(staging, each.texts))
            for name, each in texts.items()
        }
    reference_file.unlink()
    goldens = run_on_device(staging, GOLDEN_TEXTS)
    manifest = add_measurements(manifest, run.vocabulary, fidelity, goldens, interpreter)
    write_manifest(staging, manifest)
    sizes = {name: (staging / name).stat().st_size for name in DEVICE_FILES}
    write_card(staging / MODEL_CARD, manifest, sizes, run)
    return Export(target, recipe.name, sizes, interpreter, fidelity)


def _targets(texts: LabelledTexts, run: RunFolder) -> np.ndarray[Any, np.dtype[np.int64]]:
    number = {label: place for place, label in enumerate(run.vocabulary.labels)}
    return np.array([number[label] for label in texts.labels], np.int64)
