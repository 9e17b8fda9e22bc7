"""Which training options are tried: their ranges, and the first trials.

Rates and epochs are factors of those that the schedule chooses for the number of texts, so that the
same trial means the same for a fold and for all texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ..fitting.fit import plan_training
from ..model.wide import count_columns
from ..options import RANGES, TrainingOptions
from ..request import SEARCHED, Autotune

#: What Optuna chooses for an option: a factor of the schedule's, a number, or a text.
Parameters = Mapping[str, Union[float, int, str, bool]]

RATE_FACTORS = (0.2, 5.0)
EPOCH_FACTORS = (0.5, 2.5)
FILTERS = (16, 256)
FILTER_STEP = 8  # a number of filters that is searched is rounded to a multiple
DROPOUT = (0.0, 0.6)
WORD_DROPOUTS = (0.0, 0.25, 1.0, 4.0)
ADAPTERS = (0, 64, 256)
KERNELS = ((1,), (1, 2), (1, 2, 3), (2, 3, 4), (1, 2, 3, 4), (1, 3, 5))
LSTM_KERNELS = ((3,), (5,), (7,))

# What a model takes in the recipe `dynamic`, the default of `glovelite-convert`.
KEPT_DIMENSIONS = 48  # of the word vectors
KERNEL_BYTES = 1_500  # operators, scales and biases of a convolution, besides its weights
GRAPH_BYTES = 9_000  # the other operators, and the manifest
WIDE_WORDS = 1_000  # as few as a bundle lists
WORDS_SHARE = 0.5  # of the bundle is for words at least


def fixed_bytes(options: TrainingOptions, outputs: int) -> int:
    """Estimate the bytes of a bundle that do not depend on the number of its words.

    Each filter has a byte for each token under it and kept dimension, and one for each output. The
    wide weights of the fewest words that a bundle may list are included: a byte for each word and
    output, or column that outputs share.
    """
    taps, convolutions = sum(options.kernel_sizes), len(options.kernel_sizes)
    kernels = options.filters * taps * KEPT_DIMENSIONS + KERNEL_BYTES * convolutions
    logits = options.filters * convolutions * outputs
    return GRAPH_BYTES + kernels + logits + options.wide * WIDE_WORDS * count_columns(outputs)


def limit_filters(options: TrainingOptions, outputs: int, max_bytes: int | None) -> TrainingOptions:
    """Lower the number of filters until the model leaves half of a bundle for its words."""
    if max_bytes is None:
        return options
    limit = WORDS_SHARE * max_bytes
    filters = options.filters
    while filters > 1 and fixed_bytes(replace(options, filters=filters), outputs) > limit:
        filters -= min(FILTER_STEP, filters - 1)
    return replace(options, filters=filters)


@dataclass(frozen=True)
class SearchSpace:
    """The options that are tried.

    Attributes:
        base: the options of the first trial.
        distributions: option -> its values, for Optuna.
        defaults: option -> the parameter for its value in `base`.
        outputs: number of logits.
        max_bytes: size of the bundle that will be exported, or None.
        limits_filters: whether filters may be lowered to fit into it.
    """

    base: TrainingOptions
    distributions: dict[str, BaseDistribution]
    defaults: Parameters
    outputs: int
    max_bytes: int | None
    limits_filters: bool

    def first_trials(self) -> list[Parameters]:
        """Return the first trials: the given options, then changes that often help.

        Each changes one or two options, so that a short search compares the most important ones,
        and a long one learns from them where to continue.
        """
        filters, dropout = self.base.filters, float(self.defaults.get("dropout", 0.0))
        changes: list[dict[str, Any]] = [
            {},
            {"filters": 2 * filters, "dropout": dropout + 0.1},
            {"word_dropout": 1.0},
            {"learning_rate": 2.0},
            {"dropout": dropout + 0.2, "epochs": 1.5},
            {"learning_rate": 0.5, "epochs": 1.5},
            {"kernel_sizes": _name_sizes((1, 2))},
            {"kernel_sizes": _name_sizes((1, 2, 3, 4)), "filters": 2 * filters},
            {"adapter": 0 if self.base.adapter else 256},
            {"wide": not self.base.wide},
        ]
        trials: list[Parameters] = []
        for change in changes:
            chosen = {
                **self.defaults,
                **{name: value for name, value in change.items() if name in self.distributions},
            }
            clipped = {name: self._clip(name, value) for name, value in chosen.items()}
            if clipped not in trials:
                trials.append(clipped)
        return trials

    def make_options(self, parameters: Parameters, texts: int) -> TrainingOptions:
        """Return the options of a trial that trains on a number of texts."""
        chosen: dict[str, Any] = {
            name: value
            for name, value in parameters.items()
            if value != self.defaults[name] and name not in ("epochs", "learning_rate")
        }
        if "filters" in chosen:
            chosen["filters"] = max(1, round(chosen["filters"] / FILTER_STEP)) * FILTER_STEP
        if "kernel_sizes" in chosen:
            chosen["kernel_sizes"] = tuple(map(int, str(chosen["kernel_sizes"]).split(",")))
        options = replace(self.base, **chosen)
        if self.limits_filters:
            options = limit_filters(options, self.outputs, self.max_bytes)
        epochs = float(parameters.get("epochs", 1.0))
        if epochs != 1:
            planned = plan_training(texts, self.base).epochs
            options = replace(options, epochs=max(1, round(planned * epochs)))
        factor = float(parameters.get("learning_rate", 1.0))
        if factor != 1:
            rate = plan_training(texts, options).learning_rate * factor
            options = replace(options, learning_rate=min(rate, RANGES["learning_rate"].high))
        return options

    def _clip(self, name: str, value: Any) -> Any:
        """Return the nearest number of an option's range; a choice it lacks becomes the default."""
        distribution = self.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return value if value in distribution.choices else self.defaults[name]
        if isinstance(distribution, (FloatDistribution, IntDistribution)):
            return min(max(value, distribution.low), distribution.high)
        return value


