"""Reads a run folder, except for the model, which needs TensorFlow (`model.keras_weights`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.labelled_text import TextSource
from glovelite.data.run_files import (
    CALIBRATION_FILE,
    DEV_FILE,
    KERAS_FILE,
    METRICS_FILE,
    REQUIRED_FILES,
    RUN_FORMAT,
    TEST_FILE,
    VOCABULARY_FILE,
)
from glovelite.runtime.errors import BundleError, DataError, RunFolderError
from glovelite.runtime.text.vocabulary import Vocabulary, parse_vocabulary

from .options import name_metric
from .verify.labelled_texts import LabelledTexts, read_labelled

#: What is read from `metrics.json` -> its type.
_REQUIRED_METRICS: dict[str, Any] = {
    "configuration.architecture": str,
    "configuration.glove": str,
    "configuration.seed": int,
    "corpus.name": str,
    "corpus.texts": int,
    "versions": dict,
    "scores.dev.accuracy": (int, float),
}
#: What multi-label runs have besides.
_REQUIRED_OF_MULTI_LABEL: dict[str, Any] = {
    "thresholds": dict,
    "scores.dev.multi_label.micro_f1": (int, float),
}
#: The same of a run with cross-validation, which may replace test text, and of one without.
_REQUIRED_WITH_FOLDS: dict[str, Any] = {
    "cross_validation.folds": list,
    "cross_validation.out_of_fold.texts": int,
    "cross_validation.out_of_fold.accuracy": (int, float),
    "cross_validation.out_of_fold.interval": list,
}
_REQUIRED_WITHOUT_FOLDS: dict[str, Any] = {"scores.test.accuracy": (int, float)}


@dataclass(frozen=True)
class CrossValidated:
    """What `convert` reads of a cross-validation.

    Attributes:
        folds: number of folds.
        texts: number of texts.
        accuracy: of all texts, each classified by a model that was trained without it, 0 to 1.
        interval: its 95 % interval.
    """

    folds: int
    texts: int
    accuracy: float
    interval: tuple[float, ...]


@dataclass(frozen=True)
class RunMetrics:
    """What `convert` reads from `metrics.json`.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        glove: name of the word vectors.
        seed: of the training run.
        corpus: what the manifest records about the corpus.
        versions: package -> version that trained the model.
        scores: accuracy of the saved model, or micro F1 on multi-label text, 0 to 1: on `dev`, and
            on `test` if there is test text.
        cross_validated: the result of the cross-validation, or None if there was none.
        thresholds: the probability from which multi-label text gets each label, else None.
    """

    architecture: str
    glove: str
    seed: int
    corpus: dict[str, Any]
    versions: dict[str, str]
    scores: dict[str, float]
    cross_validated: CrossValidated | None = None
    thresholds: tuple[float, ...] | None = None

    @property
    def metric(self) -> str:
        """What the scores are: `"accuracy"` or `"micro F1"`."""
        return name_metric(multi_label=self.thresholds is not None)


@dataclass(frozen=True)
class RunFolder:
    """A run folder whose model is not yet loaded.

    Attributes:
        path: the folder.
        metrics: from `metrics.json`.
        vocabulary: the content of `vocab.json`.
        calibration: training texts to which reduced models are fitted, and from which `int8`
            takes its ranges.
        dev: texts for choices.
        test: texts for the report; empty if cross-validation replaced them in training.
    """

    path: Path
    metrics: RunMetrics
    vocabulary: Vocabulary
    calibration: LabelledTexts
    dev: LabelledTexts
    test: LabelledTexts

    @property
    def held_out(self) -> dict[str, LabelledTexts]:
        """The sets on which bundles are measured: `dev`, and `test` if there is test text."""
        return {"dev": self.dev, **({"test": self.test} if self.test.texts else {})}

    @property
    def model(self) -> Path:
        """The Keras file."""
        return self.path / KERAS_FILE


def read_run(path: Path) -> RunFolder:
    """Read the folder that `glovelite-train` wrote.

    Raises:
        RunFolderError: a file is missing or malformed, or the run is of another version.
    """
    missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
    if missing:
        problem = "does not exist" if not path.exists() else f"lacks {', '.join(missing)}"
        raise RunFolderError(f"{path} {problem}: give a run folder that glovelite-train finished")
    try:
        source = str(path / VOCABULARY_FILE)
        vocabulary = parse_vocabulary(_read_text(path / VOCABULARY_FILE), source)
    except BundleError as error:
        raise RunFolderError(str(error)) from None
    metrics = _parse_metrics(_read_json(path / METRICS_FILE), vocabulary, path / METRICS_FILE)
    test = LabelledTexts((), np.zeros(0, np.int64))
    if "test" in metrics.scores:
        test = _read_texts(path / TEST_FILE, vocabulary)
    calibration, dev = (
        _read_texts(path / name, vocabulary) for name in (CALIBRATION_FILE, DEV_FILE)
    )
    return RunFolder(path, metrics, vocabulary, calibration, dev, test)


def _parse_metrics(content: Any, vocabulary: Vocabulary, path: Path) -> RunMetrics:
    version = content.get("format") if isinstance(content, dict) else None
    if version != RUN_FORMAT:
        raise RunFolderError(
            f"{path}: run format {version!r}, this version reads {RUN_FORMAT}: "
            "train again, or convert with the version that trained"
        )
    folds = content.get("cross_validation")
    further = _REQUIRED_WITHOUT_FOLDS if folds is None else _REQUIRED_WITH_FOLDS
    if vocabulary.multi_label:
        further = {**further, **_REQUIRED_OF_MULTI_LABEL}
    for name, kind in {**_REQUIRED_METRICS, **further}.items():
        value = content
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise RunFolderError(f"{path} lacks {name}: train again")
    configuration, scores = content["configuration"], content["scores"]
    return RunMetrics(
        architecture=configuration["architecture"],
        glove=configuration["glove"],
        seed=configuration["seed"],
        corpus=content["corpus"],
        versions=content["versions"],
        scores={name: _headline(scores[name]) for name in ("dev", "test") if name in scores},
        cross_validated=None if folds is None else _parse_cross_validation(folds),
        thresholds=_parse_thresholds(content, vocabulary, path) if vocabulary.multi_label else None,
    )


def _headline(scores: dict[str, Any]) -> float:
    """Return the score that a model is judged by: accuracy, or micro F1 of multi-label text."""
    multi_label = scores.get("multi_label")
    return float(multi_label["micro_f1"] if multi_label else scores["accuracy"])


def _parse_thresholds(content: Any, vocabulary: Vocabulary, path: Path) -> tuple[float, ...]:
    thresholds = content["thresholds"]
    if {*thresholds} != {*vocabulary.labels}:
        raise RunFolderError(f"{path}: expected a threshold for each label: train again")
    return tuple(float(thresholds[label]) for label in vocabulary.labels)


def _parse_cross_validation(content: Any) -> CrossValidated:
    all_texts = content["out_of_fold"]
    return CrossValidated(
        len(content["folds"]),
        all_texts["texts"],
        all_texts["accuracy"],
        tuple(all_texts["interval"]),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is not JSON: {error}") from None


def _read_texts(path: Path, vocabulary: Vocabulary) -> LabelledTexts:
    column = "labels" if vocabulary.multi_label else "label"
    source = TextSource(str(path), "jsonl", "text", column)
    try:
        return read_labelled(source, vocabulary.labels, multi_label=vocabulary.multi_label)
    except DataError as error:
        raise RunFolderError(f"{error}: train again") from None
