"""Fits a model on a fixed schedule; the weights of the epoch with the lowest dev loss are kept.

The learning rate rises linearly and falls along a cosine ("one cycle", Smith and Topin, 2018). The
same seed, text, vectors, options, versions, machine and thread count give bit-identical
weights, whether training ran through or was killed and resumed. Deterministic kernels cost nothing
measurable on a CPU.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import OptionsError
from glovelite.runtime.text.vocabulary import count_outputs

from ..data.batches import (
    BatchStream,
    EncodedCorpus,
    choose_unknown_words,
    make_batches,
)
from ..decomposition import decompose
from ..model.build import VECTORS_LAYER, build_training_model
from ..model.layers import TrainableTable, WideSum
from ..model.outputs import choose_loss, make_goals, weight_bias
from ..model.wide import factorize_wide, initial_wide_weights
from ..options import (
    FEW_DEV_TEXTS,
    FEW_TEXTS,
    FEW_TEXTS_DROPOUT,
    MANY_TEXTS_DROPOUT,
    TrainingOptions,
)
from ..unfinished import Checkpoint, History, TrainingState, find_metric
from ..vectors.embedding_table import EmbeddingTable
from .initial_run import (
    BOTTLENECK_KERNEL,
    LEARNED_ROWS,
    LOGIT_KERNEL,
    OUTPUT_WEIGHTS,
    WIDE_MIXING,
    WIDE_ROWS,
    TrainingWeights,
    match_outputs,
    match_rows,
    split_single_output,
)
from .training_loop import TrainingLoop

logger = logging.getLogger(__name__)
MIN_EPOCHS, MAX_EPOCHS = 7, 20
EPOCHS_TEXTS = 140_000  # training texts to be seen in all epochs, within these limits
MIN_EPOCH_STEPS = 20  # an epoch passes over a small corpus several times before dev is evaluated
# A large batch has fewer distinct words for each text: 0.7 of the time, and 0.1 points less dev
# accuracy on 240,000 sentences, which may be chance.
BATCH, LARGE_BATCH, LARGE_BATCH_TEXTS = 64, 256, 100_000
MAX_RATE = 5e-3
RATE_ROOT_STEPS = 0.2  # the rate times the root of the number of steps, if that is lower
WARM_UP = 0.2  # of the steps
EVALUATION_BATCH = 256


def take_weights(
    model: keras.Model, tokens: tuple[str, ...], training_words: int
) -> TrainingWeights:
    """Return the weights of a model from `build_training_model`, with its own table.

    Args:
        tokens: of the vocabulary; the first `training_words` are training words.
    """
    arrays = {name: np.array(variable) for name, variable in _variables(model)}
    table: TrainableTable = model.get_layer(VECTORS_LAYER)
    arrays[LEARNED_ROWS] = table.offsets()
    if WIDE_ROWS in arrays:
        wide = model.get_layer("wide").merged(training_words)
        arrays[WIDE_ROWS] = wide.rows
        if wide.mixing is not None:
            arrays[WIDE_MIXING] = wide.mixing
    learned = tuple(tokens[id_] for id_ in table.learned_ids)
    return TrainingWeights(arrays, tokens[:training_words], learned)


def start_from(model: keras.Model, weights: TrainingWeights, tokens: tuple[str, ...]) -> None:
    """Set the weights of a model to those of another one.

    Words and outputs that the other model lacks keep their own; its outputs are the first.

    Raises:
        OptionsError: the weights are of another shape, as in a damaged file.
    """
    outputs = model.get_layer("logits").units
    arrays = {
        name: split_single_output(array, outputs) if name in OUTPUT_WEIGHTS else array
        for name, array in weights.arrays.items()
    }
    own = dict(_variables(model))
    if BOTTLENECK_KERNEL in own and LOGIT_KERNEL in arrays and BOTTLENECK_KERNEL not in arrays:
        arrays |= _share_columns(arrays[LOGIT_KERNEL], own)
    for name, variable in own.items():
        if name == WIDE_ROWS:
            continue  # matched with what mixes them
        found = arrays.get(name)
        of_words, of_outputs = name == LEARNED_ROWS, name in OUTPUT_WEIGHTS
        expected = tuple(variable.shape)
        compared = slice(int(of_words), -1 if of_outputs else None)
        if found is None or found.shape[compared] != expected[compared]:
            raise _wrong_shape(name, expected, found)
        if not of_words:
            variable.assign(match_outputs(variable.numpy(), found) if of_outputs else found)
    table: TrainableTable = model.get_layer(VECTORS_LAYER)
    learned = tuple(tokens[id_] for id_ in table.learned_ids)
    saved = arrays[LEARNED_ROWS]
    table.assign_offsets(match_rows(learned, table.offsets(), weights.learned, saved))
    for layer in model.layers:
        if isinstance(layer, WideSum):
            _start_wide(layer, weights, outputs, tokens)


def _share_columns(saved: Floats, own: Mapping[str, keras.Variable]) -> dict[str, Floats]:
    """Return the weights of features and outputs, fewer of which had no columns to share."""
    narrow, kernel = (own[name].numpy() for name in (BOTTLENECK_KERNEL, LOGIT_KERNEL))
    if saved.shape[:-1] != narrow.shape[:-1]:
        raise _wrong_shape(LOGIT_KERNEL, narrow.shape[:-1], saved)
    full = match_outputs(narrow @ kernel, saved).astype(np.float64)
    left, strengths, right = decompose(full, narrow.shape[1])
    roots = np.sqrt(strengths)
    factors = (left * roots, roots[:, None] * right)
    return dict(zip((BOTTLENECK_KERNEL, LOGIT_KERNEL), (f.astype(np.float32) for f in factors)))


def _start_wide(
    layer: WideSum, weights: TrainingWeights, outputs: int, tokens: tuple[str, ...]
) -> None:
    """Set wide weights to those of another model, whether either has them as factors."""
    own = layer.merged(layer.words)
    if weights.wide is None:
        raise _wrong_shape(WIDE_ROWS, own.rows.shape, None)
    saved = split_single_output(weights.wide.full(), outputs)
    full = match_rows(tokens[: layer.words], own.full(), weights.words, saved)
    layer.assign_merged(factorize_wide(full, own))


def _wrong_shape(name: str, expected: tuple[int, ...], found: Floats | None) -> OptionsError:
    shown = "none" if found is None else found.shape
    return OptionsError(
        f"the initial run's {name}: expected shape {expected}, found {shown}: train it again"
    )


def _variables(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Yield the trained weights by `LAYER/NAME`."""
    for layer in model.layers:
        for variable in layer.trainable_variables:
            yield f"{layer.name}/{variable.name}", variable


