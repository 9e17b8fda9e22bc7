"""A model's weights as arrays, its two layouts, and its predictions in numpy.

`conv` looks vectors up and convolves them. `folded` uses that the table is frozen and a convolution
is linear before its relu: `table @ kernel[tap]` is computed once per word and tap, at conversion,
and at run time the convolution is one GATHER, shifted ADDs and a maximum. Both compute the same
features up to rounding. Folded costs taps × filters values per word instead of the dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from glovelite.runtime.aliases import Floats, Longs

FOLDED_KEEPS_DIMENSIONS = "the folded layout has no dimensions to reduce: use --layout conv"
LSTM_NOT_FOLDED = "conv-lstm has no folded layout: use --layout conv"
LSTM_KEEPS_ALL = "conv-lstm keeps all its words and dimensions: train with fewer"
_BLOCK_ROWS = 4096  # folded at a time: bounds memory
MIN_PROBABILITY = 1e-7  # keeps logarithms finite


@dataclass(frozen=True)
class Convolution:
    """One convolution with a relu.

    Attributes:
        kernel: float32 [taps, dimensions, filters].
        bias: float32 [filters].
    """

    kernel: Floats
    bias: Floats


@dataclass(frozen=True)
class Lstm:
    """An LSTM over pooled windows, from the end of the text to its start.

    Attributes:
        kernel: float32 [features, 4 × units], gates in Keras's order: input, forget, cell, output.
        recurrent: float32 [units, 4 × units].
        bias: float32 [4 × units].
        pool: windows pooled into one step.
    """

    kernel: Floats
    recurrent: Floats
    bias: Floats
    pool: int


@dataclass(frozen=True)
class Weights:
    """All weights of a model.

    Attributes:
        table: float32 [vocabulary, dimensions]; row 0 is padding.
        convolutions: in the order in which their features are concatenated.
        kernel: of the logits, float32 [features, outputs].
        bias: of the logits, float32 [outputs].
        lstm: follows the convolution instead of the maximum over the text, or None.
        wide: float32 [vocabulary, outputs], a weight per word and output that is summed over the
            text, divided by the square root of its length and added to the logits, or None.
        mixing: of many outputs, which share columns: `kernel` and `wide` have columns in place of
            outputs, and the columns of both, joined, are multiplied by it: float32 [columns of
            both, outputs]. None where each output has a column.
        multi_label: whether each output is the probability of a label, a sigmoid of its own logit.
            Otherwise one output is a sigmoid, more are a softmax.
    """

    table: Floats
    convolutions: tuple[Convolution, ...]
    kernel: Floats
    bias: Floats
    lstm: Lstm | None = None
    wide: Floats | None = None
    mixing: Floats | None = None
    multi_label: bool = False

    @property
    def max_pooled(self) -> bool:
        """Whether features are a maximum over the text.

        Only then may words, dimensions and the input length change after training.
        """
        return self.lstm is None

    @property
    def kernels(self) -> list[Floats]:
        """The kernels of the convolutions."""
        return [convolution.kernel for convolution in self.convolutions]

    @property
    def outputs(self) -> int:
        """The number of logits."""
        return len(self.bias)

    @property
    def feature_effects(self) -> Floats:
        """What a feature adds to each logit, float32 [features, outputs]."""
        if self.mixing is None:
            return self.kernel
        return np.asarray(self.kernel @ self.mixing[: self.kernel.shape[1]], np.float32)

    @property
    def wide_mixing(self) -> Floats | None:
        """What a column of `wide` adds to each logit, float32 [columns, outputs], if shared."""
        return None if self.mixing is None else self.mixing[self.kernel.shape[1] :]

    def mix(self, from_features: Floats, wide: Floats) -> Floats:
        """Return logits without the bias, [texts, outputs], of what both parts give."""
        if self.mixing is None:
            return from_features + wide
        return np.concatenate([from_features, wide], axis=1) @ self.mixing

    @property
    def activation(self) -> str:
        """What turns logits into probabilities: `"sigmoid"` or `"softmax"`."""
        return "sigmoid" if self.multi_label or self.outputs == 1 else "softmax"


def with_two_outputs(weights: Weights) -> Weights:
    """Return a model of one output with two: the softmax of 0 and z is the sigmoid of z."""
    if weights.activation == "softmax" or weights.multi_label:
        return weights
    wide = None if weights.wide is None else _prepend_zeros(weights.wide)
    kernel, bias = _prepend_zeros(weights.kernel), _prepend_zeros(weights.bias[None])[0]
    return replace(weights, kernel=kernel, bias=bias, wide=wide)


def _prepend_zeros(column: Floats) -> Floats:
    """Prepend a column of zeros: [rows, 1] -> [rows, 2]."""
    return np.hstack([np.zeros_like(column), column])


def fold(table: Floats, kernels: list[Floats]) -> Floats:
    """Fold convolutions into the table: float32 [words, columns]; see `join_kernels`."""
    joined = join_kernels(kernels)
    folded = np.empty((len(table), joined.shape[1]), np.float32)
    for start in range(0, len(table), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        folded[block] = table[block].astype(np.float64) @ joined
    return folded


def join_kernels(kernels: list[Floats]) -> Floats:
    """Join kernels into one matrix, [dimensions, taps × filters of all kernels]."""
    parts = [np.swapaxes(kernel, 0, 1).reshape(kernel.shape[1], -1) for kernel in kernels]
    return np.concatenate(parts, axis=1)


def choose_layout(dimensions: int, kernels: list[tuple[int, ...]]) -> str:
    """Return `"folded"` if that makes the table no larger, else `"conv"`.

    Kernels are given by their shapes, [taps, dimensions, filters].
    """
    columns = sum(taps * filters for taps, _, filters in kernels)
    return "folded" if columns <= dimensions else "conv"


@dataclass(frozen=True)
class Positions:
    """Positions of a text, with what the rest of the text contributes.

    Attributes:
        max_without: float32 [positions, filters] per kernel size, maximum over the windows that do
            not contain the position.
        partial_windows: float32 [positions, taps, filters] per kernel size: the windows that
            contain the position, without its own word's share; -inf for windows before the text.
        wide: float32 [positions, columns], sum of the other words' wide weights.
        length: tokens of the text.
    """

    max_without: list[Floats]
    partial_windows: list[Floats]
    wide: Floats
    length: int

    def __getitem__(self, index: int) -> Positions:
        """Return one position as `Positions`."""
        row = slice(index, index + 1)
        max_without = [maximum[row] for maximum in self.max_without]
        partial_windows = [windows[row] for windows in self.partial_windows]
        return Positions(max_without, partial_windows, self.wide[row], self.length)


class NumpyModel:
    """A `conv-pool` model in numpy."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        # for each kernel size, products [words, taps, filters]
        self.products = [
            fold(weights.table, [kernel]).reshape(len(weights.table), len(kernel), -1)
            for kernel in weights.kernels
        ]
        no_wide = np.zeros((len(weights.table), 1), np.float32)
        self.wide = no_wide if weights.wide is None else weights.wide
        self.padding = max(map(len, weights.kernels))

    def positions(self, ids: Longs) -> Positions:
        """Return the positions of a text, int64 [length]."""
        padded = np.concatenate([ids, np.zeros(self.padding, np.int64)])
        max_without, partial_windows = [], []
        for products in self.products:
            taps = products.shape[1]
            count = len(padded) - taps + 1
            windows = sum(products[padded[tap : tap + count], tap] for tap in range(taps))
            outside = np.full((taps, windows.shape[1]), -np.inf, np.float32)
            before = np.maximum.accumulate(np.concatenate([outside, windows]), axis=0)
            after = np.maximum.accumulate(windows[::-1], axis=0)[::-1]
            index = np.arange(len(ids))
            max_without.append(np.maximum(before[index], after[index + 1]))
            containing = np.concatenate([outside, windows])[index[:, None] + taps - np.arange(taps)]
            partial_windows.append(containing - products[ids])
        total = self.wide[ids].sum(axis=0)
        return Positions(max_without, partial_windows, total - self.wide[ids], len(ids))

    def probabilities(self, positions: Positions, words: Longs | slice) -> Floats:
        """Return the probabilities with words at positions, [positions or words, classes]."""
        features = [
            np.maximum(max_without, (partial + products[words]).max(axis=1)) + convolution.bias
            for max_without, partial, products, convolution in zip(
                positions.max_without,
                positions.partial_windows,
                self.products,
                self.weights.convolutions,
            )
        ]
        from_features = np.maximum(np.concatenate(features, axis=1), 0) @ self.weights.kernel
        wide = (positions.wide + self.wide[words]) / np.sqrt(max(1, positions.length))
        logits = self.weights.mix(from_features, wide) + self.weights.bias
        if self.weights.multi_label:
            of_labels: Floats = expit(logits).clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
            return of_labels
        if logits.shape[1] == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scaled = powers / powers.sum(axis=1, keepdims=True)
        probabilities: Floats = np.maximum(scaled, MIN_PROBABILITY)
        return probabilities

    def scores(self, texts: Sequence[Longs]) -> Floats:
        """Return the probabilities of texts, int64 [length] each: float32 [texts, classes]."""
        rows = []
        for text in texts:
            # An empty text is one padding id, which is part of its padding anyway.
            ids = text if len(text) else np.zeros(1, np.int64)
            rows.append(self.probabilities(self.positions(ids)[0], ids[:1])[0])
        return np.array(rows, np.float32)
