"""What a user asks of an export, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .search.budget import Candidate
from .tflite.recipes import DEFAULT
from .verify.abstention import Abstention, Answered
from .verify.fidelity import Fidelity


@dataclass(frozen=True)
class Order:
    """What a user asks of an export.

    Attributes:
        run: the folder `glovelite-train` wrote.
        target: the bundle to write.
        recipe: a name in `RECIPES`.
        layout: `"conv"`, `"folded"`, or `"auto"` for the one with the smaller table.
        max_words: size of the vocabulary to keep; None keeps it whole.
        dimensions: of the word vectors to keep, in the `conv` layout; None keeps them all.
        max_accuracy_drop: accuracy on dev that may be lost, 0 to 1; None lets everything pass.
        abstain_accuracy: accuracy wanted of answers that are relied on, 0 to 1; None halves the
            errors.
        integer_output: leave the output of `int8` as int8.
        mediapipe: add what MediaPipe's TextClassifier needs to load the model.
        emit_c: write the model as a C array too.
        overwrite: replace a bundle that is there.
    """

    run: Path
    target: Path
    recipe: str = DEFAULT
    layout: str = "conv"
    max_words: int | None = None
    dimensions: int | None = None
    max_accuracy_drop: float | None = 0.01
    abstain_accuracy: float | None = None
    integer_output: bool = False
    mediapipe: bool = False
    emit_c: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Export:
    """A bundle just written.

    Attributes:
        bundle: its folder.
        recipe: name of the recipe.
        bytes: of each file the device needs, by name.
        plain_bytes: of the model without what MediaPipe needs.
        interpreter: what computed the device's side, with its version.
        fidelity: device against Keras, for `dev` and `test`.
        abstention: the least probability and share of known words of an answer to rely on.
        answered: what that abstention leaves of `dev` and `test`.
        missing_in_micro: what a model written in C has that TFLite Micro has not; None where none
            was written.
        candidates: what a search for a budget measured.
    """

    bundle: Path
    recipe: str
    bytes: dict[str, int]
    plain_bytes: int
    interpreter: str
    fidelity: dict[str, Fidelity]
    abstention: Abstention
    answered: dict[str, Answered]
    missing_in_micro: list[str] | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def total_bytes(self) -> int:
        """What the device has to hold."""
        return sum(self.bytes.values())

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON types."""
        return {
            **asdict(self),
            "bundle": str(self.bundle),
            "total_bytes": self.total_bytes,
            "candidates": [each.as_dict() for each in self.candidates],
        }
