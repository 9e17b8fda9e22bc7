"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Every choice of a training run; the defaults are those of the command line.

    Attributes:
        seed: parts the corpus, orders the batches, starts the weights.
        max_words: size of the vocabulary at the most.
        max_tokens: tokens of a text looked at; None takes the corpus's 95th percentile, at most
            `LONGEST_DEFAULT`.
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

    seed: int = 0
    max_words: int = 20_000
    max_tokens: int | None = None
    learned_count: int = 10
    filters: int = 64
    kernel_size: int = 5
    dropout: float = 0.2
    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 15
    patience: int = 2


LONGEST_DEFAULT = 400
LENGTH_PERCENTILE = 95
