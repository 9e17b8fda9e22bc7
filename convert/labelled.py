"""Reads labelled text to measure on: a run folder's JSONL, or a CSV file of the user's."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their true classes.

    Attributes:
        texts: the texts.
        targets: int64 [texts], place of each text's class in the vocabulary's labels.
    """

    texts: tuple[str, ...]
    targets: npt.NDArray[np.int64]


def read_labelled(path: Path, labels: tuple[str, ...]) -> LabelledTexts:
    """Read labelled text.

    Args:
        path: a `.jsonl` file of objects with `text` and `label`, or a CSV file with those columns.
        labels: the classes that may occur.

    Returns:
        The texts, at least one.

    Raises:
        DataError: the file is missing, empty or malformed; the message names file and line.
    """
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    read = _read_jsonl if path.suffix in (".jsonl", ".ndjson") else _read_csv
    texts, targets = [], []
    for line, text, label in read(content, path):
        if label not in labels:
            raise DataError(f"{path}, line {line}: label {label!r} is not one of {list(labels)}")
        texts.append(text)
        targets.append(labels.index(label))
    if not texts:
        raise DataError(f"{path} is empty")
    return LabelledTexts(tuple(texts), np.array(targets, np.int64))


csv.field_size_limit(1 << 30)  # a review is not an attack; Python's default is 128 kB a field
Lines = Iterator[tuple[int, str, str]]


def _read_jsonl(content: str, path: Path) -> Lines:
    for line, record in enumerate(content.split("\n"), start=1):
        if not record.strip():
            continue
        try:
            values = json.loads(record)
            text, label = values["text"], values["label"]
        except (ValueError, KeyError, TypeError, RecursionError):
            text, label = None, None
        if not isinstance(text, str) or not isinstance(label, (str, int, float)):
            raise DataError(f'{path}, line {line}: expected {{"text": "…", "label": "…"}}')
        yield line, text, str(label)


def _read_csv(content: str, path: Path) -> Lines:
    rows = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    if not {"text", "label"} <= set(rows.fieldnames or ()):
        found = rows.fieldnames
        raise DataError(f"{path}: the first row should name text and label, it is {found}")
    try:
        for row in rows:
            if None in row or None in row.values():
                raise DataError(f"{path}, line {rows.line_num}: more or fewer fields than columns")
            yield rows.line_num, row["text"].strip(), row["label"].strip()
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}") from None
