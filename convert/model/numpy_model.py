"""The model in numpy with its convolutions folded into the table.

Besides predictions it answers what another word at a position would change. The maximum over the
text makes that cheap: only the windows that contain the position change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from glovelite.runtime.aliases import Floats, Longs

from .folding import fold
from .weights import Weights

MIN_PROBABILITY = 1e-7  # keeps logarithms finite


@dataclass(frozen=True)
class Positions:
    """Positions of a text, with what the rest of the text contributes.

    Attributes:
        max_without: float32 [positions, filters] per kernel size, maximum over the windows that do
            not contain the position.
        partial_windows: float32 [positions, taps, filters] per kernel size: the windows that
            contain the position, without its own word's share; -inf for windows before the text.
        wide: float32 [positions, outputs], sum of the other words' wide weights.
        length: tokens of the text.
    """

    max_without: list[Floats]
    partial_windows: list[Floats]
    wide: Floats
    length: int

    def __getitem__(self, index: int) -> Positions:
        """Return one position as `Positions`."""
        row = slice(index, index + 1)
        max_without = [each[row] for each in self.max_without]
        partial_windows = [each[row] for each in self.partial_windows]
        return Positions(max_without, partial_windows, self.wide[row], self.length)


class NumpyModel:
    """A `conv-pool` model in numpy."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        # for each kernel size, products [words, taps, filters]
        self.products = [
            fold(weights.table, [each.kernel]).reshape(len(weights.table), len(each.kernel), -1)
            for each in weights.convolutions
        ]
        outputs = weights.kernel.shape[1]
        no_wide = np.zeros((len(weights.table), outputs), np.float32)
        self.wide = no_wide if weights.wide is None else weights.wide
        self.padding = max(len(each.kernel) for each in weights.convolutions)

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
        logits = np.maximum(np.concatenate(features, axis=1), 0) @ self.weights.kernel
        logits += (positions.wide + self.wide[words]) / np.sqrt(max(1, positions.length))
        logits += self.weights.bias
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
        for ids in texts:
            # An empty text is one padding id, which is part of its padding anyway.
            positions = self.positions(ids if len(ids) else np.zeros(1, np.int64))
            first = ids[:1] if len(ids) else np.zeros(1, np.int64)
            rows.append(self.probabilities(positions[0], first)[0])
        return np.array(rows, np.float32)
