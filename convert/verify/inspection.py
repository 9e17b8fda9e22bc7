"""What a bundle holds, checks itself to be, and how it compares with another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from runtime.bundle import MANIFEST_FILE, MODEL_FILE, VOCABULARY_FILE, read_bundle
from runtime.errors import DataError
from runtime.self_test import read_golden_texts

from ..labelled import read_labelled
from ..tflite.tflite_file import Contents, read_contents
from .device import run_on_device, self_test_on_device
from .fidelity import Longs, Scores, compare, mcnemar


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
    bundle = read_bundle(path)  # its errors are told as such
    read_golden_texts(bundle)
    found = self_test_on_device(path)
    accuracy = None
    if data is not None:
        texts = read_labelled(data, bundle.vocabulary.labels)
        accuracy = _measure(run_on_device(path, texts.texts), texts.targets)
    goldens, largest = found["goldens"], found["largest_difference"]
    return Verification(found["interpreter"], goldens, largest, accuracy)


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
    goldens = [golden.text for golden in read_golden_texts(bundles[0])]
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


def device_bytes(bundle: Path) -> int:
    """Count what a bundle makes the device hold, bytes."""
    return sum(
        (bundle / name).stat().st_size for name in (MODEL_FILE, VOCABULARY_FILE, MANIFEST_FILE)
    )


def to_json(result: Verification | Comparison) -> str:
    """Give a result as JSON."""
    return json.dumps(asdict(result))


def _measure(scores: Scores, targets: Longs) -> Accuracy:
    right = int((scores.argmax(axis=1) == targets).sum())
    interval = binomtest(right, len(targets)).proportion_ci(method="wilson")
    return Accuracy(len(targets), right / len(targets), float(interval.low), float(interval.high))
