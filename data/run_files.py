"""The run folder's format, shared by `train`, which writes it, and `convert`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glovelite.runtime.bundle import KERAS_FILE as KERAS_FILE
from glovelite.runtime.bundle import MAX_BYTES
from glovelite.runtime.bundle import METRICS_FILE as METRICS_FILE
from glovelite.runtime.bundle import NGRAMS_FILE as NGRAMS_FILE
from glovelite.runtime.bundle import VOCABULARY_FILE as VOCABULARY_FILE

RUN_FORMAT = 1
OUT_OF_FOLD = "out_of_fold"  # name of the texts of all folds, beside `dev` and `test`
CALIBRATION_FILE = "calibration.jsonl"
DEV_FILE = "dev.jsonl"
TEST_FILE = "test.jsonl"
SCRATCH_FILE = "scratch.json"
OUT_OF_FOLD_FILE = f"{OUT_OF_FOLD}.jsonl"
LABEL_ERRORS_FILE = "label_errors.csv"
TRAINING_FILE = "training.npz"
CURVES_PLOT, CONFUSION_PLOT, SCRATCH_PLOT = "curves.png", "confusion.png", "scratch.png"

#: Maximum sizes of files that are read whole. JSON takes up to 20 times its bytes in memory.
MAX_RUN_BYTES = {
    METRICS_FILE: 1 << 25,
    VOCABULARY_FILE: MAX_BYTES[VOCABULARY_FILE],
    NGRAMS_FILE: MAX_BYTES[NGRAMS_FILE],
}

#: The files that every run folder holds and `convert` reads.
REQUIRED_FILES = (
    METRICS_FILE,
    VOCABULARY_FILE,
    KERAS_FILE,
    CALIBRATION_FILE,
    DEV_FILE,
    TEST_FILE,
)
RUN_FILES = frozenset(
    (
        *REQUIRED_FILES,
        NGRAMS_FILE,
        SCRATCH_FILE,
        OUT_OF_FOLD_FILE,
        LABEL_ERRORS_FILE,
        TRAINING_FILE,
        CURVES_PLOT,
        CONFUSION_PLOT,
        SCRATCH_PLOT,
    )
)


def write_labelled(path: Path, rows: Iterable[tuple[str, str | Sequence[str]]]) -> None:
    """Write texts with their labels as JSON Lines; see `label_fields`."""
    with path.open("w", encoding="utf-8") as file:
        for text, label in rows:
            file.write(json.dumps({"text": text, **label_fields(label)}) + "\n")


def label_fields(label: str | Sequence[str]) -> dict[str, Any]:
    """Return a record's label, or the labels of multi-label text as a list."""
    return {"label": label} if isinstance(label, str) else {"labels": list(label)}
