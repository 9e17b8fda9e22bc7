"""Everything that a device graph is built from, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glovelite.runtime.aliases import Floats


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
        multi_label: whether each output is the probability of a label, a sigmoid of its own logit.
            Otherwise one output is a sigmoid, more are a softmax.
    """

    table: Floats
    convolutions: tuple[Convolution, ...]
    kernel: Floats
    bias: Floats
    lstm: Lstm | None = None
    wide: Floats | None = None
    multi_label: bool = False

    @property
    def max_pooled(self) -> bool:
        """Whether features are a maximum over the text.

        Only then may words, dimensions and the input length change after training.
        """
        return self.lstm is None

    @property
    def activation(self) -> str:
        """What turns logits into probabilities: `"sigmoid"` or `"softmax"`."""
        return "sigmoid" if self.multi_label or self.kernel.shape[1] == 1 else "softmax"


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
