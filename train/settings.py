"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """Every choice of a training run; the defaults are those of the command line.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        seed: parts the corpus, orders the batches, starts the weights.
        max_words: size of the vocabulary at the most, `extra_words` not counted.
        extra_words: words training never saw, added in GloVe's order of frequency.
        max_tokens: tokens of a text looked at; None takes the corpus's 95th percentile, at most
            `LONGEST_DEFAULT`.
        learned_count: a word GloVe lacks gets a row of its own, learned in training, if training
            text holds it this often.
        filters: filters of each convolution.
        kernel_sizes: tokens under a filter (taps), a convolution for each.
        wide: add a learned weight per word and class, summed over the text.
        table_bits: 4 rounds the vectors, before training, to what an `int4` bundle in the `conv`
            layout keeps of them where it keeps all dimensions; training then makes up for it.
        dropout: share of the word vectors' values, and of the features, dropped in training.
        word_dropout: share of the words of training text read as the unknown word, which a bundle
            of fewer words makes of them.
        learning_rate: Adam's.
        batch_size: texts in a batch.
        epochs: passes over the training text at the most.
        patience: epochs without a better dev loss before training stops.
    """

    architecture: str = "conv-pool"
    seed: int = 0
    max_words: int = 20_000
    extra_words: int = 0
    max_tokens: int | None = None
    learned_count: int = 10
    filters: int = 64
    kernel_sizes: tuple[int, ...] = (5,)
    wide: bool = False
    table_bits: int | None = None
    dropout: float = 0.2
    word_dropout: float = 0.0
    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 60
    patience: int = 3

    def __post_init__(self) -> None:
        """Refuse what does not go together; SettingsError says what."""
        if self.architecture == "conv-lstm" and (self.wide or len(self.kernel_sizes) != 1):
            raise SettingsError(
                "conv-lstm has one kernel size and no wide weights: train a conv-pool, or without"
            )
        if self.table_bits not in (None, 4):
            raise SettingsError(f"vectors are rounded to 4 bits, not to {self.table_bits}")
        if not 0 <= self.word_dropout < 1:
            raise SettingsError(f"word dropout is a share from 0 to 1, not {self.word_dropout}")


ARCHITECTURES = ("conv-pool", "conv-lstm")
LSTM_LEAST_TOKENS = 3  # padded by the taps, enough windows for one step
LONGEST_DEFAULT = 400
LENGTH_PERCENTILE = 95
