"""Measures the gain of GloVe: the same model with GloVe, and with random vectors instead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.aliases import Log
from runtime.io.output_folder import atomic_file
from runtime.text.vocabulary import Vocabulary

from ..data.split import Split, sample
from ..options import TrainingOptions
from ..vectors.cache import WordVectors
from ..vectors.embedding_table import EmbeddingTable, build_table, count_tokens

if TYPE_CHECKING:
    import keras

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
    """

    kind: str
    texts: int
    history: dict[str, list[float]]
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class TrialFile:
    """Finished trials, so that a killed comparison can resume.

    Attributes:
        path: the file.
        identity: hash of everything that the trials depend on.
    """

    path: Path
    identity: str

    def load(self) -> list[Trial]:
        """Return the finished trials of this comparison."""
        try:
            content = json.loads(self.path.read_text("utf-8"))
            if content["identity"] != self.identity:
                return []
            trials = content["trials"]
            return [Trial(**{**trial, "interval": tuple(trial["interval"])}) for trial in trials]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def save(self, trials: Sequence[Trial]) -> None:
        """Replace the saved trials."""
        content = {"identity": self.identity, "trials": [asdict(trial) for trial in trials]}
        with atomic_file(self.path) as file:
            file.write(json.dumps(content).encode())

    def remove(self) -> None:
        """Delete the saved trials."""
        self.path.unlink(missing_ok=True)


def compare_with_scratch(
    split: Split,
    vocabulary: Vocabulary,
    vectors: WordVectors,
    options: TrainingOptions,
    trial_file: TrialFile,
    log: Log,
) -> Sequence[Trial]:
    """Train every kind at every size, each with the vocabulary of its own texts.

    Args:
        split: the texts; dev decides when each training stops, test is scored once per trial.
        vocabulary: labels and lengths.
        vectors: GloVe.
        options: as for the main training.
        trial_file: where finished trials are saved.
        log: receives a line per trial.

    Returns:
        The trials, smallest size first.
    """
    total = len(split.train)
    trials = trial_file.load()
    done = {(trial.texts, trial.kind) for trial in trials}
    for size in [*(size for size in SIZES if size < total), total]:
        kinds = [kind for kind in KINDS if (size, kind) not in done]
        part = replace(split, train=sample(split.train, options.seed, size))
        for trial in _run_trials(kinds, part, vocabulary, vectors, options):
            trials.append(trial)
            trial_file.save(trials)
            log(f"{size:7,} texts, {trial.kind:16} test accuracy {trial.accuracy:.1%}")
    return trials


def _run_trials(
    kinds: Sequence[str],
    split: Split,
    vocabulary: Vocabulary,
    vectors: WordVectors,
    options: TrainingOptions,
) -> Iterator[Trial]:
    from ..data.batches import encode_split
    from ..model.build import plain_model
    from .fit import fit, run_model
    from .metrics import predicted_classes, score

    counts = count_tokens(split.train.texts)[0]
    for kind in kinds:
        # A random vector of a word that training text lacks says nothing.
        extra_words = options.extra_words and kind == KINDS[0]
        table = build_table(counts, vectors, replace(options, extra_words=extra_words))
        vocabulary = replace(vocabulary, tokens=table.tokens)
        train, dev, test = encode_split(split, vocabulary, options.architecture)
        layer = None if kind == KINDS[0] else _random(table, kind == KINDS[2], options.seed)
        classes = len(vocabulary.labels)
        fitted = fit(table, train, dev, classes, options, lambda _: None, vectors=layer)
        model = plain_model(fitted.model, options)
        outputs = run_model(model, test)
        scores = score(test.targets, predicted_classes(outputs), vocabulary.labels)
        yield Trial(kind, len(train), fitted.history, scores.accuracy, scores.interval)


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
