"""Fits the weights of character n-grams, which the device adds to the model's logits.

They are those of a logistic regression: each text is the counts of its n-grams, divided by the root
of their number and weighed by how few texts have them (inverse document frequency). It is fitted
apart from the network and knows other things than it does; dev text decides how much each counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, diags
from scipy.special import expit, log_softmax

from glovelite.runtime.aliases import Classes, Floats
from glovelite.runtime.ngrams import (
    LEVELS,
    MAX_COLUMNS,
    MIN_PROBABILITY,
    VALUE_OFFSET,
    NgramWeights,
    hash_ngrams,
)
from glovelite.runtime.text.tokenizer import Tokenizer

from ..data.batches import EncodedCorpus, Goals
from ..data.corpus import to_distributions
from ..data.splitting.split import Split
from ..model.outputs import make_goals
from ..options import TrainingOptions
from .calibration import fit_calibration, to_probabilities

logger = logging.getLogger(__name__)
BUCKETS = 1 << 16
LONGEST = 4  # characters of an n-gram
MAX_CHARACTERS = 10_000  # of a text that are read
#: Inverse strength of the L2 penalty, as scikit-learn's `C`; chosen on the dev text of eight
#: languages.
INVERSE_PENALTY = 0.3
MAX_ITERATIONS = 100
#: Prior of the factors of both models' logits: each alone is overconfident, and both agree.
MIXTURE_MEAN, MIXTURE_DEVIATION = 0.6, 0.5
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NgramModel:
    """A fitted logistic regression on n-grams.

    Attributes:
        weights: float64 [buckets, outputs], for counts divided by the root of their number.
        bias: float64 [outputs].
    """

    weights: Doubles
    bias: Doubles
    tokenizer: Tokenizer

    def logits(self, texts: Iterable[str]) -> Doubles:
        """Return the logits of texts, float64 [texts, outputs]."""
        scores: Doubles = count_ngrams(texts, self.tokenizer) @ self.weights + self.bias
        return scores


@dataclass(frozen=True)
class NgramsBeside:
    """A fitted regression beside a network.

    Attributes:
        model: the regression.
        mixture: how its logits are added to the network's.
    """

    model: NgramModel
    mixture: Mixture

    def logits(self, texts: Iterable[str]) -> Floats:
        """Return what is added to the network's logits of texts, float32 [texts, outputs]."""
        further = self.mixture.weight * self.model.logits(texts) + self.mixture.bias
        logits: Floats = further.astype(np.float32)
        return logits

    def pack(self, divisors: Floats) -> NgramWeights:
        """Return the device's weights; `divisors`, [1 or outputs], are the temperatures."""
        weights = self.model.weights * self.mixture.weight
        bias = self.model.bias * self.mixture.weight + self.mixture.bias
        return pack_weights(weights / divisors, bias / divisors)


def fit_beside(
    split: Split, train: EncodedCorpus, dev_logits: Floats, options: TrainingOptions
) -> NgramsBeside | None:
    """Fit a regression beside a network; None if it does not help on dev text.

    Args:
        train: the encoded training text.
        dev_logits: the network's on dev text, float32 [texts, outputs].
    """
    outputs = dev_logits.shape[1]
    goals = make_goals(train, outputs, train, options.balanced)
    model = fit_ngrams(split.train.texts, goals, outputs, options.tokenizer)
    mixture = fit_mixture(dev_logits, model.logits(split.dev.texts), split.dev.targets)
    if mixture is None:
        logger.info("character n-grams left out: they do not help on dev text")
        return None
    logger.info(
        f"character n-grams fitted; their logits count {mixture.weight:.2f} times the network's"
    )
    return NgramsBeside(model, mixture)


@dataclass(frozen=True)
class Mixture:
    """How the logits of a network and of n-grams are added.

    Attributes:
        weight: how much those of the n-grams count beside the network's.
        bias: float64 [outputs], added to the sum: both have learned how frequent the classes are.
    """

    weight: float
    bias: Doubles


