"""Orders unlabelled texts by how much their labels would teach a classifier.

The usefulness of a text grows with how undecided the classifier is and with its unfamiliar words:

    usefulness = entropy + UNKNOWN · unknown + UNFAMILIAR · unfamiliar

`unknown` is the share of unknown tokens, `unfamiliar` 1 minus the mean level of familiarity / 15.
The next text is the one with the highest usefulness · novelty ^ SPREAD. The novelty of a text is
the mean of 1 / (1 + c) over its different tokens, c being how many texts ranked so far have the
token. Each token weighs log(1 + n / d), where d of the n texts have it, so rare ones weigh most.

A novelty only falls while texts are ranked, so its last value is an upper bound, and only the text
at the top of a heap is computed again (lazy greedy selection: Minoux, 1978). That happens at most
`MAX_UPDATES` times for a text, which bounds the time for many near-copies.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ..aliases import Ids
from ..text.familiarity import MAX_LEVEL
from ..text.vocabulary import Encoded

MAX_TEXT_TOKENS = 64  # different tokens kept of a text: those with the smallest hashes
MAX_UPDATES = 12

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class SelectionWeights:
    """The constants of the formula.

    In `bench.few_labels.active_learning --tune` no exponent was better than random texts on
    average; the smallest was kept. The two weights were set by hand.

    Attributes:
        unknown: weight of the share of unknown tokens.
        unfamiliar: weight of the missing familiarity.
        spread: exponent of the novelty; 0 ignores it.
    """

    unknown: float = 0.1
    unfamiliar: float = 0.1
    spread: float = 0.25


WEIGHTS = SelectionWeights()


def measure_entropy(probabilities: Sequence[float], multi_label: bool) -> float:
    """Return how undecided a classifier is, from 0 to 1.

    Args:
        probabilities: of each label.
        multi_label: whether each label is decided on its own.

    Returns:
        The entropy of the probabilities divided by that of equal ones, or the mean entropy in bits
        of the labels of a multi-label bundle.

    Example:
        >>> measure_entropy([0.5, 0.5, 0.0, 0.0], multi_label=False)
        0.5
    """
    if multi_label:
        both = [part for each in probabilities for part in (each, 1 - each)]
        entropy = _sum_entropy(both) / (len(probabilities) * math.log(2))
    else:
        entropy = _sum_entropy(probabilities) / math.log(len(probabilities))
    return min(max(entropy, 0.0), 1.0)


def measure_usefulness(
    entropy: float, encoded: Encoded, has_levels: bool, weights: SelectionWeights = WEIGHTS
) -> float:
    """Return how much a text's label would teach, without regard to the other texts.

    Args:
        entropy: what `measure_entropy` returned.
        encoded: the text.
        has_levels: whether the vocabulary has levels of familiarity.
        weights: the constants of the formula.
    """
    unfamiliar = 1 - encoded.familiarity / MAX_LEVEL if has_levels else 0.0
    return entropy + weights.unknown * (1 - encoded.known) + weights.unfamiliar * unfamiliar


def _sum_entropy(probabilities: Sequence[float]) -> float:
    return -sum(each * math.log(each) for each in probabilities if each > 0)


class TextPool:
    """The texts to order: of each only hashes of its tokens, in at most 260 bytes."""

    def __init__(self) -> None:
        self._hashes, self._ends = array("I"), array("Q", [0])
        self.usefulness = array("d")

    def __len__(self) -> int:
        return len(self.usefulness)

    def add(self, tokens: Sequence[str], usefulness: float) -> None:
        """Add a text.

        The tokens with the smallest hashes are a random sample, the same one of equal texts.

        Args:
            tokens: those that the model reads.
            usefulness: the text's, 0 or more; one without tokens counts as 0.
        """
        hashes = {crc32(token.encode("utf-8", "surrogatepass")) for token in tokens}
        self._hashes.extend(nsmallest(MAX_TEXT_TOKENS, hashes))
        self._ends.append(len(self._hashes))
        self.usefulness.append(usefulness if hashes else 0.0)

    def order(self, weights: SelectionWeights = WEIGHTS) -> Iterator[int]:
        """Yield the indices of the texts, the most useful first; of equal ones, the first added."""
        if not len(self):
            return
        _, tokens, counts = np.unique(
            np.frombuffer(self._hashes, np.uint32), return_inverse=True, return_counts=True
        )
        texts = np.split(tokens.astype(np.int32), np.frombuffer(self._ends, np.uint64)[1:-1])
        token_weights = np.log1p(len(self) / counts)
        totals = np.array([token_weights[tokens].sum() for tokens in texts])
        usefulness = np.array(self.usefulness)
        yield from _order_greedily(texts, token_weights, totals, usefulness, weights.spread)


def _order_greedily(
    texts: Sequence[Ids],
    token_weights: Doubles,
    totals: Doubles,
    usefulness: Doubles,
    spread: float,
) -> Iterator[int]:
    """Yield the indices of texts by usefulness and novelty.

    Args:
        texts: the different tokens of each.
        token_weights: of each token.
        totals: sum of the token weights of each text.
        usefulness: of each text.
        spread: exponent of the novelty.
    """
    seen = np.ones(len(token_weights))  # 1 more than the texts ranked so far that have the token
    current = token_weights.copy()
    # (-value, index, how many texts were ranked when the value was computed, number of updates)
    heap = [(-value, index, 0, 0) for index, value in enumerate(usefulness.tolist())]
    heapq.heapify(heap)
    ranked = 0
    while heap:
        _, index, when, updates = heap[0]
        tokens = texts[index]
        if spread and when < ranked and updates < MAX_UPDATES and totals[index] > 0:
            novelty = float(current[tokens].sum() / totals[index])
            value = float(usefulness[index]) * novelty**spread
            heapq.heapreplace(heap, (-value, index, ranked, updates + 1))
            continue
        heapq.heappop(heap)
        yield index
        ranked += 1
        seen[tokens] += 1
        current[tokens] = token_weights[tokens] / seen[tokens]
