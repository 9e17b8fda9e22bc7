"""What a bundle holds, checks itself to be, and how it compares with another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.stats import binomtest

from runtime.bundle import MANIFEST, MODEL, VOCABULARY, Bundle, read_bundle
from runtime.errors import BundleDamagedError
from runtime.interpreter import interpreter_version

from .device import run_on_device
from .errors import DataError, DeviceError
from .flatbuffer import Contents, read_contents
from .gate import Longs, Scores, compare, mcnemar
from .labelled import read_labelled

#: How far a golden score may be from the manifest's on another machine or interpreter.
TOLERANCES = {"float32": 1e-4, "float16": 1e-4, "int4": 1e-4, "dynamic": 0.02, "int8": 0.02}


@dataclass(frozen=True)
class Accuracy:
    """Accuracy with its 95 % interval (Wilson 1927).

    Attributes:
        texts: how many were classified.
        accuracy: share classified rightly, 0 to 1.
        low: lower end of the interval.
        high: upper end.
    """

    texts: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        interpreter: what computed the scores.
        goldens: how many golden texts were replayed.
        largest_difference: of a golden probability from the manifest's.
        accuracy: on the user's text, if they gave one.
    """

    interpreter: str
    goldens: int
    largest_difference: float
    accuracy: Accuracy | None


@dataclass(frozen=True)
class Comparison:
    """Two bundles, side by side.

    Attributes:
        bytes: what each makes the device hold.
        agreement: share of texts given the same label by both, 0 to 1.
        largest_difference: of any probability.
        texts: how many they were compared on.
        accuracy: of each, if the text was labelled.
        chance: probability of so large a difference in accuracy by chance (exact McNemar test,
            two-sided), if the text was labelled.
    """

    bytes: tuple[int, int]
    agreement: float
    largest_difference: float
    texts: int
    accuracy: tuple[Accuracy, Accuracy] | None
    chance: float | None


def inspect_bundle(path: Path) -> tuple[dict[str, Any], Contents]:
    """Read a bundle's manifest and what its model holds.

    Args:
        path: the bundle.

    Returns:
        The manifest, and operators and tensors.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
    """
    bundle = read_bundle(path)
    return bundle.manifest, read_contents(bundle.model)


def verify_bundle(path: Path, data: Path | None = None) -> Verification:
    """Check hashes, replay the golden texts on this machine's interpreter, measure accuracy.

    Args:
        path: the bundle.
        data: labelled text to measure on, or None.

    Returns:
        What was found.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
        DeviceError: a golden text's ids or scores differ; the message names the text.
        DataError: the labelled text cannot be read.
    """
    bundle = read_bundle(path)
    goldens = _goldens(bundle)
    scores = run_on_device(path, [golden["text"] for golden in goldens])
    tolerance = TOLERANCES.get(str(bundle.manifest.get("recipe")), 0.02)
    largest = 0.0
    for golden, found in zip(goldens, scores):
        if bundle.vocabulary.encode(golden["text"]).ids != golden["ids"]:
            raise DeviceError(f"{path}: golden text {golden['text'][:40]!r} gives other ids here")
        difference = float(np.abs(found - golden["probabilities"]).max())
        if not difference <= tolerance:
            raise DeviceError(
                f"{path}: golden text {golden['text'][:40]!r} differs by {difference:.4f} here, "
                f"{tolerance:g} is allowed"
            )
        largest = max(largest, difference)
    accuracy = None
    if data is not None:
        texts = read_labelled(data, bundle.vocabulary.labels)
        accuracy = _measure(run_on_device(path, texts.texts), texts.targets)
    return Verification(interpreter_version(), len(goldens), largest, accuracy)


def compare_bundles(first: Path, second: Path, data: Path | None = None) -> Comparison:
    """Compare two bundles on the same texts.

    Args:
        first: a bundle.
        second: another with the same labels.
        data: labelled text, or None for the first one's golden texts.

    Returns:
        The comparison.

    Raises:
        BundleError: a bundle is missing, damaged or too new.
        DataError: the bundles have other labels, or the labelled text cannot be read.
    """
    bundles = read_bundle(first), read_bundle(second)
    labels = [bundle.vocabulary.labels for bundle in bundles]
    if labels[0] != labels[1]:
        raise DataError(f"{first} has the labels {labels[0]}, {second} has {labels[1]}")
    labelled = read_labelled(data, labels[0]) if data else None
    goldens = [golden["text"] for golden in _goldens(bundles[0])]
    texts = labelled.texts if labelled else goldens
    scores = run_on_device(first, texts), run_on_device(second, texts)
    targets = labelled.targets if labelled else scores[0].argmax(axis=1)
    both = compare(targets, scores[0], scores[1])
    return Comparison(
        bytes=(device_bytes(first), device_bytes(second)),
        agreement=both.agreement,
        largest_difference=both.largest_difference,
        texts=len(texts),
        accuracy=(_measure(scores[0], targets), _measure(scores[1], targets)) if labelled else None,
        chance=mcnemar(both.lost, both.won) if labelled else None,
    )


def _goldens(bundle: Bundle) -> list[dict[str, Any]]:
    """Give the golden texts of a manifest, refusing one that has none or other things there."""
    goldens = bundle.manifest.get("goldens")
    whole = isinstance(goldens, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("text"), str)
        and isinstance(each.get("ids"), list)
        and _are_probabilities(each.get("probabilities"), len(bundle.vocabulary.labels))
        for each in goldens
    )
    if not whole or not goldens:
        raise BundleDamagedError(f"{bundle.path / MANIFEST} has no golden texts to replay")
    return cast(list[dict[str, Any]], goldens)


def _are_probabilities(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(value, (int, float)) for value in values)
    )


def device_bytes(bundle: Path) -> int:
    """Count what a bundle makes the device hold, bytes."""
    return sum((bundle / name).stat().st_size for name in (MODEL, VOCABULARY, MANIFEST))


def to_json(result: Verification | Comparison) -> str:
    """Give a result as JSON."""
    return json.dumps(asdict(result))


def _measure(scores: Scores, targets: Longs) -> Accuracy:
    right = int((scores.argmax(axis=1) == targets).sum())
    interval = binomtest(right, len(targets)).proportion_ci(method="wilson")
    return Accuracy(len(targets), right / len(targets), float(interval.low), float(interval.high))
