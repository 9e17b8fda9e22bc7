"""The model in numpy, its convolutions folded into the table: answers, and what-ifs about words.

The maximum over the text makes it cheap to ask what another word in a place would do: only the
windows that hold the place change, and what the others come to is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .folding import Floats, fold
from .weights import Weights

Longs = npt.NDArray[np.int64]
LEAST = 1e-7  # probability, so that logarithms are finite


@dataclass(frozen=True)
class Places:
    """Places in a text, and what the text comes to but for the windows that hold them.

    Attributes:
        elsewhere: float32 [places, filters] for each width, maximum over the other windows.
        around: float32 [places, taps, filters] for each width: the windows that hold the place,
            without its word's share; -inf where the text begins after them.
        wide: float32 [places, outputs], sum of the other words' wide weights.
        length: tokens of the text.
    """

    elsewhere: list[Floats]
    around: list[Floats]
    wide: Floats
    length: int

    def __getitem__(self, place: int) -> Places:
        """Give one place, as places are given."""
        row = slice(place, place + 1)
        elsewhere, around = [e[row] for e in self.elsewhere], [a[row] for a in self.around]
        return Places(elsewhere, around, self.wide[row], self.length)


class FoldedModel:
    """The model in numpy, its convolutions folded into the table."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        # products of word, tap and filter, for each width
        self.products = [
            fold(weights.table, [each.kernel]).reshape(len(weights.table), len(each.kernel), -1)
            for each in weights.convolutions
        ]
        outputs = weights.kernel.shape[1]
        nothing = np.zeros((len(weights.table), outputs), np.float32)
        self.wide = nothing if weights.wide is None else weights.wide
        self.padding = max(len(each.kernel) for each in weights.convolutions)

    def places(self, ids: Longs) -> Places:
        """Take a text, int64 [length], apart into its places."""
        padded = np.concatenate([ids, np.zeros(self.padding, np.int64)])
        elsewhere, around = [], []
        for products in self.products:
            taps = products.shape[1]
            count = len(padded) - taps + 1
            windows = sum(products[padded[tap : tap + count], tap] for tap in range(taps))
            nowhere = np.full((taps, windows.shape[1]), -np.inf, np.float32)
            before = np.maximum.accumulate(np.concatenate([nowhere, windows]), axis=0)
            after = np.maximum.accumulate(windows[::-1], axis=0)[::-1]
            places = np.arange(len(ids))
            elsewhere.append(np.maximum(before[places], after[places + 1]))
            holding = np.concatenate([nowhere, windows])[places[:, None] + taps - np.arange(taps)]
            around.append(holding - products[ids])
        total = self.wide[ids].sum(axis=0)
        return Places(elsewhere, around, total - self.wide[ids], len(ids))

    def probabilities(self, places: Places, words: Longs | slice) -> Floats:
        """Give the answers with words in places: [places or words, outputs + 1 or outputs]."""
        features = [
            np.maximum(elsewhere, (around + products[words]).max(axis=1)) + convolution.bias
            for elsewhere, around, products, convolution in zip(
                places.elsewhere, places.around, self.products, self.weights.convolutions
            )
        ]
        logits = np.maximum(np.concatenate(features, axis=1), 0) @ self.weights.kernel
        logits += (places.wide + self.wide[words]) / np.sqrt(max(1, places.length))
        logits += self.weights.bias
        if logits.shape[1] == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Floats = np.maximum(powers / powers.sum(axis=1, keepdims=True), LEAST)
        return probabilities

    def scores(self, texts: Sequence[Longs]) -> Floats:
        """Give the answers for texts, int64 [length] each: float32 [texts, classes]."""
        rows = []
        for ids in texts:
            # A text of nothing is one padding id: it stands where padding stands anyway.
            places = self.places(ids if len(ids) else np.zeros(1, np.int64))
            first = ids[:1] if len(ids) else np.zeros(1, np.int64)
            rows.append(self.probabilities(places[0], first)[0])
        return np.array(rows, np.float32)