tf.constant(0)  # starts TensorFlow, which logs its messages here instead of during training


@dataclass(frozen=True)
class FittedModel:
    """A trained model.

    Attributes:
        model: ids to logits, with its best weights.
        best_epoch: the epoch whose weights were kept, from 1.
        seconds: training time of this process.
    """

    model: keras.Model
    history: History
    best_epoch: int
    seconds: float


def fit(
    table: EmbeddingTable,
    train: EncodedCorpus,
    dev: EncodedCorpus,
    classes: int,
    options: TrainingOptions,
    checkpoint: Checkpoint | None = None,
    vectors: keras.layers.Layer | None = None,
    initial: TrainingWeights | None = None,
) -> FittedModel:
    """Train for the epochs of the schedule.

    Args:
        dev: the text that decides which epoch's weights are kept.
        checkpoint: where the state is saved after every epoch and resumed from; every epoch is
            logged too.
        vectors: a layer that looks up words instead of the table's.
        initial: weights of a finished run to start from.
    """
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    outputs = count_outputs(classes, train.multi_label)
    wide = initial_wide_weights(train, table.training_words, classes) if options.wide else None
    unknown = choose_unknown_words(train, len(table.tokens), options)
    schedule = plan_training(len(train), options)
    model = build_training_model(table, outputs, options, schedule.dropout, vectors, wide)
    if initial is not None:
        start_from(model, initial, table.tokens)
    goals, dev_goals = (make_goals(part, outputs, train, options.balanced) for part in (train, dev))
    loop = TrainingLoop(
        model,
        _make_optimizer(schedule),
        *choose_loss(outputs, train, options.balanced),
        BatchStream(goals, schedule.batch_size, unknown, schedule.passes),
        BatchStream(dev_goals, EVALUATION_BATCH),
    )
    state = _resume(loop, checkpoint)
    start = time.monotonic()
    while state.epochs < schedule.epochs:
        epoch_start = time.monotonic()
        state = _run_epoch(loop, len(train), len(dev), options, schedule, state)
        if checkpoint:
            checkpoint.save(state)
            logger.info(_describe_epoch(state, schedule, time.monotonic() - epoch_start))
    loop.restore(state.best)
    if train.multi_label and options.balanced:
        bias = model.get_layer("logits").bias
        bias.assign(bias - weight_bias(train))
    return FittedModel(model, state.history, state.best_epoch, time.monotonic() - start)


def _resume(loop: TrainingLoop, checkpoint: Checkpoint | None) -> TrainingState:
    """Return the saved state of a training, which the loop then has, or an empty one."""
    state = checkpoint.load() if checkpoint else None
    if checkpoint is None or state is None:
        return TrainingState({}, [], [])
    if not loop.fits(state):
        logger.info(f"starting from scratch: {checkpoint.path} is damaged")
        return TrainingState({}, [], [])
    logger.info(f"resuming after epoch {state.epochs}")
    loop.restore(state.variables)
    return state


