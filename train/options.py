"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """Every choice of a training run; the defaults are the preset `base`.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        seed: parts the corpus, orders the batches, starts the weights.
        min_words: size of the vocabulary at the least; where training text has fewer, words it
            never saw fill it up, in GloVe's order of frequency.
        max_words: size of the vocabulary at the most.
        coverage: share of training text's running words that is enough: the vocabulary grows beyond
            `min_words` only to reach it.
        max_tokens: tokens of a text looked at; None takes the corpus's 95th percentile, at most
            `longest`.
        longest: the most that is taken so.
        learned_count: a word GloVe lacks gets a row of its own, learned in training, if training
            text holds it this often.
        filters: filters of each convolution.
        kernel_sizes: tokens under a filter (taps), a convolution for each.
        wide: add a learned weight per word and class, summed over the text.
        adapter: hidden units of a network that every word's vector goes through; its work is merged
            into the table, which costs the device nothing. 0 has none.
        tuned_words: of the commonest, whose vectors move away from GloVe.
        table_bits: 4 rounds the vectors, before training, to what an `int4` bundle in the `conv`
            layout keeps of them where it keeps all dimensions; training then makes up for it.
        dropout: share of the word vectors' values (a word's alike wherever it stands in a batch),
            and of the features, dropped in training.
        word_dropout: share of the words of training text read as the unknown word, which a bundle
            of fewer words makes of them.
        balanced: let every class count alike, however many texts it has.
        learning_rate: Adam's.
        weight_average: momentum, at the most, of the running average of the weights that is judged
            and kept; 0 keeps the weights as they are.
        batch_size: texts in a batch.
        epochs: passes over the training text at the most.
        patience: epochs without a better dev loss before training stops.
    """

    architecture: str = "conv-pool"
    seed: int = 0
    min_words: int = 9_000
    max_words: int = 20_000
    coverage: float = 0.97
    max_tokens: int | None = None
    longest: int = 800
    learned_count: int = 10
    filters: int = 64
    kernel_sizes: tuple[int, ...] = (1, 2, 3)
    wide: bool = True
    adapter: int = 256
    tuned_words: int = 0
    table_bits: int | None = None
    dropout: float = 0.3
    word_dropout: float = 0.0
    balanced: bool = False
    learning_rate: float = 1e-3
    weight_average: float = 0.998
    batch_size: int = 64
    epochs: int = 60
    patience: int = 3

    def __post_init__(self) -> None:
        """Refuse what does not go together; SettingsError says what."""
        if self.architecture == "conv-lstm" and (self.wide or len(self.kernel_sizes) != 1):
            raise SettingsError(
                "conv-lstm has one kernel size and no wide weights: train a conv-pool, or without "
                "(--preset article has neither)"
            )
        if self.table_bits and (self.adapter or self.tuned_words):
            raise SettingsError(
                "vectors that training moves cannot be rounded before it: --table-bits goes "
                "without adapter and tuned words (--preset article has neither)"
            )
        if self.table_bits not in (None, 4):
            raise SettingsError(f"vectors are rounded to 4 bits, not to {self.table_bits}")
        if self.min_words > self.max_words:
            raise SettingsError(
                f"a vocabulary of {self.min_words:,} words at least and {self.max_words:,} at the "
                "most: raise --max-words or lower --min-words"
            )
        if not 0 <= self.word_dropout < 1:
            raise SettingsError(f"word dropout is a share from 0 to 1, not {self.word_dropout}")


ARCHITECTURES = ("conv-pool", "conv-lstm")
LSTM_LEAST_TOKENS = 3  # padded by the taps, enough windows for one step
LENGTH_PERCENTILE = 95

BASE = Settings()
#: Named choices: a size for every device, and the source article's own model.
PRESETS = {
    "tiny": replace(BASE, min_words=3_000, max_words=3_000, filters=16),
    "small": replace(BASE, min_words=5_000, max_words=5_000, filters=32),
    "base": BASE,
    "best": replace(BASE, min_words=20_000, max_words=30_000),
    "article": replace(
        BASE,
        min_words=0,
        coverage=1.0,
        longest=400,
        kernel_sizes=(5,),
        wide=False,
        adapter=0,
        dropout=0.2,
        weight_average=0.0,
    ),
}
DEFAULT_PRESET = "base"


def choose_settings(preset: str | None = None, **choices: Any) -> Settings:
    """Give a preset's settings, some of them chosen otherwise.

    Args:
        preset: a name in `PRESETS`; None takes `DEFAULT_PRESET`, for `conv-lstm` `article`.
        **choices: settings by name; None leaves the preset's. One bound of the vocabulary moves the
            other where it would pass it.

    Returns:
        The settings.

    Raises:
        SettingsError: they do not go together.
    """
    given = {name: value for name, value in choices.items() if value is not None}
    lstm = given.get("architecture") == "conv-lstm"
    base = PRESETS[preset or ("article" if lstm else DEFAULT_PRESET)]
    if "max_words" in given:
        given.setdefault("min_words", min(base.min_words, given["max_words"]))
    if "min_words" in given:
        given.setdefault("max_words", max(base.max_words, given["min_words"]))
    return replace(base, **given)
