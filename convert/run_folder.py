"""Reads a run folder: everything but the model itself, which needs TensorFlow (`weights.py`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import BundleError, DataError
from runtime.vocabulary import Vocabulary, parse_vocabulary

from .errors import RunFolderError
from .labelled import LabelledTexts, read_labelled

FORMAT = 1
FILES = (
    "metrics.json",
    "vocab.json",
    "model.keras",
    "calibration.jsonl",
    "dev.jsonl",
    "test.jsonl",
)


#: What is read of `metrics.json`, and what it should be.
NEEDED: dict[str, Any] = {
    **{"configuration.architecture": str, "configuration.glove": str, "configuration.seed": int},
    **{"corpus.name": str, "corpus.texts": int, "versions": dict},
    **{"scores.dev.accuracy": (int, float), "scores.test.accuracy": (int, float)},
}


@dataclass(frozen=True)
class RunFolder:
    """A run folder, its model not yet loaded.

    Attributes:
        path: the folder.
        metrics: content of `metrics.json`.
        vocabulary: content of `vocab.json`.
        calibration: training texts that show `int8` its ranges.
        dev: texts to choose on.
        test: texts to report on.
    """

    path: Path
    metrics: dict[str, Any]
    vocabulary: Vocabulary
    calibration: LabelledTexts
    dev: LabelledTexts
    test: LabelledTexts

    @property
    def model(self) -> Path:
        """The Keras file."""
        return self.path / "model.keras"


def read_run(path: Path) -> RunFolder:
    """Read a run folder, checking that nothing of it is missing.

    Args:
        path: the folder `glovelite-train` wrote.

    Returns:
        Its content.

    Raises:
        RunFolderError: a file is missing or malformed, or the run is of a newer version.
    """
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        what = "does not exist" if not path.exists() else f"lacks {', '.join(missing)}"
        raise RunFolderError(f"{path} {what}: give a run folder that glovelite-train finished")
    metrics = _read_json(path / "metrics.json")
    version = metrics.get("format") if isinstance(metrics, dict) else None
    if version != FORMAT:
        raise RunFolderError(
            f"{path / 'metrics.json'}: run format {version!r}, this version reads {FORMAT}: "
            "train again, or convert with the version that trained"
        )
    for needed, kind in NEEDED.items():
        value = metrics
        for key in needed.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise RunFolderError(f"{path / 'metrics.json'} lacks {needed}: train again")
    try:
        source = str(path / "vocab.json")
        vocabulary = parse_vocabulary(_read_text(path / "vocab.json"), source)
    except BundleError as error:
        raise RunFolderError(str(error)) from None
    texts = {name: _read_texts(path / f"{name}.jsonl", vocabulary) for name in _SETS}
    return RunFolder(path, metrics, vocabulary, **texts)


_SETS = ("calibration", "dev", "test")


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
    try:
        return read_labelled(path, vocabulary.labels)
    except DataError as error:
        raise RunFolderError(f"{error}: train again") from None