@dataclass(frozen=True)
class Schedule:
    """The course of a training.

    Attributes:
        passes: over the training text in an epoch.
        steps: batches in an epoch.
        batch_size: texts.
        learning_rate: maximum.
        dropout: share of vector values and of features.
    """

    epochs: int
    passes: int
    steps: int
    batch_size: int
    learning_rate: float
    dropout: float


def plan_training(texts: int, options: TrainingOptions) -> Schedule:
    """Plan a training: fewer texts need more epochs and dropout, more steps a lower learning rate.

    Example:
        >>> plan_training(5_000, TrainingOptions())
        Schedule(epochs=20, passes=1, steps=79, batch_size=64, learning_rate=0.005, dropout=0.2)
    """
    size = options.batch_size or (BATCH if texts < LARGE_BATCH_TEXTS else LARGE_BATCH)
    batches = -(-texts // size)
    passes = -(-MIN_EPOCH_STEPS // batches)
    steps = passes * batches
    epochs = options.epochs or min(MAX_EPOCHS, max(MIN_EPOCHS, round(EPOCHS_TEXTS / texts)))
    rate = options.learning_rate
    if rate is None:
        rate = min(MAX_RATE, RATE_ROOT_STEPS / math.sqrt(epochs * steps))
    dropout = options.dropout
    if dropout is None:
        dropout = FEW_TEXTS_DROPOUT if texts < FEW_TEXTS else MANY_TEXTS_DROPOUT
    return Schedule(epochs, passes, steps, size, rate, dropout)


def run_model(model: keras.Model, encoded: EncodedCorpus) -> Floats:
    """Return the model's output for each text, float32 [texts, outputs]."""
    order = np.argsort(encoded.lengths, kind="stable")
    batches = make_batches(encoded, EVALUATION_BATCH, None)
    outputs = np.concatenate([np.asarray(model(ids, training=False)) for ids, _ in batches])
    ordered: Floats = np.empty_like(outputs)
    ordered[order] = outputs
    return ordered


def _make_optimizer(schedule: Schedule) -> keras.Optimizer:
    steps = schedule.epochs * schedule.steps
    warm_up = int(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=schedule.learning_rate, warmup_steps=warm_up
    )
    return keras.optimizers.Adam(rate)


def _run_epoch(
    loop: TrainingLoop,
    train_texts: int,
    dev_texts: int,
    options: TrainingOptions,
    schedule: Schedule,
    state: TrainingState,
) -> TrainingState:
    number = state.epochs + 1
    with tqdm(
        total=schedule.passes * train_texts,
        desc=f"epoch {number}/{schedule.epochs}",
        unit=" texts",
        disable=None,
        leave=False,
    ) as progress:

        def show(batches: int) -> None:
            progress.update(min(progress.total - progress.n, batches * schedule.batch_size))

        values = loop.train((options.seed, state.epochs), show)
    values |= {f"val_{name}": value for name, value in loop.evaluate().items()}
    history = {name: [*state.history.get(name, ()), value] for name, value in values.items()}
    if not np.isfinite([history["loss"][-1], history["val_loss"][-1]]).all():
        raise OptionsError(
            f"the loss is not finite after epoch {number}: use a lower learning rate "
            f"(--learning-rate, {schedule.learning_rate:.2g} now), or check the vectors"
        )
    variables = loop.snapshot()
    new_state = replace(state, history=history, variables=variables)
    if not _is_best(history["val_loss"], dev_texts, schedule):
        return new_state
    return replace(new_state, best=variables[: loop.model_variables], best_epoch=number)


def _is_best(losses: Sequence[float], dev_texts: int, schedule: Schedule) -> bool:
    """Return whether the last epoch's weights are to be kept so far.

    The loss of a few dev texts is often lowest after an epoch or two although the model keeps
    improving, which cost up to 9 points of accuracy with 200 training texts: with so few, the
    last epoch is kept.
    """
    if dev_texts < FEW_DEV_TEXTS:
        return len(losses) == schedule.epochs
    return losses[-1] == min(losses)


def _describe_epoch(state: TrainingState, schedule: Schedule, seconds: float) -> str:
    last = {name: values[-1] for name, values in state.history.items()}
    metric, shown = find_metric(last)
    return (
        f"epoch {state.epochs:2}/{schedule.epochs}"
        f"   training loss {last['loss']:.3f} {shown} {last[metric]:6.1%}"
        f"   dev loss {last['val_loss']:.3f} {shown} {last[f'val_{metric}']:6.1%}"
        f"   {seconds:.0f} s"
    )
