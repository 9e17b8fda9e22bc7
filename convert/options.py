"""The options of an export and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glovelite.runtime.errors import ConversionError

from .recipes import DEFAULT_RECIPE, RECIPES

if TYPE_CHECKING:
    pass


LAYOUTS = ("conv", "folded", "auto")
DEFAULT_LISTED_WORDS = 7_700
DEFAULT_HASHED_WORDS = 30_000
MEDIAPIPE_HASHED_WORDS = 6_000  # there each costs 46 bytes instead of 6
#: Of accuracy on dev. Training kept the epoch that does best on the same text, so any change of the
#: model loses some of that luck: half a point on a thousand texts.
DEFAULT_MAX_DROP = 0.02
MIN_LISTED_WORDS = 3  # padding, the unknown word and one more


def name_metric(multi_label: bool) -> str:
    """Return what messages call the score that a model is judged by."""
    return "micro F1" if multi_label else "accuracy"


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    Attributes:
        recipe: a name in `RECIPES`.
        layout: `"conv"`, `"folded"`, or `"auto"` for the one with the smaller table.
        listed_words: tokens that the vocabulary file lists, those that text loses most without.
        hashed_words: further words, by their hash; each shares the id of a listed word. None takes
            `DEFAULT_HASHED_WORDS`, or `MEDIAPIPE_HASHED_WORDS` with `mediapipe`.
        dimensions: dimensions of the word vectors to keep, in the `conv` layout; None takes the
            recipe's.
        max_accuracy_drop: accuracy on dev that may be lost, 0 to 1; None allows any loss.
        abstain_accuracy: accuracy wanted of predictions that are not abstained, 0 to 1; None
            halves the errors.
        abstain_by_label: choose a threshold for each label instead of one for all.
        label_precision: of multi-label text, choose each label's threshold so that its precision on
            dev text is shown to be this, 0 to 1; None takes the thresholds of training.
        integer_output: leave the output of `int8` as int8.
        mediapipe: add what MediaPipe's TextClassifier needs to load the model.
        emit_c: also write the model as a C array.
    """

    recipe: str = DEFAULT_RECIPE
    layout: str = "conv"
    listed_words: int = DEFAULT_LISTED_WORDS
    hashed_words: int | None = None
    dimensions: int | None = None
    max_accuracy_drop: float | None = DEFAULT_MAX_DROP
    abstain_accuracy: float | None = None
    abstain_by_label: bool = False
    label_precision: float | None = None
    integer_output: bool = False
    mediapipe: bool = False
    emit_c: bool = False

    def __post_init__(self) -> None:
        """Raise ConversionError for invalid or contradictory values."""
        if self.recipe not in RECIPES:
            raise ConversionError(
                f"unknown recipe {self.recipe!r}, expected one of {', '.join(RECIPES)}"
            )
        if self.layout not in LAYOUTS:
            raise ConversionError(
                f"unknown layout {self.layout!r}, expected one of {', '.join(LAYOUTS)}"
            )
        if self.listed_words < MIN_LISTED_WORDS or self.chosen_hashed_words < 0:
            raise ConversionError(
                f"expected at least {MIN_LISTED_WORDS} listed and 0 hashed words, found "
                f"{self.listed_words} and {self.hashed_words}"
            )
        if self.dimensions is not None and self.dimensions < 1:
            raise ConversionError(f"expected at least 1 dimension, found {self.dimensions}")
        if self.max_accuracy_drop is not None and not 0 <= self.max_accuracy_drop <= 1:
            raise ConversionError("the accuracy that may be lost must be from 0 to 100 points")
        for name in ("abstain_accuracy", "label_precision"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConversionError(f"{name}: expected a number from 0 to 1, found {value!r}")
        calibrated = RECIPES[self.recipe].calibrated
        if self.integer_output and not calibrated:
            raise ConversionError(f"--integer-output needs --quantize int8, not {self.recipe}")
        if self.emit_c and not calibrated:
            raise ConversionError(
                "--emit-c needs --quantize int8, because microcontrollers compute in integers, "
                f"not {self.recipe}"
            )
        if self.mediapipe and (self.integer_output or self.emit_c):
            other = "--emit-c" if self.emit_c else "--integer-output"
            raise ConversionError(f"--mediapipe and {other} exclude each other: make two bundles")

    @property
    def chosen_hashed_words(self) -> int:
        """The number of words to hash, with the default where it was not given."""
        if self.hashed_words is not None:
            return self.hashed_words
        return MEDIAPIPE_HASHED_WORDS if self.mediapipe else DEFAULT_HASHED_WORDS
