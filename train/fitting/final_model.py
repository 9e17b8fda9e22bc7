"""Fits the model that a run keeps, calibrates it and scores it on held-out text."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import keras
import numpy as np

from glovelite.evaluation.scores import (
    Accuracy,
    Scores,
    choose_thresholds,
    decide,
    score,
    score_sources,
)
from glovelite.runtime.aliases import Classes, Floats
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.batches import EncodedCorpus, encode_corpus, encode_split
from ..data.splitting.split import Split
from ..model.build import plain_model
from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable
from .calibration import Calibration, calibrate, choose_prior_mean
from .checkpoint import Checkpoint
from .fit import FittedModel, fit, run_model
from .initial_run import TrainingWeights
from .training_weights import take_weights
from .unknown_word import class_frequencies, fit_unknown_word

logger = logging.getLogger(__name__)

MAX_UNKNOWN_DIFFERENCE = 0.05  # of a probability, for texts of unknown words


@dataclass(frozen=True)
class FinalModel:
    """The model that a run keeps, with its scores.

    Attributes:
        model: ids to probabilities, of plain Keras layers.
        fitted: what it was made from.
        weights: the weights of `fitted`, to continue its training from.
        calibration: its temperature, and the effect on each held-out set.
        scores: of `dev`, of `test` if there is test text, and of `test_with_seen` if training holds
            some test texts.
        source_scores: part -> source -> its score, for the parts whose texts are from several.
        thresholds: of each label of multi-label text, chosen on dev; else None.
    """

    model: keras.Model
    fitted: FittedModel
    weights: TrainingWeights
    calibration: Calibration
    scores: dict[str, Scores]
    source_scores: dict[str, dict[str, Accuracy]]
    thresholds: tuple[float, ...] | None = None

    def summarize(self) -> tuple[str, ...]:
        """Return Keras's summary of the model, as lines."""
        lines: list[str] = []
        self.model.summary(
            line_length=80, print_fn=lambda text, **_: lines.extend(text.splitlines())
        )
        return tuple(lines)


def fit_final_model(
    split: Split,
    table: EmbeddingTable,
    vocabulary: Vocabulary,
    options: TrainingOptions,
    checkpoint: Checkpoint,
    calibration: Calibration | None,
    initial: TrainingWeights | None = None,
) -> FinalModel:
    """Fit a model, resuming from its checkpoint, and score it.

    Args:
        split: the texts.
        table: the vocabulary's vectors.
        vocabulary: tokens, labels and lengths.
        options: all other choices.
        checkpoint: where the unfinished training is saved.
        calibration: of cross-validation, the temperature of which is taken; None fits it on dev.
        initial: weights of a finished run to start from, or None.
    """
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in split if len(part))
    logger.info(
        f"fitting {options.architecture} on {sizes} texts of up to {vocabulary.max_tokens} tokens"
    )
    train, dev, test = encode_split(split, vocabulary, options)
    held_out = {name: part for name, part in (("dev", dev), ("test", test)) if len(part)}
    classes = len(vocabulary.labels)
    fitted = fit(table, train, dev, classes, options, checkpoint, initial=initial)
    logits = {name: run_model(fitted.model, part) for name, part in held_out.items()}
    targets = {name: part.targets for name, part in held_out.items()}
    calibration = calibrate(logits, targets, calibration, choose_prior_mean(train.soft))
    model = plain_model(fitted.model, options, calibration.divisors, train.multi_label)
    if options.unknown_texts:
        _fit_unknown_word(model, train, classes, options)
    probabilities = {name: _run_plain(model, part) for name, part in held_out.items()}
    thresholds = None
    if train.multi_label:
        thresholds = choose_thresholds(probabilities["dev"], targets["dev"])
    scores = {
        name: score(targets[name], probabilities[name], vocabulary.labels, thresholds)
        for name in held_out
    }
    if split.seen_test is not None:
        seen = encode_corpus(split.seen_test, vocabulary, train.fixed_length)
        scores["test_with_seen"] = score(
            np.concatenate([test.targets, seen.targets]),
            np.concatenate([probabilities["test"], _run_plain(model, seen)]),
            vocabulary.labels,
            thresholds,
        )
    predicted = {name: decide(each, thresholds) for name, each in probabilities.items()}
    return FinalModel(
        model,
        fitted,
        take_weights(fitted.model, table.tokens, table.training_words),
        calibration,
        scores,
        _score_sources(split, targets, predicted),
        thresholds,
    )


def _run_plain(model: keras.Model, encoded: EncodedCorpus) -> Floats:
    """Return the probabilities of a plain model, float32 [texts, classes]."""
    outputs = run_model(model, encoded)
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs


def _fit_unknown_word(
    model: keras.Model, train: EncodedCorpus, classes: int, options: TrainingOptions
) -> None:
    difference = fit_unknown_word(model, class_frequencies(train, classes, options), train)
    if difference > MAX_UNKNOWN_DIFFERENCE:
        logger.warning(
            f"a text of unknown words gets probabilities up to {difference:.2f} from "
            "the frequencies of the classes in training"
        )


def _score_sources(
    split: Split, targets: dict[str, Classes], predicted: dict[str, Classes]
) -> dict[str, dict[str, Accuracy]]:
    """Score the sources of each held-out part that has several."""
    scores = {
        name: score_sources(targets[name], predicted[name], part.rows_by_source())
        for name, part in split
        if name in predicted
    }
    return {name: each for name, each in scores.items() if each}
