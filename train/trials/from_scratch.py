"""Measures the gain of GloVe: the same model with GloVe, and with random vectors instead."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from glovelite.evaluation.scores import HEADLINES
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.splitting.split import Split, sample
from ..options import TrainingOptions
from ..unfinished import TrialFile
from ..vectors.cache import WordVectors
from ..vectors.embedding_table import EmbeddingTable, build_table, count_tokens
from .trial import fit_trial

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

KINDS = ("GloVe, frozen", "random, frozen", "random, trained")
SIZES = (250, 1_000, 4_000)  # training texts, besides all of them


@dataclass(frozen=True)
class Trial:
    """One training run with one kind of vectors on a part of the text.

    Attributes:
        kind: one of `KINDS`.
        texts: number of training texts.
        history: accuracy and loss by epoch.
        accuracy: on test text, with the weights that were best on dev, 0 to 1.
        interval: its 95 % interval.
        micro_f1: of multi-label text, 0 to 1, else None.
    """

    kind: str
    texts: int
    history: dict[str, list[float]]
    accuracy: float
    interval: tuple[float, float]
    micro_f1: float | None = None

    @property
    def headline(self) -> tuple[float, str]:
        """The score that trials are compared by, and its name."""
        if self.micro_f1 is None:
            return self.accuracy, "accuracy"
        return self.micro_f1, HEADLINES["micro_f1"]


def compare_with_scratch(
    split: Split,
    vocabulary: Vocabulary,
    vectors: WordVectors,
    options: TrainingOptions,
    trial_file: TrialFile,
) -> Sequence[Trial]:
    """Train every kind at every size, each with the vocabulary of its own texts.

    Args:
        split: dev decides which epoch of each training is kept, test is scored once per trial.
        vocabulary: labels and lengths.
        trial_file: where finished trials are saved.

    Returns:
        The trials, smallest size first.
    """
    total = len(split.train)
    trials = trial_file.load(_parse_trial)
    done = {(trial.texts, trial.kind) for trial in trials}
    for size in [*(size for size in SIZES if size < total), total]:
        kinds = [kind for kind in KINDS if (size, kind) not in done]
        part = replace(split, train=sample(split.train, options.seed, size))
        for trial in _run_trials(kinds, part, vocabulary, vectors, options):
            trials.append(trial)
            trial_file.save([asdict(finished) for finished in trials])
            value, name = trial.headline
            logger.info(f"{size:7,} texts, {trial.kind:16} test {name} {value:.1%}")
    return trials


def _run_trials(
    kinds: Sequence[str],
    split: Split,
    vocabulary: Vocabulary,
    vectors: WordVectors,
    options: TrainingOptions,
) -> Iterator[Trial]:
    counts = count_tokens(split.train.texts, options.tokenizer)[0]
    for kind in kinds:
        # A random vector of a word that training text lacks says nothing.
        extra_words = options.extra_words and kind == KINDS[0]
        table = build_table(counts, vectors, replace(options, extra_words=extra_words))
        layer = None if kind == KINDS[0] else _random(table, kind == KINDS[2], options.seed)
        trial = fit_trial(split, table, vocabulary, options, layer)
        scores, history = trial.scores, trial.fitted.history
        yield Trial(kind, trial.texts, history, scores.accuracy, scores.interval, scores.micro_f1)


def _parse_trial(saved: Any) -> Trial:
    return Trial(**{**saved, "interval": tuple(saved["interval"])})


def _random(table: EmbeddingTable, trainable: bool, seed: int) -> keras.layers.Layer:
    """Create random vectors: Keras's default range if trained, GloVe's scale if frozen."""
    import keras

    from ..model.build import VECTORS_LAYER

    initializer = keras.initializers.RandomUniform(-0.05, 0.05, seed)
    if not trainable:
        initializer = keras.initializers.RandomNormal(0.0, float(table.vectors.std()), seed)
    return keras.layers.Embedding(
        *table.vectors.shape,
        embeddings_initializer=initializer,
        trainable=trainable,
        name=VECTORS_LAYER,
    )
