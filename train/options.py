"""The options of a training run, and their presets."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, fields, replace
from typing import Any

import numpy as np

from glovelite.data.short_repr import ShortRepr
from glovelite.runtime.errors import OptionsError
from glovelite.runtime.text.tokenizer import Tokenizer

DEFAULT_VECTORS = "glove.6B.100d"
NO_VECTORS = "none"  # in place of a name: vectors are learned from the training text
ARCHITECTURES = ("conv-pool", "conv-lstm")
MIN_LSTM_TOKENS = 3  # with padding, enough windows for one step
LENGTH_PERCENTILE = 95
FEW_DEV_TEXTS = 100  # below this many, dev loss is too noisy to choose an epoch
FEW_TEXTS = 10_000
FEW_TEXTS_DROPOUT, MANY_TEXTS_DROPOUT = 0.2, 0.15
MAX_SEED = 2**32 - 2


@dataclass(frozen=True)
class Range:
    """The values that a numeric option takes, for the command line, files and Python alike.

    Attributes:
        kind: `int` for integers, `float` for any number.
    """

    low: float
    high: float = math.inf
    kind: type = int

    def check(self, name: str, value: object) -> None:
        """Raise OptionsError, which names the option, if a value is out of range."""
        kinds = (int,) if self.kind is int else (int, float)
        valid = isinstance(value, kinds) and not isinstance(value, bool)
        if not valid or not self.low <= value <= self.high:  # type: ignore[operator]
            number = "an integer" if self.kind is int else "a number"
            limits = f"from {self.low:,g} to {self.high:,.10g}"
            if self.high == math.inf:
                limits = f"of at least {self.low:,g}"
            raise OptionsError(f"{name}: expected {number} {limits}, found {value!r:.40}")


#: Numeric option -> its values, of each number where it takes several.
RANGES = {
    "seed": Range(0, MAX_SEED),
    "max_words": Range(3),
    "max_tokens": Range(1, 10_000),
    "max_detected_tokens": Range(1, 10_000),
    "min_learned_count": Range(1),
    "filters": Range(1, 1024),
    "kernel_sizes": Range(1, 16),
    "adapter": Range(0, 4096),
    "pieces": Range(0, 50_000),
    "tuned_words": Range(0),
    "dropout": Range(0, 0.9, float),
    "word_dropout": Range(0, 100, float),
    "unknown_texts": Range(0, 0.5, float),
    "learning_rate": Range(0, 1, float),
    "batch_size": Range(1, 65_536),
    "epochs": Range(1, 1000),
}


@dataclass(frozen=True, repr=False)
class TrainingOptions(ShortRepr):
    """The options of a training run; the defaults are the preset `base`.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        seed: of the split, the order of batches and the initial weights.
        punctuation: make `!`, `?` and emoji tokens, besides words.
        max_words: maximum vocabulary size in training; `convert` chooses how many of these words
            the device lists and how many it hashes.
        extra_words: fill the vocabulary up to `max_words` with GloVe's most frequent words that
            training text lacks.
        max_tokens: tokens of a text that the model reads; None takes the 95th percentile of the
            corpus, at most `max_detected_tokens`.
        max_detected_tokens: maximum of that percentile.
        min_learned_count: a word that GloVe lacks gets a learned row if training text holds it
            this often.
        filters: filters of each convolution.
        kernel_sizes: tokens under a filter (taps), one convolution for each size.
        wide: add a learned weight per word and class, summed over the text.
        ngrams: also read character n-grams, whose weights are fitted apart from the network. None
            reads them without word vectors; with vectors, they are kept if dev text is predicted
            better.
        pieces: without word vectors, about how many pieces of words are the tokens; 0 takes words.
        adapter: hidden units of a network that every word's vector passes through; merged into the
            table, so it adds no inference cost. 0 for none.
        tuned_words: how many of the most frequent words may move away from their GloVe vector.
        dropout: share of vector values (the same for all occurrences of a word in a batch) and of
            features that are dropped in training; None takes 0.2 for few texts, 0.15 for many.
        word_dropout: a; a training word that occurs n times is replaced by the unknown word with
            probability a / (a + n).
        unknown_texts: share of training texts in which every word is replaced by the unknown word,
            so that a text of unknown words gets the classes' frequencies in training.
        balanced: weight all classes equally, however many texts they have.
        learning_rate: maximum learning rate of Adam; the rate rises to it over the first fifth of
            the steps, then falls to zero along a cosine. None takes a lower rate for more steps,
            at most 0.005.
        batch_size: texts per batch; None chooses 64, or 256 for 100,000 training texts and more.
        epochs: number of epochs; None takes more of them for fewer texts, from 7 to 20. An epoch
            is one pass over the training text, or several passes over a short one.
    """

    architecture: str = "conv-pool"
    seed: int = 0
    punctuation: bool = False
    max_words: int = 100_000
    extra_words: bool = True
    max_tokens: int | None = None
    max_detected_tokens: int = 800
    min_learned_count: int = 10
    filters: int = 64
    kernel_sizes: tuple[int, ...] = (1, 2, 3)
    wide: bool = True
    adapter: int = 256
    ngrams: bool | None = None
    pieces: int = 8_000
    tuned_words: int = 0
    dropout: float | None = None
    word_dropout: float = 0.0
    unknown_texts: float = 0.01
    balanced: bool = False
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        """Raise OptionsError for invalid or contradictory values."""
        if self.architecture not in ARCHITECTURES:
            raise OptionsError(
                f"architecture: expected {' or '.join(ARCHITECTURES)}, found {self.architecture!r}"
            )
        for field in fields(self):
            _check_value(field, getattr(self, field.name))
        if not self.max_pooled and (self.wide or len(self.kernel_sizes) != 1):
            raise OptionsError(
                "conv-lstm takes one kernel size and no wide weights: use --preset article, or "
                "conv-pool"
            )

    @property
    def max_pooled(self) -> bool:
        """Whether features are a maximum over the text, so that its length may vary."""
        return self.architecture == "conv-pool"

    @property
    def tokenizer(self) -> Tokenizer:
        """What splits text into tokens."""
        return Tokenizer(self.punctuation)


def _check_value(field: Field[Any], value: object) -> None:
    """Raise OptionsError if a value is out of range, or no bool or tuple where the default is."""
    name, default = field.name, field.default
    is_switch = isinstance(default, bool) or (default is None and name not in RANGES)
    if is_switch and not (isinstance(value, bool) or value is default):
        raise OptionsError(f"{name}: expected True or False, found {value!r:.40}")
    if isinstance(default, tuple) and not (isinstance(value, tuple) and value):
        raise OptionsError(f"{name}: expected a tuple of one number or more, found {value!r:.40}")
    if name in RANGES and not (value is None and default is None):
        for number in value if isinstance(value, tuple) else (value,):
            RANGES[name].check(name, number)


BASE = TrainingOptions()
#: Named options: one for each size of device, and the source article's own model.
PRESETS = {
    "tiny": replace(BASE, filters=16),
    "small": replace(BASE, filters=32),
    "base": BASE,
    "large": replace(BASE, filters=256),
    "article": replace(
        BASE,
        max_words=20_000,
        extra_words=False,
        max_detected_tokens=400,
        kernel_sizes=(5,),
        wide=False,
        adapter=0,
        dropout=0.2,
        unknown_texts=0.0,
    ),
}
DEFAULT_PRESET = "base"
LSTM_PRESET = "article"  # the default for conv-lstm


def _to_plain(value: Any) -> Any:
    """Return a list as a tuple, and NumPy's numbers, such as those of a search, as Python's."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_to_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def make_options(preset: str | TrainingOptions | None = None, **overrides: Any) -> TrainingOptions:
    """Return a preset's options with some of them overridden.

    Args:
        preset: a name in `PRESETS`, or options, such as those of `read_config`; None takes
            `DEFAULT_PRESET`, or `LSTM_PRESET` for `conv-lstm`.
        **overrides: options by name; None keeps the preset's value.

    Raises:
        OptionsError: a name is unknown, or the values are invalid.
    """
    known = sorted(field.name for field in fields(TrainingOptions))
    if unknown := sorted({*overrides} - {*known}):
        raise OptionsError(f"unknown option {unknown[0]!r}, expected one of {', '.join(known)}")
    given = {name: _to_plain(value) for name, value in overrides.items() if value is not None}
    if isinstance(preset, TrainingOptions):
        return replace(preset, **given)
    lstm = given.get("architecture") == "conv-lstm"
    name = preset or (LSTM_PRESET if lstm else DEFAULT_PRESET)
    if name not in PRESETS:
        raise OptionsError(f"unknown preset {name!r}, expected one of {', '.join(PRESETS)}")
    return replace(PRESETS[name], **given)
