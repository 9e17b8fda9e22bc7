"""Golden texts: what a bundle answered where it was made, to be replayed where it is used.

`manifest.json` lists them under `goldens`, so that a device, or a port of this runtime to another
language, can prove that it computes what was measured:

    {"text": "It wasn't GOOD, it was great!", "tokens": ["it", "wasn't", "good", "it", "was",
     "great"], "ids": [140, 1, 411, 140, 56, 249], "truncated": false,
     "probabilities": [0.100001, 0.238120, 0.617283, 0.044595]}

Each step has its own field, so that a port finds the one that goes wrong:

- `tokens`: what the tokenizer makes of `text`, the first `max_tokens`; must be equal. Bundles
  written before there was this field lack it.
- `ids`: their places in the vocabulary file, 1 where they are not in it, without padding; must be
  equal. `truncated` tells whether there were more tokens.
- `probabilities`: in the order of the labels, each rounded to six digits; must be within the
  tolerance of the manifest's `recipe`, see `TOLERANCES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .bundle import MANIFEST, Bundle
from .errors import BundleDamagedError, SelfTestError
from .tokenizer import tokenize_start

#: How far a probability may be from the manifest's on another machine or interpreter, by recipe.
TOLERANCES = {"float32": 1e-4, "float16": 1e-4, "int4": 1e-4, "dynamic": 0.02, "int8": 0.02}


@dataclass(frozen=True)
class Golden:
    """A text and what the bundle made of it where it was made.

    Attributes:
        text: the text.
        tokens: its first `max_tokens` tokens, or None where an older bundle does not tell.
        ids: its token ids, without padding.
        truncated: whether it was longer than the model looks at.
        probabilities: every class's, in the order of the labels.
    """

    text: str
    tokens: tuple[str, ...] | None
    ids: tuple[int, ...]
    truncated: bool
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Replay:
    """What came of replaying the golden texts.

    Attributes:
        goldens: how many.
        largest_difference: of a probability from the manifest's.
        tolerance: the most that is allowed.
    """

    goldens: int
    largest_difference: float
    tolerance: float


def read_goldens(bundle: Bundle) -> tuple[Golden, ...]:
    """Give the golden texts of a bundle.

    Args:
        bundle: the bundle.

    Returns:
        The texts, one or more.

    Raises:
        BundleDamagedError: the manifest has none, or other things in their place.
    """
    entries = bundle.manifest.get("goldens")
    classes = len(bundle.vocabulary.labels)
    if (
        not isinstance(entries, list)
        or not entries
        or not all(_is_golden(e, classes) for e in entries)
    ):
        raise BundleDamagedError(f"{bundle.path / MANIFEST} has no golden texts to replay")
    return tuple(
        Golden(
            e["text"],
            tuple(e["tokens"]) if "tokens" in e else None,
            tuple(e["ids"]),
            e["truncated"],
            tuple(e["probabilities"]),
        )
        for e in entries
    )


def replay(bundle: Bundle, answer: Callable[[list[str]], npt.NDArray[np.float32]]) -> Replay:
    """Replay a bundle's golden texts.

    Args:
        bundle: the bundle.
        answer: gives the probabilities of texts, float32 [texts, classes].

    Returns:
        How many there are and how far the probabilities are off.

    Raises:
        BundleDamagedError: the bundle has no golden texts.
        SelfTestError: tokens, ids or probabilities are others here; the message names the text.
    """
    goldens = read_goldens(bundle)
    tolerance = TOLERANCES.get(str(bundle.manifest.get("recipe")), 0.02)
    largest = 0.0
    for golden, found in zip(goldens, answer([golden.text for golden in goldens])):
        name = f"{bundle.path}: golden text {golden.text[:40]!r}"
        tokens = tuple(tokenize_start(golden.text, bundle.vocabulary.max_tokens))
        if golden.tokens not in (None, tokens):
            raise SelfTestError(f"{name} gives other tokens here: the runtime is not the bundle's")
        encoded = bundle.vocabulary.encode(golden.text)
        if (tuple(encoded.ids), encoded.truncated) != (golden.ids, golden.truncated):
            raise SelfTestError(f"{name} gives other ids here: the runtime is not the bundle's")
        difference = float(np.abs(found - np.array(golden.probabilities)).max())
        if not difference <= tolerance:  # so that NaN is one too
            raise SelfTestError(
                f"{name} differs by {difference:.4f} here, {tolerance:g} is allowed: "
                "use the interpreter the bundle was measured with, or export it anew"
            )
        largest = max(largest, difference)
    return Replay(len(goldens), largest, tolerance)


def _is_golden(entry: Any, classes: int) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("text"), str)
        and isinstance(entry.get("truncated"), bool)
        and _are((str,), entry.get("tokens", []))
        and _are((int,), entry.get("ids"))
        and _are((int, float), entry.get("probabilities"))
        and len(entry["probabilities"]) == classes
    )


def _are(kinds: tuple[type, ...], values: Any) -> bool:
    return isinstance(values, list) and all(type(value) in kinds for value in values)