def make_space(
    base: TrainingOptions, settings: Autotune, texts: int, outputs: int, multi_label: bool
) -> SearchSpace:
    """Return the options that are searched.

    `balanced` is searched for multi-label text only, where it can raise macro F1: of several
    classes, it trades accuracy, which trials are compared by, for recall of rare ones.

    Args:
        base: the options of the first trial.
        texts: number of texts that the final model is trained on.
        outputs: number of logits.
    """
    dropout = plan_training(texts, base).dropout
    kernels = [_name_sizes(sizes) for sizes in (KERNELS if base.max_pooled else LSTM_KERNELS)]
    given = _name_sizes(base.kernel_sizes)
    filters = base.filters
    choices: dict[str, tuple[BaseDistribution, Any]] = {
        "learning_rate": (FloatDistribution(*RATE_FACTORS, log=True), 1.0),
        "epochs": (FloatDistribution(*EPOCH_FACTORS, log=True), 1.0),
        "filters": (
            IntDistribution(min(FILTERS[0], filters), max(FILTERS[1], filters), log=True),
            filters,
        ),
        "kernel_sizes": (_choice(kernels, given), given),
        "dropout": (
            FloatDistribution(min(DROPOUT[0], dropout), max(DROPOUT[1], dropout)),
            dropout,
        ),
        "word_dropout": (_choice(WORD_DROPOUTS, base.word_dropout), base.word_dropout),
        "adapter": (_choice(ADAPTERS, base.adapter), base.adapter),
        "wide": (_choice((False, True), base.wide), base.wide),
        "balanced": (_choice((False, True), base.balanced), base.balanced),
    }
    excluded = set(settings.fixed)
    if not base.max_pooled:
        excluded.add("wide")
    if not multi_label:
        excluded.add("balanced")
    names = [name for name in SEARCHED if name not in excluded]
    limits_filters = "filters" in names
    if limits_filters:
        base = limit_filters(base, outputs, settings.max_bytes)
        if base.filters < filters:  # its own value stands for it
            low = min(FILTERS[0], base.filters)
            choices["filters"] = IntDistribution(low, FILTERS[1], log=True), base.filters
    return SearchSpace(
        base,
        {name: choices[name][0] for name in names},
        {name: choices[name][1] for name in names},
        outputs,
        settings.max_bytes,
        limits_filters,
    )


def _choice(values: Sequence[Any], given: Any) -> CategoricalDistribution:
    """Return a choice of values and the given one."""
    return CategoricalDistribution([*values, *([] if given in values else [given])])


def _name_sizes(sizes: Sequence[int]) -> str:
    return ",".join(map(str, sizes))
