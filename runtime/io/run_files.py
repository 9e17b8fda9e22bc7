"""The names and format of a run folder, for those who need no TensorFlow to know them."""

from __future__ import annotations

FORMAT = 1
TEXTS = ("calibration.jsonl", "dev.jsonl", "test.jsonl")
DRAWINGS = ("curves.png", "confusion.png", "scratch.png")
RUN_FILES = frozenset(
    ("model.keras", "vocab.json", "metrics.json", "scratch.json", *TEXTS, *DRAWINGS)
)
