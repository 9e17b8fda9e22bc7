"""Trains one of several models that are compared or averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glovelite.evaluation.scores import Scores, choose_thresholds, score
from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.splitting.split import Split
from ..fitting.calibration import to_probabilities
from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable

if TYPE_CHECKING:
    import keras

    from ..fitting.fit import FittedModel


@dataclass(frozen=True)
class FittedTrial:
    """A model fitted on one split, and its scores on the split's test text.

    Attributes:
        texts: number of training texts.
        logits: of test text, float32 [texts, 1 or classes].
        scores: on test text.
    """

    fitted: FittedModel
    texts: int
    logits: Floats
    scores: Scores


def fit_trial(
    split: Split,
    table: EmbeddingTable,
    vocabulary: Vocabulary,
    options: TrainingOptions,
    vectors: keras.layers.Layer | None = None,
) -> FittedTrial:
    """Fit a model on a split without logging; dev text decides which epoch's weights are kept.

    Args:
        table: the vectors of its training text's vocabulary.
        vocabulary: labels and lengths; its tokens are replaced by the table's.
        vectors: a layer that looks up words instead of the table's.
    """
    from ..data.batches import encode_split
    from ..fitting.fit import fit, run_model
    from ..fitting.ngrams import fit_beside

    vocabulary = replace(vocabulary, tokens=table.tokens, familiarity=None)  # of other words
    train, dev, test = encode_split(split, vocabulary, options)
    classes = len(vocabulary.labels)
    fitted = fit(table, train, dev, classes, options, vectors=vectors)
    logits, thresholds = run_model(fitted.model, test), None
    if options.ngrams or train.multi_label:
        dev_logits = run_model(fitted.model, dev)
        if options.ngrams and (beside := fit_beside(split, train, dev_logits, options)):
            logits = logits + beside.logits(split.test.texts)
            dev_logits = dev_logits + beside.logits(split.dev.texts)
        if train.multi_label:
            of_dev = to_probabilities(dev_logits, multi_label=True)
            thresholds = choose_thresholds(of_dev, dev.targets)
    probabilities = to_probabilities(logits, train.multi_label)
    scores = score(test.targets, probabilities, vocabulary.labels, thresholds)
    return FittedTrial(fitted, len(train), logits, scores)
