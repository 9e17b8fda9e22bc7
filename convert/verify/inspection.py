"""Inspects a bundle, checks it on this machine, and compares it with another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.aliases import Floats, Log, Longs, PathLike
from runtime.bundle import read_bundle
from runtime.errors import DataError
from runtime.evaluation.scores import Accuracy, measure_accuracy
from runtime.io.labelled_text import TextSource
from runtime.self_test import read_golden_texts

from ..manifest import bundle_bytes
from ..tflite.tflite_file import Contents, read_contents
from .device import run_on_device, self_test_on_device
from .fidelity import compare_scores, mcnemar
from .labelled_texts import read_labelled


@dataclass(frozen=True)
class Inspection:
    """What a bundle holds.

    Attributes:
        manifest: the content of `manifest.json`.
        contents: the operators and tensors of its model.
        listed_words: tokens in `vocab.json`.
        hashed_words: words in the index of hashed words.
    """

    manifest: dict[str, Any]
    contents: Contents
    listed_words: int
    hashed_words: int


@dataclass(frozen=True)
class Verification:
    """The result of `verify_bundle`.

    Attributes:
        interpreter: what computed the scores.
        goldens: number of golden texts replayed.
        largest_difference: of a golden probability from the manifest's.
    """

    interpreter: str
    goldens: int
    largest_difference: float


@dataclass(frozen=True)
class Comparison:
    """Two bundles compared.

    Attributes:
        bytes: of all files that a device needs, for each.
        agreement: share of texts with the same label, 0 to 1.
        largest_difference: of any probability.
        texts: number of texts.
        accuracy: of each on labelled text, or None.
        p_value: of the difference in accuracy (exact McNemar test, two-sided), or None.
    """

    bytes: tuple[int, int]
    agreement: float
    largest_difference: float
    texts: int
    accuracy: tuple[Accuracy, Accuracy] | None
    p_value: float | None


def inspect_bundle(path: PathLike) -> Inspection:
    """Read a bundle's manifest and the contents of its model.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
    """
    bundle = read_bundle(path)
    vocabulary = bundle.vocabulary
    return Inspection(
        bundle.manifest,
        read_contents(bundle.model),
        len(vocabulary.tokens),
        vocabulary.hashed_count,
    )


def verify_bundle(path: PathLike) -> Verification:
    """Check hashes, and replay the golden texts on this machine.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
        DeviceError: a golden text gets other ids or scores; the message names the text.
    """
    bundle = read_bundle(path)  # for precise errors
    read_golden_texts(bundle)
    self_test = self_test_on_device(Path(path))
    return Verification(self_test.interpreter, self_test.goldens, self_test.largest_difference)


def compare_bundles(
    first: PathLike,
    second: PathLike,
    data: TextSource | None = None,
    *,
    skip_bad_rows: bool = False,
    log: Log = print,
) -> Comparison:
    """Compare two bundles with the same labels on the same texts.

    Args:
        first: a bundle.
        second: another bundle.
        data: labelled text, or None for the golden texts of the first.
        skip_bad_rows: skip rows that cannot be used, with a warning.
        log: receives warnings about the data.

    Raises:
        BundleError: a bundle is missing, damaged or too new.
        DataError: the labels differ, or the labelled text cannot be read.
    """
    bundles = read_bundle(first), read_bundle(second)
    labels = [bundle.vocabulary.labels for bundle in bundles]
    if labels[0] != labels[1]:
        raise DataError(f"{first} has the labels {labels[0]}, {second} has {labels[1]}")
    labelled = read_labelled(data, labels[0], log, skip_bad_rows) if data else None
    goldens = [golden.text for golden in read_golden_texts(bundles[0])]
    texts = labelled.texts if labelled else goldens
    scores = run_on_device(Path(first), texts), run_on_device(Path(second), texts)
    targets = labelled.targets if labelled else scores[0].argmax(axis=1)
    both = compare_scores(targets, scores[0], scores[1])
    return Comparison(
        bytes=(_total_bytes(first), _total_bytes(second)),
        agreement=both.agreement,
        largest_difference=both.largest_difference,
        texts=len(texts),
        accuracy=(_measure(scores[0], targets), _measure(scores[1], targets)) if labelled else None,
        p_value=mcnemar(both.lost, both.won) if labelled else None,
    )


def _total_bytes(bundle: PathLike) -> int:
    return sum(bundle_bytes(Path(bundle)).values())


def _measure(scores: Floats, targets: Longs) -> Accuracy:
    return measure_accuracy(scores.argmax(axis=1) == targets)
