"""Fits, calibrates and scores the model that is kept.

Afterwards the unknown word's row is fitted, so that a text of unknown words gets the classes'
frequencies. Training approaches this with texts whose words are all replaced by the unknown word; a
few steps on the row alone, with everything else fixed, complete it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from glovelite.evaluation.scores import (
    Accuracy,
    Scores,
    choose_thresholds,
    decide,
    score,
    score_sources,
)
from glovelite.runtime.aliases import Floats
from glovelite.runtime.ngrams import NgramWeights
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.text.vocabulary import UNKNOWN_ID, Vocabulary

from ..data.batches import EncodedCorpus, encode_corpus, encode_split
from ..data.splitting.split import Split
from ..model.build import BOTTLENECK_LAYER, plain_model
from ..model.outputs import class_weights
from ..options import TrainingOptions
from ..unfinished import Checkpoint
from ..vectors.embedding_table import EmbeddingTable
from .calibration import Calibration, calibrate, choose_prior_mean, to_probabilities
from .fit import FittedModel, fit, run_model, take_weights
from .initial_run import TrainingWeights
from .ngrams import fit_beside

TEXT_LENGTHS = (1, 2, 3, 4, 6, 10, 20, 50)  # of the texts of unknown words
MAX_STEPS = 500
LEARNING_RATE = 0.01
TOLERANCE = 0.005  # of a probability, where the steps end
logger = logging.getLogger(__name__)
MAX_UNKNOWN_DIFFERENCE = 0.05  # of a probability, for texts of unknown words


def class_frequencies(train: EncodedCorpus, classes: int, options: TrainingOptions) -> Floats:
    """Return the share of each class in training, as the loss weighs it, float32 [classes].

    Of multi-label text, the share of the texts with each label.
    """
    counts = train.count_classes(classes)
    if not train.multi_label and options.balanced:
        counts = counts * class_weights(train, classes)
    total = train.total_weight if train.multi_label else counts.sum()
    shares: Floats = (counts / total).astype(np.float32)
    return shares


def fit_unknown_word(model: keras.Model, frequencies: Floats, train: EncodedCorpus) -> float:
    """Change the unknown word's row of a plain model until texts of it get the frequencies.

    Args:
        model: the plain model; its table is changed.
        frequencies: float32 [classes], the wanted probabilities.
        train: training text, for the padding that the model expects.

    Returns:
        The largest remaining difference of a probability.
    """
    table = model.get_layer("table")
    shared = [layer for layer in model.layers if layer.name == BOTTLENECK_LAYER]
    last = model.get_layer("logits")
    # The unknown word has no wide weight: only features count, through the columns that they have.
    network = keras.Model(table.output, shared[0].output if shared else last.input)
    # A maximum over windows is the same for all texts that are longer than a window.
    longest = train.fixed_length or train.trailing_padding + 1
    counts = [min(count, longest) for count in TEXT_LENGTHS]
    mask = tf.sequence_mask(counts, longest + train.trailing_padding, tf.float32)[:, :, None]
    weights = table.get_weights()[0]
    row = tf.Variable(weights[UNKNOWN_ID])
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build([row])
    wanted = _to_logits(frequencies, train.multi_label)

    @tf.function  # type: ignore[untyped-decorator]
    def logits() -> tf.Tensor:
        values = network(mask * row, training=False)
        return values @ last.kernel[: values.shape[1]] + last.bias

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            output = logits()
            centred = output
            if not train.multi_label and len(frequencies) > 2:  # a softmax ignores the mean
                centred -= tf.reduce_mean(output, axis=1, keepdims=True)
            loss = tf.reduce_mean((centred - wanted) ** 2)
        optimizer.apply([tape.gradient(loss, row)], [row])
        return output

    def difference(output: tf.Tensor) -> float:
        probabilities = to_probabilities(output.numpy(), train.multi_label)
        return float(np.abs(probabilities - frequencies).max())

    for _ in range(MAX_STEPS):
        if difference(step()) < TOLERANCE:
            break
    weights[UNKNOWN_ID] = row.numpy()
    table.set_weights([weights])
    return difference(logits())


def _to_logits(frequencies: Floats, multi_label: bool) -> Floats:
    """Return the logits whose probabilities are these, with the mean 0 for a softmax."""
    logits: Floats = np.log(np.maximum(frequencies, 1e-6))
    if multi_label:
        logits -= np.log(np.maximum(1 - frequencies, 1e-6))
    elif len(logits) == 2:
        logits = logits[1:] - logits[0]
    else:
        logits -= logits.mean()
    return logits


@dataclass(frozen=True)
class FinalModel:
    """The model that a run keeps, with its scores.

    Attributes:
        model: ids to probabilities, of plain Keras layers.
        fitted: the model that was trained.
        weights: those of `fitted`, to continue its training from.
        scores: of `dev`, of `test` if there is test text, and of `test_with_seen` if training holds
            some test texts.
        source_scores: part -> source -> its score, for the parts whose texts are from several.
        thresholds: of each label of multi-label text, chosen on dev; else None.
        ngrams: what is added to the logits of `model`, or None.
    """

    model: keras.Model
    fitted: FittedModel
    weights: TrainingWeights
    calibration: Calibration
    scores: dict[str, Scores]
    source_scores: dict[str, dict[str, Accuracy]]
    thresholds: tuple[float, ...] | None = None
    ngrams: NgramWeights | None = None

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
    checkpoint: Checkpoint | None,
    calibration: Calibration | None,
    initial: TrainingWeights | None = None,
) -> FinalModel:
    """Fit a model, resuming from its checkpoint, and score it.

    Args:
        checkpoint: None saves nothing.
        calibration: of cross-validation, the temperature of which is taken; None fits it on dev.
        initial: weights of a finished run to start from.
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
    ngrams = None
    if options.ngrams:
        ngrams = fit_beside(split, train, logits["dev"], options)
    if ngrams is not None:
        texts = {name: part.texts for name, part in split if name in logits}
        logits = {name: values + ngrams.logits(texts[name]) for name, values in logits.items()}
    calibration = calibrate(logits, targets, calibration, choose_prior_mean(train.soft))
    packed = None if ngrams is None else ngrams.pack(calibration.divisors)
    model = plain_model(fitted.model, options, calibration.divisors, train.multi_label)
    if options.unknown_texts:
        difference = fit_unknown_word(model, class_frequencies(train, classes, options), train)
        if difference > MAX_UNKNOWN_DIFFERENCE:
            logger.warning(
                f"a text of unknown words gets probabilities up to {difference:.2f} from "
                "the frequencies of the classes in training"
            )
    probabilities = {
        name: predict(model, packed, part, corpus.texts, options.tokenizer)
        for (name, corpus), part in zip(split, (train, dev, test))
        if name in held_out
    }
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
            np.concatenate(
                [
                    probabilities["test"],
                    predict(model, packed, seen, split.seen_test.texts, options.tokenizer),
                ]
            ),
            vocabulary.labels,
            thresholds,
        )
    source_scores = {
        name: score_sources(targets[name], decide(found, thresholds), part.rows_by_source())
        for name, part in split
        if (found := probabilities.get(name)) is not None
    }
    return FinalModel(
        model,
        fitted,
        take_weights(fitted.model, table.tokens, table.training_words),
        calibration,
        scores,
        {name: scored for name, scored in source_scores.items() if scored},
        thresholds,
        packed,
    )


def predict(
    model: keras.Model,
    ngrams: NgramWeights | None,
    encoded: EncodedCorpus,
    texts: Sequence[str],
    tokenizer: Tokenizer,
) -> Floats:
    """Return the probabilities of a plain model and n-grams, float32 [texts, classes]."""
    outputs = run_model(model, encoded)
    if outputs.shape[1] == 1 and not encoded.multi_label:
        outputs = np.hstack([1 - outputs, outputs])
    if ngrams is None:
        return outputs
    return ngrams.add_to(outputs.tolist(), texts, tokenizer, encoded.multi_label)
