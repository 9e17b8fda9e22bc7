"""Golden texts: what a bundle predicted where it was exported, replayed where it is used.

`manifest.json` lists them under `goldens`, so that a device, or a port of this runtime to another
language, can prove that it computes what was measured:

    {"text": "It wasn't GOOD, it was great!", "tokens": ["it", "wasn't", "good", "it", "was",
     "great"], "ids": [140, 1, 411, 140, 56, 249], "truncated": false,
     "probabilities": [0.100001, 0.238120, 0.617283, 0.044595], "familiarity": 9.333333}

Each step has a field of its own, so that a port finds the step that differs:

- `tokens`: the first `max_tokens` tokens of `text`; must be equal. Older bundles lack this field.
- `ids`: positions in the vocabulary file, 1 for unknown words, without padding; must be equal.
  `truncated`: whether the text had more tokens.
- `probabilities`: in the order of the labels, rounded to six digits; must differ by no more
  than the manifest's `tolerance`, at most `MAX_TOLERANCE`.
- `familiarity`: rounded to six digits, where the vocabulary has levels of familiarity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .aliases import Floats
from .bundle import MANIFEST_FILE, Bundle
from .errors import BundleDamagedError, SelfTestError

MAX_TOLERANCE = 0.02  # of a probability on another machine; bundles of version 0.1.0 name none
FAMILIARITY_TOLERANCE = 1e-5  # more than rounding, less than a level of one word of a long text


@dataclass(frozen=True)
class GoldenText:
    """A text and its prediction where the bundle was exported; None for what older bundles lack."""

    text: str
    tokens: tuple[str, ...] | None
    ids: tuple[int, ...]
    truncated: bool
    probabilities: tuple[float, ...]
    familiarity: float | None


@dataclass(frozen=True)
class SelfTestResult:
    """The result of a passed self-test.

    Attributes:
        goldens: number of golden texts.
        largest_difference: of a probability from the manifest's.
        tolerance: the largest difference allowed.
    """

    goldens: int
    largest_difference: float
    tolerance: float


def read_golden_texts(bundle: Bundle) -> tuple[GoldenText, ...]:
    """Return the golden texts of a bundle, one or more.

    Raises:
        BundleDamagedError: the manifest has no valid golden texts.
    """
    entries = bundle.manifest.get("goldens")
    classes = len(bundle.vocabulary.labels)
    valid = isinstance(entries, list) and all(_is_golden_entry(entry, classes) for entry in entries)
    if not entries or not valid:
        raise BundleDamagedError(f"{bundle.path / MANIFEST_FILE} has no golden texts to replay")
    return tuple(
        GoldenText(
            entry["text"],
            tuple(entry["tokens"]) if "tokens" in entry else None,
            tuple(entry["ids"]),
            entry["truncated"],
            tuple(entry["probabilities"]),
            entry.get("familiarity"),
        )
        for entry in entries
    )


def read_tolerance(bundle: Bundle) -> float:
    """Return by how much probabilities may differ from those of the golden texts.

    Raises:
        BundleDamagedError: the manifest has something else.
    """
    tolerance = bundle.manifest.get("tolerance", MAX_TOLERANCE)
    if type(tolerance) not in (int, float) or not tolerance >= 0:
        raise BundleDamagedError(f"{bundle.path / MANIFEST_FILE}: 'tolerance' is not a number")
    return float(min(tolerance, MAX_TOLERANCE))


def run_self_test(bundle: Bundle, predict_proba: Callable[[list[str]], Floats]) -> SelfTestResult:
    """Compare a bundle's predictions for its golden texts with those recorded at export.

    Args:
        predict_proba: returns the probabilities of texts, float32 [texts, classes].

    Raises:
        BundleDamagedError: the bundle has no golden texts.
        SelfTestError: tokens, ids or probabilities differ; the message names the text.
    """
    golden_texts, tolerance = read_golden_texts(bundle), read_tolerance(bundle)
    largest = 0.0
    scores = predict_proba([golden.text for golden in golden_texts])
    for golden, probabilities in zip(golden_texts, scores):
        name = f"{bundle.path}: golden text {golden.text[:40]!r}"
        tokens = tuple(bundle.vocabulary.tokenize(golden.text))
        if golden.tokens not in (None, tokens):
            raise SelfTestError(f"{name} gets other tokens here: runtime and bundle do not match")
        encoded = bundle.vocabulary.encode(golden.text)
        if (tuple(encoded.ids), encoded.truncated) != (golden.ids, golden.truncated):
            raise SelfTestError(f"{name} gets other ids here: runtime and bundle do not match")
        if golden.familiarity is not None and not math.isclose(
            encoded.familiarity, golden.familiarity, abs_tol=FAMILIARITY_TOLERANCE
        ):
            raise SelfTestError(
                f"{name} has another familiarity here: runtime and bundle do not match"
            )
        difference = float(np.abs(probabilities - np.array(golden.probabilities)).max())
        if not difference <= tolerance:  # also true for NaN
            raise SelfTestError(
                f"{name} differs by {difference:.4f} here, {tolerance:g} is allowed: use the "
                "interpreter that the bundle was measured with, or export it again"
            )
        largest = max(largest, difference)
    return SelfTestResult(len(golden_texts), largest, tolerance)


def _is_golden_entry(entry: Any, classes: int) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("text"), str)
        and isinstance(entry.get("truncated"), bool)
        and _is_list_of((str,), entry.get("tokens", []))
        and _is_list_of((int,), entry.get("ids"))
        and _is_list_of((int, float), entry.get("probabilities"))
        and len(entry["probabilities"]) == classes
        and type(entry.get("familiarity", 0)) in (int, float)
    )


def _is_list_of(types: tuple[type, ...], values: Any) -> bool:
    return isinstance(values, list) and all(type(value) in types for value in values)
