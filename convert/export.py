"""A run folder in, a bundle out: converted, run on the device's interpreter, written whole."""

from __future__ import annotations

import shutil
import tempfile
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
from .device import run_on_device
from .errors import ConversionError, RunFolderError
from .flatbuffer import check_operators, read_contents
from .gate import Fidelity, Scores, check_fidelity, compare
from .manifest import GOLDEN_TEXTS, add_measurements, first_manifest, write_manifest
from .recipes import DEFAULT, RECIPES
from .run_folder import RunFolder, read_run

Say = Callable[[str], None]
DEVICE_FILES = (MODEL, VOCABULARY, MANIFEST)
BUNDLE_FILES = frozenset((*DEVICE_FILES, MODEL_CARD))
SCORE_TOLERANCE = 0.005  # between Keras here and Keras in training; rounding moves a text or two


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


@dataclass(frozen=True)
class Order:
    """What a user asks of an export.

    Attributes:
        run: the folder `glovelite-train` wrote.
        target: the bundle to write.
        recipe: a name in `RECIPES`.
        layout: `"conv"`, `"folded"`, or `"auto"` for the one with the smaller table.
        max_accuracy_drop: accuracy on dev that may be lost, 0 to 1; None lets everything pass.
        integer_output: leave the output of `int8` as int8.
        overwrite: replace a bundle that is there.
    """

    run: Path
    target: Path
    recipe: str = DEFAULT
    layout: str = "conv"
    max_accuracy_drop: float | None = 0.01
    integer_output: bool = False
    overwrite: bool = False


def export_bundle(order: Order, say: Say = print) -> Export:
    """Convert a run into a bundle, proven on the device's interpreter.

    Args:
        order: what to convert, how and where to.
        say: called with a line for every step.

    Returns:
        Sizes and comparisons.

    Raises:
        RunFolderError: the run cannot be converted.
        ConversionError: TensorFlow's converter failed or died, or what it wrote would not run on
            tflite-runtime 2.14.
        DeviceError: the device's interpreter refuses the model.
        GateError: the bundle lost more than the order allows.
        InterpreterError: no interpreter is installed.
        TargetError: the bundle is in the way or cannot be written.
    """
    if order.integer_output and order.recipe != "int8":
        raise ConversionError(f"integer output goes with int8, not with {order.recipe}")
    target = check_target(order.target, order.overwrite, MANIFEST, BUNDLE_FILES)
    interpreter = interpreter_version()
    run = read_run(order.run)
    with written_whole(target, order.overwrite) as staging:
        say(f"converting {run.path} by recipe {order.recipe}")
        with tempfile.TemporaryDirectory() as scratch:
            manifest, reference = _convert(staging, Path(scratch), run, order)
        write_manifest(staging, manifest)
        count = len(run.dev.texts) + len(run.test.texts)
        say(f"running {count:,} dev and test texts on {interpreter}")
        fidelity = {
            name: compare(texts.targets, reference[name], run_on_device(staging, texts.texts))
            for name, texts in (("dev", run.dev), ("test", run.test))
        }
        check_scores(run, fidelity)
        if order.max_accuracy_drop is not None:
            check_fidelity(fidelity["dev"], RECIPES[order.recipe], order.max_accuracy_drop)
        goldens = run_on_device(staging, GOLDEN_TEXTS)
        manifest = add_measurements(manifest, run.vocabulary, fidelity, goldens, interpreter)
        write_manifest(staging, manifest)
        sizes = {name: (staging / name).stat().st_size for name in DEVICE_FILES}
        write_card(staging / MODEL_CARD, manifest, sizes, run)
    return Export(order.target, order.recipe, sizes, interpreter, fidelity)


def check_scores(run: RunFolder, fidelity: dict[str, Fidelity]) -> None:
    """Refuse a model that is not the one its run folder tells of.

    Args:
        run: what training left.
        fidelity: with Keras's accuracy on its texts, measured here.

    Raises:
        RunFolderError: `model.keras` scores otherwise than `metrics.json` says.
    """
    for name, each in fidelity.items():
        told = run.metrics["scores"][name]["accuracy"]
        if abs(each.keras - told) > SCORE_TOLERANCE:
            raise RunFolderError(
                f"{run.path}: model.keras has {each.keras:.2%} of {name} right where metrics.json "
                f"says {told:.2%}: train again"
            )


def _convert(
    staging: Path, scratch: Path, run: RunFolder, order: Order
) -> tuple[dict[str, Any], dict[str, Scores]]:
    """Write model and vocabulary; give the first manifest and Keras's scores."""
    facts = call(
        "convert.conversion:convert_run",
        run=str(run.path),
        recipe=order.recipe,
        model=str(staging / MODEL),
        reference=str(scratch / "reference.npz"),
        layout=order.layout,
        integer_output=order.integer_output,
    )
    contents = read_contents((staging / MODEL).read_bytes())
    check_operators(contents.operators)
    shutil.copyfile(run.path / "vocab.json", staging / VOCABULARY)
    facts["oldest_runtime"] = contents.oldest_runtime
    facts["output_dtype"] = "int8" if order.integer_output else "float32"
    with np.load(scratch / "reference.npz") as file:
        reference = {name: file[name] for name in file.files}
    return first_manifest(staging, RECIPES[order.recipe], facts, run.metrics), reference
