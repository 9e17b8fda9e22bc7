"""A run folder in, a bundle out: converted, run on the device's interpreter, written whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import MANIFEST_FILE, MODEL_CARD_FILE, MODEL_FILE, VOCABULARY_FILE
from runtime.interpreter import interpreter_version
from runtime.io.output_folder import atomic_folder, check_output_folder
from runtime.vocabulary import Vocabulary, parse_vocabulary

from .errors import ConversionError, RunFolderError
from .manifest import add_abstention, add_measurements, first_manifest, golden_texts, write_manifest
from .model_card import write_card
from .options import Export, Order
from .run_folder import RunFolder, read_run
from .targets.mediapipe import add_metadata
from .targets.microcontroller import HEADER, SOURCE, missing_in_micro, write_c
from .tflite.recipes import RECIPES
from .tflite.tflite_file import check_operators, read_contents
from .verify.abstention import apply_abstention, choose_abstention
from .verify.device import run_on_device
from .verify.fidelity import Fidelity, Scores, check_fidelity, compare
from .worker import call

Say = Callable[[str], None]
DEVICE_FILES = (MODEL_FILE, VOCABULARY_FILE, MANIFEST_FILE)
FRONTIER, CANDIDATES = "frontier.png", "candidates.json"
BUNDLE_FILES = frozenset((*DEVICE_FILES, MODEL_CARD_FILE, SOURCE, HEADER, FRONTIER, CANDIDATES))
SCORE_TOLERANCE = 0.005  # between Keras here and Keras in training; rounding moves a text or two


def export_bundle(
    order: Order, say: Say = print, finish: Callable[[Path], str] = lambda _: ""
) -> Export:
    """Convert a run into a bundle, proven on the device's interpreter.

    Args:
        order: what to convert, how and where to.
        say: called with a line for every step.
        finish: called with the folder before it takes its place; what it gives is added to the
            model card.

    Returns:
        Sizes and comparisons.

    Raises:
        RunFolderError: the run cannot be converted.
        ConversionError: TensorFlow's converter failed or died, or what it wrote would not run on
            tflite-runtime 2.14, or what was asked for does not go together.
        DeviceError: the device's interpreter refuses the model.
        GateError: the bundle lost more than the order allows.
        InterpreterError: no interpreter is installed.
        OutputError: the bundle is in the way or cannot be written.
    """
    check_order(order)
    target = check_output_folder(order.target, order.overwrite, MANIFEST_FILE, BUNDLE_FILES)
    interpreter = interpreter_version()
    run = read_run(order.run)
    sets = {"dev": run.dev, "test": run.test}
    with atomic_folder(target, order.overwrite) as staging:
        say(f"converting {run.path} by recipe {order.recipe}")
        with tempfile.TemporaryDirectory() as scratch:
            facts, reference = _convert(staging, Path(scratch), run, order)
        plain_bytes, vocabulary = _complete_model(staging, facts, order)
        manifest = first_manifest(staging, RECIPES[order.recipe], facts, run.metrics)
        write_manifest(staging, manifest)
        count = sum(len(texts.texts) for texts in sets.values())
        say(f"running {count:,} dev and test texts on {interpreter}")
        scores = {name: run_on_device(staging, texts.texts) for name, texts in sets.items()}
        fidelity = {
            name: compare(texts.targets, reference[name], scores[name])
            for name, texts in sets.items()
        }
        check_scores(run, fidelity)
        if order.max_accuracy_drop is not None:
            kept = compare(run.dev.targets, reference["dev_kept"], scores["dev"])
            check_fidelity(fidelity["dev"], kept, RECIPES[order.recipe], order.max_accuracy_drop)
        goldens = run_on_device(staging, golden_texts(vocabulary))
        abstention = choose_abstention(scores["dev"], run.dev.targets, order.abstain_accuracy)
        answered = {
            name: apply_abstention(scores[name], texts.targets, abstention)
            for name, texts in sets.items()
        }
        manifest = add_measurements(manifest, vocabulary, fidelity, goldens, interpreter)
        manifest = add_abstention(manifest, abstention, answered)
        write_manifest(staging, manifest)
        sizes = {name: (staging / name).stat().st_size for name in DEVICE_FILES}
        write_card(staging / MODEL_CARD_FILE, manifest, sizes, vocabulary, finish(staging))
    missing = facts.get("missing_in_micro")
    return Export(
        order.target,
        order.recipe,
        sizes,
        plain_bytes,
        interpreter,
        fidelity,
        abstention,
        answered,
        missing,
    )


def check_order(order: Order) -> None:
    """Refuse an order that asks for what does not go together; ConversionError says what."""
    if order.max_accuracy_drop is not None and not 0 <= order.max_accuracy_drop <= 1:
        raise ConversionError("the accuracy that may be lost is from 0 to 100 points")
    if order.integer_output and order.recipe != "int8":
        raise ConversionError(f"integer output goes with int8, not with {order.recipe}")
    if order.emit_c and order.recipe != "int8":
        raise ConversionError(
            f"microcontrollers compute in integers: --emit-c goes with --quantize int8, not with "
            f"{order.recipe}"
        )
    if order.mediapipe and (order.integer_output or order.emit_c):
        other = "--emit-c" if order.emit_c else "--integer-output"
        raise ConversionError(f"--mediapipe does not go with {other}: make two bundles")


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
    """Write model and vocabulary; give what the manifest tells of them and Keras's scores."""
    facts = call(
        "convert.tflite.tf_worker:convert_run",
        run=str(run.path),
        folder=str(staging),
        reference=str(scratch / "reference.npz"),
        recipe=order.recipe,
        layout=order.layout,
        max_words=order.max_words,
        dimensions=order.dimensions,
        own_padding=order.mediapipe,
        fixed_length=order.emit_c,
        integer_output=order.integer_output,
    )
    facts["output_dtype"] = "int8" if order.integer_output else "float32"
    with np.load(scratch / "reference.npz") as file:
        return facts, {name: file[name] for name in file.files}


def _complete_model(staging: Path, facts: dict[str, Any], order: Order) -> tuple[int, Vocabulary]:
    """Check the model and add what was asked for; give its plain size in bytes, and its words."""
    content = (staging / MODEL_FILE).read_bytes()
    text = (staging / VOCABULARY_FILE).read_text("utf-8")
    vocabulary, plain_bytes = parse_vocabulary(text), len(content)
    if order.mediapipe:
        content = add_metadata(content, vocabulary)
    contents = read_contents(content)
    check_operators(contents.operators)
    facts["oldest_runtime"] = contents.oldest_runtime
    if order.emit_c:
        facts["missing_in_micro"] = missing_in_micro(contents)
        write_c(staging, content, contents, vocabulary)
    (staging / MODEL_FILE).write_bytes(content)
    return plain_bytes, vocabulary
