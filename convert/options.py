"""The recipes, which say how a model's numbers are stored on the device, and the export options."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glovelite.data.short_repr import ShortRepr
from glovelite.runtime.errors import ConversionError

#: Of the recipes below float16. Chosen on the dev text of six sets: with 32, a probability changes
#: by 16 % more and SST-2 loses half a point more; with 64, by 6 % less.
REDUCED_DIMENSIONS = 48
LAYOUTS = ("conv", "folded", "auto")
KEEPS_ALL_PIECES = (
    "the tokens of the run are pieces of words, of which a bundle keeps all: leave out "
    "--listed-words and --hashed-words, or train with fewer --pieces"
)
MEDIAPIPE_HASHED_WORDS = 6_000  # there each costs 46 bytes instead of 6
#: Of accuracy on dev. Training kept the epoch that does best on the same text, so any change of the
#: model loses some of that luck: half a point on a thousand texts.
DEFAULT_MAX_DROP = 0.02
MIN_LISTED_WORDS = 3  # padding, the unknown word and one more


@dataclass(frozen=True)
class GraphBytes:
    """Upper bounds of what a flatbuffer holds besides weights; tests compare them with models.

    Attributes:
        conv: bytes of operators and tensors in the `conv` layout, without its convolutions.
        convolution: bytes of each convolution there.
        folded: bytes in the `folded` layout.
        filter: bytes of each filter in the `conv` layout.
    """

    conv: int
    convolution: int
    folded: int
    filter: int = 0


@dataclass(frozen=True)
class Recipe:
    """One way to store a model's numbers.

    Attributes:
        name: value of `--quantize`.
        purpose: for `--help`.
        agreement: minimum share of dev texts that keep the float model's label; a lower share
            passes if chance explains it.
        largest_difference: maximum difference of any probability from the float model's.
        tolerance: maximum difference of a probability between two interpreters.
        weight_bytes: bytes of a weight outside of the table's rounded rows.
        graph_bytes: bytes of the rest of the flatbuffer.
        marker: matplotlib's marker in plots.
        calibrated: whether it needs the calibration texts.
        row_bits: 8 or 4 stores the table's rows in that many bits and the rest in 16; None leaves
            all numbers to TensorFlow's converter.
        dimensions: dimensions of the word vectors in the `conv` layout; None keeps all.
    """

    name: str
    purpose: str
    agreement: float
    largest_difference: float
    tolerance: float
    weight_bytes: int
    graph_bytes: GraphBytes
    marker: str
    calibrated: bool = False
    row_bits: int | None = None
    dimensions: int | None = None

    @property
    def next_finer(self) -> str:
        """The recipe that loses less, for a message."""
        return "float32" if self.dimensions is None else "float16"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="float32",
            purpose="the reference",
            agreement=0.999,
            largest_difference=1e-4,
            tolerance=1e-4,
            weight_bytes=4,
            graph_bytes=GraphBytes(conv=3_500, convolution=940, folded=3_900),
            marker="s",
        ),
        Recipe(
            name="float16",
            purpose="half the file, arithmetic of float32",
            agreement=0.998,
            largest_difference=0.01,
            tolerance=1e-4,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=4_100, convolution=1_490, folded=4_850),
            marker="D",
        ),
        Recipe(
            name="dynamic",
            purpose="table rows of 8 bits, for a Pi, a phone, a browser",
            agreement=0.98,
            largest_difference=0.15,
            tolerance=0.02,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=4_600, convolution=1_490, folded=5_850),
            marker="o",
            row_bits=8,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            name="int4",
            purpose="table rows of 4 bits, the smallest",
            agreement=0.95,
            largest_difference=0.4,
            tolerance=1e-4,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=7_200, convolution=1_490, folded=7_600),
            marker="^",
            row_bits=4,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            name="int8",
            purpose="integers only, for microcontrollers",
            agreement=0.95,
            largest_difference=0.35,
            tolerance=0.02,
            weight_bytes=1,
            # Of a filter: scales and zero points of weights and bias, a bias of 4 bytes.
            graph_bytes=GraphBytes(conv=4_900, convolution=1_072, folded=6_800, filter=27),
            marker="v",
            calibrated=True,
            dimensions=REDUCED_DIMENSIONS,
        ),
    )
}

INTEGER_RECIPES = tuple(name for name, recipe in RECIPES.items() if recipe.calibrated)


def name_metric(multi_label: bool) -> str:
    """Return the name of the score by which models are compared."""
    return "micro F1" if multi_label else "accuracy"


@dataclass(frozen=True)
class Form:
    """How much of a model is stored, and how.

    Attributes:
        recipe: the recipe.
        listed_words, hashed_words: as in `ExportOptions`, at most.
        dimensions: of the word vectors to keep in the `conv` layout; None keeps all.
    """

    recipe: Recipe
    listed_words: int
    hashed_words: int
    dimensions: int | None


#: Fewest labels -> the default form from there on, chosen on dev text. Words have more weights from
#: 33 labels on; more dimensions are then worth more than more bits. Of 1,000 labels and 7,000
#: listed words, too much accuracy is lost.
DEFAULT_FORMS = {
    1: Form(RECIPES["dynamic"], 7_700, 30_000, REDUCED_DIMENSIONS),
    33: Form(RECIPES["int4"], 7_000, 15_000, 64),
    400: Form(RECIPES["int4"], 10_000, 10_000, 64),
}


def describe_default(name: str) -> str:
    """Describe the default of a field of `Form`: "7,700, from 33 labels on 7,000"."""
    shown, parts = "", list[str]()
    for labels, form in DEFAULT_FORMS.items():
        value = getattr(form, name)
        text = value.name if isinstance(value, Recipe) else f"{value:,}"
        if text != shown:
            parts.append(f"from {labels} labels on {text}" if parts else text)
        shown = text
    return ", ".join(parts)


@dataclass(frozen=True, repr=False)
class ExportOptions(ShortRepr):
    """The options of an export.

    Attributes:
        recipe: a name in `RECIPES`. What is None here and below depends on the number of
            labels (`DEFAULT_FORMS`).
        layout: `"conv"`, `"folded"`, or `"auto"` for the one with the smaller table.
        listed_words: tokens that the vocabulary file lists, those that matter most to predictions.
        hashed_words: further words, by their hash; each shares the id of a listed word. None takes
            `MEDIAPIPE_HASHED_WORDS` with `mediapipe`.
        dimensions: dimensions of the word vectors to keep, in the `conv` layout; None keeps all
            with the recipes that do not reduce them.
        max_accuracy_drop: accuracy on dev that may be lost, 0 to 1; None allows any loss.
        abstain_accuracy: accuracy wanted of predictions that are not abstained, 0 to 1; None
            halves the errors.
        abstain_by_label: choose a threshold for each label instead of one for all.
        label_precision: precision that each label's threshold is shown to give on multi-label dev
            text, 0 to 1; None takes the thresholds of training.
        integer_output: leave the output of `int8` as int8.
        mediapipe: add metadata, so that MediaPipe's TextClassifier loads the model.
        emit_c: also write the model as a C array.
        spelling: look unknown words up by their nearest spelling, if that helps on dev text.
    """

    recipe: str | None = None
    layout: str = "conv"
    listed_words: int | None = None
    hashed_words: int | None = None
    dimensions: int | None = None
    max_accuracy_drop: float | None = DEFAULT_MAX_DROP
    abstain_accuracy: float | None = None
    abstain_by_label: bool = False
    label_precision: float | None = None
    integer_output: bool = False
    mediapipe: bool = False
    emit_c: bool = False
    spelling: bool = True

    def __post_init__(self) -> None:
        """Raise ConversionError for invalid or contradictory values."""
        recipe = DEFAULT_FORMS[1].recipe.name if self.recipe is None else self.recipe
        if recipe not in RECIPES:
            raise ConversionError(
                f"unknown recipe {recipe!r}, expected one of {', '.join(RECIPES)}"
            )
        if self.layout not in LAYOUTS:
            raise ConversionError(
                f"unknown layout {self.layout!r}, expected one of {', '.join(LAYOUTS)}"
            )
        too_few = self.listed_words is not None and self.listed_words < MIN_LISTED_WORDS
        if too_few or (self.hashed_words is not None and self.hashed_words < 0):
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
        calibrated = RECIPES[recipe].calibrated
        if self.integer_output and not calibrated:
            raise ConversionError(f"--integer-output needs --quantize int8, not {recipe}")
        if self.emit_c and not calibrated:
            raise ConversionError(
                "--emit-c needs --quantize int8, because microcontrollers compute in integers, "
                f"not {recipe}"
            )
        if self.mediapipe and (self.integer_output or self.emit_c):
            other = "--emit-c" if self.emit_c else "--integer-output"
            raise ConversionError(f"--mediapipe and {other} exclude each other: make two bundles")

    def check_labels(self, multi_label: bool) -> None:
        """Raise ConversionError for options of the other kind of labels."""
        if multi_label and self.abstain_by_label:
            raise ConversionError(
                "--abstain-by-label is for texts with one label: each label of multi-label text "
                "has a threshold; --label-precision chooses it by precision"
            )
        if not multi_label and self.label_precision is not None:
            raise ConversionError(
                "--label-precision is for multi-label text: --abstain-by-label asks for an "
                "accuracy of the predictions of each label"
            )

    @property
    def needs_integers(self) -> bool:
        """Whether only recipes of integers give what was asked for."""
        return self.emit_c or self.integer_output

    @property
    def corrects_spelling(self) -> bool:
        """Whether unknown words may be looked up by their spelling.

        MediaPipe has a lookup of its own, and a microcontroller gets its ids from elsewhere.
        """
        return self.spelling and not self.mediapipe and not self.needs_integers

    def choose_form(self, labels: int) -> Form:
        """Return the form for a number of labels."""
        form = DEFAULT_FORMS[max(fewest for fewest in DEFAULT_FORMS if fewest <= labels)]
        if self.mediapipe:
            form = replace(form, hashed_words=MEDIAPIPE_HASHED_WORDS)
        if self.recipe is not None:
            recipe = RECIPES[self.recipe]
            form = replace(form, recipe=recipe)
            if recipe.dimensions is None:
                form = replace(form, dimensions=None)
        given = {
            name: value
            for name in ("listed_words", "hashed_words", "dimensions")
            if (value := getattr(self, name)) is not None
        }
        return replace(form, **given)
