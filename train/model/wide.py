"""The weights of the wide part: one per word and class, summed over a text, added to the logits.

It is that of wide and deep learning (Cheng et al., 2016). Many classes share the weights: a word
has `WIDE_COLUMNS` of them and a matrix mixes them, which costs a tenth of the memory and bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator

from glovelite.runtime.aliases import Floats
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, count_outputs

from ..decomposition import decompose
from ..row_blocks import row_blocks

if TYPE_CHECKING:  # it imports TensorFlow, which is not needed to read an initial run
    from ..data.batches import EncodedCorpus

WIDE_SMOOTHING = 1.0  # pseudo-count of texts per class, for classes of equal size
WIDE_INITIAL_SCALE = 0.3  # of the log-count ratios: naive Bayes is overconfident
WIDE_COLUMNS = 32  # of a word; more outputs than this share them
#: How far a step of all columns moves a logit, relative to a step of a weight per output. With 3,
#: 150 classes are learned too slowly (a point of accuracy on dev text), with 6 as well as without
#: shared columns.
SHARED_STEP = 6.0
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WideWeights:
    """The wide weights of words.

    Attributes:
        rows: float32 [words, columns].
        mixing: float32 [columns, outputs], by which the rows are multiplied, or None where each
            output has a column.
    """

    rows: Floats
    mixing: Floats | None = None

    def full(self) -> Floats:
        """Return a weight per word and output, float32 [words, outputs]."""
        return self.rows if self.mixing is None else self.rows @ self.mixing


class _LogRatios:
    """The log-count ratios of words and classes (NBSVM, Wang and Manning 2012), by blocks.

    With two classes the second's ratio to the first, with more each class's to all others, with
    several labels a text the ratio of the texts with a label to those without. Words that occur in
    no text get 0: smoothing in proportion to the classes' sizes favors no rare class.
    """

    def __init__(self, train: EncodedCorpus, words: int, classes: int) -> None:
        rows = np.repeat(np.arange(len(train)), train.lengths)
        pairs = np.unique(np.stack([rows, train.ids], axis=1), axis=0)  # once per text
        texts, ids = pairs[pairs[:, 1] < words].T
        of_texts, weights = _class_shares(train, classes)
        has_word = csr_matrix((weights[texts], (ids, texts)), (words, len(train)))
        self._counts = (has_word @ of_texts).tocsr()
        self.in_texts = np.asarray(has_word.sum(axis=1), np.float64)
        self._smoothing = WIDE_SMOOTHING * (2 if train.multi_label else classes)
        of_class = np.asarray(self._counts.sum(axis=0), np.float64)
        self._prior = self._smoothing * of_class / self.in_texts.sum()
        self._totals = of_class + words * self._prior
        self._other_totals = self.in_texts.sum() + words * self._smoothing - self._totals
        self._first = int(count_outputs(classes, train.multi_label) == 1)
        self.shape = words, classes - self._first

    def block(self, start: int, stop: int) -> Doubles:
        """Return the ratios of some words, float64 [words, outputs]."""
        counts = self._counts[start:stop].toarray() + self._prior
        others = self.in_texts[start:stop] + self._smoothing - counts
        ratios = np.log(counts / self._totals) - np.log(others / self._other_totals)
        if start < len(SPECIAL_TOKENS):
            ratios[: len(SPECIAL_TOKENS) - start] = 0
        found: Doubles = ratios[:, self._first :]
        return found

    def blocks(self) -> Iterator[tuple[slice, Doubles]]:
        """Yield the ratios of all words, a block at a time."""
        for rows in row_blocks(*self.shape):
            yield rows, self.block(rows.start, rows.stop)

    def factorize(self, columns: int) -> WideWeights:
        """Return factors of the ratios, each word weighed by the number of its texts."""
        roots = np.sqrt(self.in_texts)

        left, strengths, right = decompose(_Weighed(self, roots), columns)
        rows = left * strengths / np.maximum(roots, np.finfo(np.float64).tiny)
        rows[self.in_texts[:, 0] == 0] = 0
        return _scale_factors(WIDE_INITIAL_SCALE * rows, right)


def _scale_factors(rows: Doubles, mixing: Doubles) -> WideWeights:
    """Return factors with the same product.

    The absolute values in a column of the mixing matrix sum to `SHARED_STEP` on average.
    """
    scale = SHARED_STEP / np.abs(mixing).sum(axis=0).mean()
    return WideWeights((rows / scale).astype(np.float32), (mixing * scale).astype(np.float32))


class _Weighed(LinearOperator):  # type: ignore[misc]
    """The ratios, with each word's multiplied by a number, as a matrix that is never whole."""

    def __init__(self, ratios: _LogRatios, factors: Doubles) -> None:
        super().__init__(np.float64, ratios.shape)
        self._ratios, self._factors = ratios, factors

    def _matmat(self, right: Doubles) -> Doubles:
        products = np.concatenate([block @ right for _, block in self._ratios.blocks()])
        weighed: Doubles = self._factors * products
        return weighed

    def _rmatmat(self, right: Doubles) -> Doubles:
        total = np.zeros((self.shape[1], right.shape[1]))
        for part, block in self._ratios.blocks():
            total += block.T @ (self._factors[part] * right[part])
        return total


def count_columns(outputs: int) -> int:
    """Return how many wide weights a word has."""
    return min(outputs, WIDE_COLUMNS)


def _class_shares(train: EncodedCorpus, classes: int) -> tuple[csr_matrix, Floats]:
    """Return the classes of texts, as shares [texts, classes], and the weight of each text."""
    if train.soft is not None:
        return csr_matrix(train.soft.probabilities), train.soft.weights
    weights = np.ones(len(train), np.float32)
    if train.multi_label:
        return csr_matrix(train.targets.astype(np.float32)), weights
    places = np.arange(len(train)), train.targets
    return csr_matrix((weights, places), (len(train), classes)), weights


def initial_wide_weights(train: EncodedCorpus, training_words: int, classes: int) -> WideWeights:
    """Return the log-count ratios of words and classes, scaled; factors of them for many classes.

    Args:
        training_words: number of ids that occur in training text; words beyond have no weight.
    """
    ratios = _LogRatios(train, training_words, classes)
    columns = count_columns(ratios.shape[1])
    if columns < ratios.shape[1]:
        return ratios.factorize(min(columns, training_words))
    rows = np.concatenate([block for _, block in ratios.blocks()])
    return WideWeights((WIDE_INITIAL_SCALE * rows).astype(np.float32))


def factorize_wide(full: Floats, like: WideWeights) -> WideWeights:
    """Return weights per word and output in the form of others: as they are, or as factors."""
    if like.mixing is None:
        return WideWeights(full)
    columns = like.rows.shape[1]
    left, strengths, right = decompose(full.astype(np.float64), columns)
    return _scale_factors(left * strengths, right)