def fit_mixture(logits: Floats, further: Doubles, targets: Classes) -> Mixture | None:
    """Fit to dev text how the n-grams' logits are added to the network's; None if it is no gain.

    The sum has a temperature, which calibration fits again. Priors keep the parameters near those
    of two models that are equally good, where dev texts are few.

    Args:
        logits: the network's, float32 [texts, 1 or classes].
        further: the n-grams', of the same shape.
        targets: true classes, int [texts], or bool [texts, labels].
    """
    network = logits.astype(np.float64)

    def loss(parameters: Doubles) -> float:
        own, other, bias = parameters[0], parameters[1], parameters[2:]
        given = to_probabilities(own * network + other * further + bias, targets.ndim == 2)
        if targets.ndim == 2:
            right = np.where(targets, given, 1 - given)
        else:
            right = given[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(right, MIN_PROBABILITY)).sum())

    def penalized(parameters: Doubles) -> float:
        weights = (parameters[:2] - MIXTURE_MEAN) ** 2 / MIXTURE_DEVIATION**2
        return loss(parameters) + float(weights.sum() + np.sum(parameters[2:] ** 2)) / 2

    none = np.zeros(further.shape[1])
    start = np.concatenate([[MIXTURE_MEAN, MIXTURE_MEAN], none])
    bounds = [(0.05, 5.0), (0.0, 5.0), *[(None, None)] * len(none)]
    both = minimize(penalized, start, method="L-BFGS-B", bounds=bounds).x
    alone = 1 / fit_calibration(logits, targets).temperature
    if loss(both) + 1 > loss(np.concatenate([[alone, 0.0], none])):
        return None
    own, other, bias = both[0], both[1], both[2:]
    return Mixture(float(other / own), bias / own)


def count_ngrams(texts: Iterable[str], tokenizer: Tokenizer) -> csr_matrix:
    """Return the n-grams' counts divided by the root of their number, float32 [texts, buckets]."""
    indices, counts, ends = [], [], [0]
    for text in texts:
        buckets = hash_ngrams(text, tokenizer, LONGEST, MAX_CHARACTERS) & np.uint32(BUCKETS - 1)
        found, times = np.unique(buckets, return_counts=True)
        indices.append(found.astype(np.int32))
        counts.append((times / max(1, len(buckets)) ** 0.5).astype(np.float32))
        ends.append(ends[-1] + len(found))
    parts = np.concatenate(counts), np.concatenate(indices), np.array(ends)
    return csr_matrix(parts, shape=(len(ends) - 1, BUCKETS))


def fit_ngrams(
    texts: Iterable[str], goals: Goals, outputs: int, tokenizer: Tokenizer
) -> NgramModel:
    """Fit the regression with L-BFGS.

    Args:
        texts: the training texts.
        goals: what each is trained towards, and its weight.
        outputs: number of logits.
    """
    counts = count_ngrams(texts, tokenizer)
    frequency = np.bincount(counts.indices, minlength=BUCKETS)
    inverse = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
    features = (counts @ diags(inverse.astype(np.float32))).tocsr()
    softmax = outputs > 1 and not goals.encoded.multi_label
    targets: Floats = goals.targets.astype(np.float32)
    if targets.shape[1] != outputs:
        targets = to_distributions(goals.targets[:, 0].astype(np.int64), outputs)
    weights = goals.weights[:, None].astype(np.float64)

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        rows = flat.reshape(-1, outputs)
        kernel, bias = rows[:-1], rows[-1]
        logits = features @ kernel + bias
        if softmax:
            logs = log_softmax(logits, axis=1)
            value, predicted = -np.sum(weights * targets * logs), np.exp(logs)
        else:
            value = np.sum(weights * (np.logaddexp(0, logits) - targets * logits))
            predicted = expit(logits)
        difference = weights * (predicted - targets)
        gradient = np.vstack(
            [features.T @ difference + kernel / INVERSE_PENALTY, difference.sum(0)]
        )
        return float(value + np.sum(kernel**2) / (2 * INVERSE_PENALTY)), gradient.ravel()

    start = np.zeros((BUCKETS + 1) * outputs)
    options = {"maxiter": MAX_ITERATIONS, "maxcor": 10, "ftol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    rows = found.x.reshape(-1, outputs)
    return NgramModel(rows[:-1] * inverse[:, None], rows[-1], tokenizer)


def pack_weights(weights: Doubles, bias: Doubles) -> NgramWeights:
    """Quantize weights, float64 [buckets, outputs], to half a byte for each column of a bucket.

    Beyond `MAX_COLUMNS` outputs, the columns are the strongest components of the weights by
    singular value decomposition, and a matrix mixes them.
    """
    mixing = None
    if weights.shape[1] > MAX_COLUMNS:
        _, vectors = np.linalg.eigh(weights.T @ weights)  # ascending
        components = vectors[:, : -MAX_COLUMNS - 1 : -1]
        weights, mixing = weights @ components, components.T.astype(np.float32)
    largest = np.maximum(np.abs(weights).max(axis=0), 1e-9)
    scales = (largest / LEVELS.max()).astype(np.float32)
    levels = LEVELS[1:]  # the first is not used: values are symmetrical
    borders = (levels[1:] + levels[:-1]) / 2
    values = (np.searchsorted(borders, weights / scales) + 1).astype(np.uint8)
    if values.shape[1] % 2:
        values = np.pad(values, ((0, 0), (0, 1)), constant_values=VALUE_OFFSET)
    packed = values[:, ::2] | values[:, 1::2] << 4
    return NgramWeights(LONGEST, MAX_CHARACTERS, bias.astype(np.float32), scales, mixing, packed)
