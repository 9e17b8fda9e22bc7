"""Trains a model with the options of a trial, on text that was encoded once for all trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np

from glovelite.runtime.aliases import Classes, Floats, Longs
from glovelite.runtime.errors import DataError

from ..data.batches import EncodedCorpus, encode_split
from ..data.build_corpus import join_corpora
from ..data.corpus import Corpus
from ..data.splitting.folds import Folds, draw_folds
from ..data.unlabelled import add_unlabelled
from ..fitting.fit import fit, run_model
from ..options import TrainingOptions
from ..preparation import PreparedData
from ..vectors.embedding_table import EmbeddingTable
from .criterion import measure

ENOUGH_DEV_TEXTS = 500  # below this, a search takes what is best by chance
ENOUGH_FOLD_TEXTS = 1_000  # texts of the folds that are scored, if there are as many
FOLDS = 5
#: Receives the share of a trial's work that is done, 0 to 1, and the loss so far or None.
Report = Callable[[float, "float | None"], None]


@dataclass(frozen=True)
class Part:
    """Encoded text that one of a trial's models is trained and scored on.

    Attributes:
        dev: decides which epoch's weights are kept.
        rows: indices of the scored texts among those that trials are compared on.
    """

    train: EncodedCorpus
    dev: EncodedCorpus
    scored: EncodedCorpus
    rows: Longs


@dataclass(frozen=True)
class Comparison:
    """The text that trials are compared on.

    Attributes:
        parts: a model is trained for each.
        targets: of all scored texts, int [texts], or bool [texts, labels].
        folds: int64 [texts], fold of each, or None if one model scores all of them.
        name: of these texts.
        drawn: whether the texts depend on the seed.
    """

    parts: tuple[Part, ...]
    targets: Classes
    folds: Longs | None
    name: str
    drawn: bool

    def describe(self) -> str:
        """Return the number and the name of the scored texts."""
        return f"{len(self.targets):,} {self.name}"


def make_comparison(data: PreparedData, seed: int) -> Comparison:
    """Encode the text that trials are compared on.

    That is dev text, or if there is little of it, a part of training and dev text that the trial's
    models are not trained on: as many of five folds as are enough. Text that is split by time is
    not divided into folds. The seed is that of the folds.
    """
    split, vocabulary = data.split, data.vocabulary
    folds = None
    if len(split.dev) < ENOUGH_DEV_TEXTS and split.train.times is None:
        folds = _draw_folds(
            join_corpora([split.train if data.gold is None else data.gold, split.dev]), seed
        )
    if folds is None:
        empty = split.dev.select(np.zeros(0, np.int64))
        train, dev, _ = encode_split(replace(split, test=empty), vocabulary, data.run.options)
        part = Part(train, dev, dev, np.arange(len(dev)))
        return Comparison((part,), dev.targets, None, "dev texts", drawn=False)
    parts, numbers, start = list[Part](), list[Longs](), 0
    for number, fold in enumerate(folds.splits):
        if data.unlabelled is not None:
            fold, _ = add_unlabelled(fold, data.unlabelled)
        rows = start + np.arange(len(fold.test))
        parts.append(Part(*encode_split(fold, vocabulary, data.run.options), rows))
        numbers.append(np.full(len(rows), number))
        start += len(rows)
        if start >= ENOUGH_FOLD_TEXTS:
            break
    targets = np.concatenate([part.scored.targets for part in parts])
    name = f"texts in {len(parts)} of {len(folds)} folds"
    of_rows = np.concatenate(numbers) if len(parts) > 1 else None
    return Comparison(tuple(parts), targets, of_rows, name, drawn=True)


def _draw_folds(corpus: Corpus, seed: int) -> Folds | None:
    """Divide text into folds, or return None if a label has too few texts for any."""
    for count in (FOLDS, 3, 2):
        try:
            return draw_folds(corpus, count, seed)
        except DataError:
            continue
    return None


def run_trial(
    comparison: Comparison,
    table: EmbeddingTable,
    classes: int,
    make_options: Callable[[int], TrainingOptions],
    report: Report,
) -> Floats:
    """Train a model for each part of the text and return the logits of all scored texts.

    Args:
        make_options: returns the options for a number of training texts.
        report: receives the progress after every epoch; what it raises ends the trial.

    Returns:
        float32 [texts, 1 or classes].
    """
    count = len(comparison.parts)
    logits, losses = None, list[float]()
    for number, part in enumerate(comparison.parts):
        keras.utils.clear_session()  # frees the model before
        options = make_options(len(part.train))
        padding = max(options.kernel_sizes)
        train, dev, scored = (
            replace(text, trailing_padding=padding) for text in (part.train, part.dev, part.scored)
        )

        def after_epoch(history: dict[str, list[float]], epochs: int, number: int = number) -> None:
            done = len(history["loss"]) / epochs
            loss = min(history["val_loss"]) if count == 1 else None
            report((number + done) / count, loss)

        fitted = fit(table, train, dev, classes, options, after_epoch=after_epoch)
        found = run_model(fitted.model, scored)
        if logits is None:
            logits = np.zeros((len(comparison.targets), found.shape[1]), np.float32)
        logits[part.rows] = found
        if count > 1:
            losses.append(measure(found, comparison.targets[part.rows], None).loss)
            report((number + 1) / count, float(np.mean(losses)))
    assert logits is not None  # there is a part at least
    return logits
