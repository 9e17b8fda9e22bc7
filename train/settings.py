"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Every choice of a training run; the defaults are those of the command line.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        seed: parts the corpus, orders the batches, starts the weights.
        max_words: size of the vocabulary at the most, `extra_words` not counted.
        extra_words: words training never saw, added in GloVe's order of frequency.
        max_tokens: tokens of a text looked at; None takes the corpus's 95th percentile, at most
            `ARCHITECTURES = ("conv-pool", "conv-lstm")
    LSTM_LEAST_TOKENS = 3  # padded by the taps, enough windows for one step
    LONGEST_DEFAULT`.
        learned_count: a word GloVe lacks gets a row of its own, learned in training, if training
            text holds it this often.
        filters: filters of the convolution.
        kernel_size: tokens under a filter (taps).
        dropout: share of the word vectors' values, and of the features, dropped in training.
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
    kernel_size: int = 5
    dropout: float = 0.2
    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 60
    patience: int = 3


ARCHITECTURES = ("conv-pool", "conv-lstm")
LSTM_LEAST_TOKENS = 3  # padded by the taps, enough windows for one step
LONGEST_DEFAULT = 400
LENGTH_PERCENTILE = 95
