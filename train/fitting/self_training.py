"""Self-training: models of the labelled text are the teacher of the unlabelled text.

A model that is trained on what a few models of the same kind say about many further texts is more
accurate than each of them. It learns words that the labelled text lacks, next to words that it has.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.batches import encode_split
from ..data.corpus import Corpus, SoftTargets, choose_classes, soften
from ..data.splitting.split import Split
from ..data.unlabelled import SOURCE
from ..options import TrainingOptions
from ..request import UnlabelledTexts
from ..vectors.embedding_table import EmbeddingTable
from .calibration import fit_calibration, to_probabilities
from .fit import fit, run_model

logger = logging.getLogger(__name__)

MODELS = 3  # their mean is less noisy than one of them


def label_unlabelled(
    split: Split,
    gold: Corpus,
    table: EmbeddingTable,
    vocabulary: Vocabulary,
    options: TrainingOptions,
    source: UnlabelledTexts,
) -> Split:
    """Return a split whose unlabelled texts are labelled by models of the labelled text.

    Args:
        split: the texts; those without labels are in its training text.
        gold: the training text with given labels.
        options: of each model; their seeds differ.
        source: if the texts have a teacher's scores already, the mean of both is taken.
    """
    train = split.train
    soft = train.soft
    assert soft is not None  # unlabelled text was added
    rows = np.flatnonzero(train.is_from({SOURCE}))
    texts = train.select(rows)
    found = _run_models(replace(split, train=gold, test=texts), table, vocabulary, options)
    found = soften(found, source.temperature, train.multi_label)
    if source.teacher is not None:
        found = (found + soft.probabilities[rows]) / 2
    probabilities, targets = soft.probabilities.copy(), train.targets.copy()
    probabilities[rows] = found
    targets[rows] = choose_classes(found, train.multi_label)
    taught = replace(train, targets=targets, soft=SoftTargets(probabilities, soft.weights))
    return replace(split, train=taught)


def _run_models(
    split: Split, table: EmbeddingTable, vocabulary: Vocabulary, options: TrainingOptions
) -> Floats:
    """Return the mean probabilities of a split's test text, float32 [texts, classes]."""
    train, dev, texts = encode_split(split, vocabulary, options)
    total: Floats | float = 0.0
    for number in range(MODELS):
        logger.info(
            f"self-training: model {number + 1} of {MODELS}, on {len(train):,} labelled texts"
        )
        seeded = replace(options, seed=options.seed + number)
        fitted = fit(table, train, dev, len(vocabulary.labels), seeded)
        divisors = fit_calibration(run_model(fitted.model, dev), dev.targets).divisors
        logits = run_model(fitted.model, texts)
        total = total + to_probabilities(logits / divisors, train.multi_label)
    mean: Floats = np.asarray(total, np.float32) / MODELS
    return mean
