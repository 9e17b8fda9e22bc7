"""Inspects a bundle, checks it on this machine, and compares it with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.labelled_text import TextSource
from glovelite.evaluation.scores import Accuracy, decide, find_correct, measure_accuracy
from glovelite.runtime.aliases import Classes, PathLike
from glovelite.runtime.bundle import MODEL_FILE, Bundle, read_bundle
from glovelite.runtime.errors import BundleDamagedError, DataError
from glovelite.runtime.self_test import read_golden_texts

from .manifest import bundle_bytes
from .run_folder import read_given
from .tflite.tflite_file import Contents, read_contents
from .verify.device import (
    DeviceSelfTest,
    run_on_device,
    runnable_interpreters,
    self_test_on_device,
)
from .verify.fidelity import count_changes, mcnemar, measure_agreement, measure_score


@dataclass(frozen=True)
class Inspection:
    """What a bundle holds.

    Attributes:
        manifest: content of `manifest.json`.
        contents: operators and tensors of the model.
        listed_words: tokens in `vocab.json`.
        hashed_words: words in the index of hashed words.
    """

    manifest: dict[str, Any]
    contents: Contents
    listed_words: int
    hashed_words: int

    def __repr__(self) -> str:
        return (
            f"<Inspection of a {self.manifest.get('recipe')} bundle: {self.listed_words:,} words "
            f"listed, {self.hashed_words:,} hashed, {len(self.contents.operators):,} operators>"
        )


@dataclass(frozen=True)
class Verification:
    """The result of `verify_bundle`: the self-test on each interpreter that runs here."""

    self_tests: tuple[DeviceSelfTest, ...]

    def __repr__(self) -> str:
        passed = ", ".join(test.interpreter for test in self.self_tests)
        return f"<Verification: passed on {passed}>"


@dataclass(frozen=True)
class Comparison:
    """Two bundles compared.

    Attributes:
        bytes: of all files that a device needs, for each.
        agreement: share of texts with the same label, 0 to 1; of multi-label text, share of the
            labels that either gives that both give.
        largest_difference: of any probability.
        texts: number of texts.
        accuracy: of each on labelled text, or None.
        p_value: of the difference in accuracy (exact McNemar test, two-sided), or None; on
            multi-label text, of the difference between the texts on which each is right about more
            labels.
        micro_f1: of each on multi-label text, or None.
    """

    bytes: tuple[int, int]
    agreement: float
    largest_difference: float
    texts: int
    accuracy: tuple[Accuracy, Accuracy] | None = None
    p_value: float | None = None
    micro_f1: tuple[float, float] | None = None

    def __repr__(self) -> str:
        scores = [f"{size:,} bytes" for size in self.bytes]
        for index, accuracy in enumerate(self.accuracy or ()):
            scores[index] += f", accuracy {accuracy.accuracy:.1%}"
        return (
            f"<Comparison on {self.texts:,} texts: {self.agreement:.1%} agreement; "
            f"{'; '.join(scores)}>"
        )


def inspect_bundle(path: PathLike) -> Inspection:
    """Read a bundle's manifest and the contents of its model.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
    """
    bundle = read_bundle(path)
    tokens, hashed = bundle.vocabulary.tokens, bundle.vocabulary.hashed_count
    try:
        contents = read_contents(bundle.model)
    except ValueError as error:
        raise BundleDamagedError(f"{bundle.path / MODEL_FILE}: {error}") from None
    return Inspection(bundle.manifest, contents, len(tokens), hashed)


def verify_bundle(path: PathLike) -> Verification:
    """Check hashes, and replay the golden texts on each interpreter that runs here.

    One that is installed and cannot run is skipped with a warning. The environment variable
    `GLOVELITE_INTERPRETER` selects one of them.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
        DeviceError: a golden text gets other ids or scores; the message names the text.
    """
    bundle = read_bundle(path)  # for precise errors
    read_golden_texts(bundle)
    self_tests = [self_test_on_device(Path(path), name) for name in runnable_interpreters()]
    return Verification(tuple(self_tests))


def compare_bundles(
    first: PathLike,
    second: PathLike,
    data: TextSource | PathLike | Sequence[str] | None = None,
    labels: Sequence[object] | None = None,
    *,
    skip_bad_rows: bool = False,
) -> Comparison:
    """Compare two bundles with the same labels on labelled text.

    Args:
        first: a bundle's folder.
        second: the other one's.
        data: as for `evaluate_bundle`, read as in the training of the first bundle; None takes its
            golden texts.
        labels: a label for each text in memory.
        skip_bad_rows: skip rows that cannot be used, with a warning.

    Raises:
        BundleError: a bundle is missing, damaged or too new.
        DataError: the labels differ, or the labelled text cannot be read.
    """
    bundles = read_bundle(first), read_bundle(second)
    _check_same_labels(*bundles)
    vocabulary = bundles[0].vocabulary
    texts: Sequence[str] = [golden.text for golden in read_golden_texts(bundles[0])]
    labelled = None
    if data is not None:
        labelled = read_given(data, labels, bundles[0], skip_bad_rows)
        texts = labelled.texts
    scores = [run_on_device(bundle.path, texts) for bundle in bundles]
    one, other = (
        decide(probabilities, bundle.thresholds if vocabulary.multi_label else None)
        for probabilities, bundle in zip(scores, bundles)
    )
    sizes = [sum(bundle_bytes(bundle.path).values()) for bundle in bundles]
    compared = Comparison(
        bytes=(sizes[0], sizes[1]),
        agreement=measure_agreement(one, other),
        largest_difference=float(np.abs(scores[0] - scores[1]).max()),
        texts=len(texts),
    )
    return compared if labelled is None else _score(compared, labelled.targets, one, other)


def _check_same_labels(first: Bundle, second: Bundle) -> None:
    one, other = first.vocabulary, second.vocabulary
    if one.labels != other.labels:
        raise DataError(
            f"{first.path} has the labels {one.labels}, {second.path} has {other.labels}"
        )
    if one.multi_label != other.multi_label:
        raise DataError(f"only one of {first.path} and {second.path} is multi-label")


def _score(compared: Comparison, targets: Classes, one: Classes, other: Classes) -> Comparison:
    """Add how right both are about labelled text."""
    accuracy = [measure_accuracy(find_correct(targets, predicted)) for predicted in (one, other)]
    p_value = mcnemar(*count_changes(targets, one, other))
    compared = replace(compared, accuracy=(accuracy[0], accuracy[1]), p_value=p_value)
    if targets.ndim == 1:
        return compared
    return replace(compared, micro_f1=(measure_score(targets, one), measure_score(targets, other)))
