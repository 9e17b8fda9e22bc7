"""Chooses when a bundle abstains from a prediction.

The rule (`runtime.decision.abstention`) is chosen on dev text, from what the device computed. A few
dev texts prove little, so the accuracy above a threshold is measured by its lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy.stats import beta

from glovelite.evaluation.scores import Thresholds, decide, find_correct
from glovelite.runtime.aliases import Bools, Classes, Floats, Longs
from glovelite.runtime.decision import (
    ABSTAIN_FROM_ALL,
    MAX_PENALTY,
    NEVER_GIVEN,
    AbstentionRule,
    FamiliarityPenalty,
)
from glovelite.runtime.errors import ConversionError
from glovelite.runtime.text.vocabulary import Vocabulary

MIN_KNOWN_SHARE = 1 / 3  # of a text's tokens; German text under an English model has less
CONFIDENCE = 0.9  # of the lower bound of the accuracy
MAX_DEFAULT_ACCURACY = 0.98  # no default asks for more: half of no errors cannot be shown
PENALTY = 0.5  # deviations of the logit for each deviation of the familiarity; chosen on dev text
MIN_ODDS = 1e-6  # of a right or wrong prediction; keeps the logit finite


@dataclass(frozen=True)
class Abstention:
    """The rule that was chosen, and the accuracy it was chosen for.

    Attributes:
        probability: minimum confidence, 0 to 1; `ABSTAIN_FROM_ALL` relies on no prediction.
        accuracy: wanted accuracy of the predictions above it, 0 to 1.
        known: minimum share of known tokens, 0 to 1.
        familiarity: how unfamiliar words lower the confidence; None if they do not.
        labels: thresholds of single labels, instead of `probability`; empty if they have none.
    """

    probability: float
    accuracy: float
    known: float = MIN_KNOWN_SHARE
    familiarity: FamiliarityPenalty | None = None
    labels: Mapping[str, float] = field(default_factory=dict)

    @property
    def rule(self) -> AbstentionRule:
        """The rule as a device applies it."""
        return AbstentionRule(self.probability, self.known, self.familiarity, self.labels)

    def as_json(self) -> dict[str, Any]:
        """Return the content of the manifest's `abstention`."""
        content: dict[str, Any] = {
            "probability": self.probability,
            "accuracy": self.accuracy,
            "known": self.known,
        }
        if self.familiarity is not None:
            content["familiarity"] = asdict(self.familiarity)
        return {**content, "labels": dict(self.labels)} if self.labels else content


@dataclass(frozen=True)
class AnsweredShare:
    """The effect of the thresholds on a set of texts.

    Attributes:
        share: of texts above them, 0 to 1.
        accuracy: on those, 0 to 1; 0 if there are none.
    """

    share: float
    accuracy: float


@dataclass(frozen=True)
class DeviceAnswers:
    """The device's answers on labelled texts.

    Attributes:
        scores: float32 [texts, classes], probabilities.
        targets: int64 [texts], true classes, or bool [texts, labels].
        familiarity: float64 [texts], mean level of each text's words, 0 to 15; None if the
            vocabulary has no levels.
        thresholds: of each label of multi-label text, else None.
    """

    scores: Floats
    targets: Classes
    familiarity: Floats | None = None
    thresholds: Thresholds | None = None

    @property
    def predicted(self) -> Classes:
        """The most probable class of each text, int64 [texts], or its labels."""
        return decide(self.scores, self.thresholds)

    @property
    def correct(self) -> Bools:
        """Whether each prediction is right, in all labels, bool [texts]."""
        return find_correct(self.targets, self.predicted)

    @property
    def probability(self) -> Floats:
        """The probability of each prediction, float64 [texts].

        Of multi-label text, the product of the probabilities of all decisions.
        """
        scores = self.scores.astype(np.float64)
        if self.thresholds is not None:
            scores = np.where(self.predicted, scores, 1 - scores)
        probability: Floats = scores.max(axis=1) if self.thresholds is None else scores.prod(axis=1)
        return probability

    def confidence(self, penalty: FamiliarityPenalty | None) -> Floats:
        """Return the confidence of each prediction, float64 [texts]."""
        probability = self.probability
        if penalty is None or self.familiarity is None:
            return probability
        pairs = zip(probability.tolist(), self.familiarity.tolist())
        return np.array([penalty.lower(*pair) for pair in pairs])


def text_familiarity(texts: Sequence[str], vocabulary: Vocabulary) -> Floats | None:
    """Return the familiarity of texts, float64 [texts], or None if the vocabulary has no levels."""
    if vocabulary.familiarity is None:
        return None
    return np.array([vocabulary.encode(text).familiarity for text in texts])


def lower_bound(correct: Longs, texts: Longs) -> Floats:
    """Return the one-sided Clopper-Pearson bound of an accuracy, at confidence `CONFIDENCE`.

    Clopper and Pearson, 1934. Of three texts that are all correct, the bound is 46 %.
    """
    bound: Floats = np.where(correct > 0, beta.ppf(1 - CONFIDENCE, correct, texts - correct + 1), 0)
    return bound


def needed_texts(accuracy: float) -> int:
    """Return how many texts, all predicted correctly, show an accuracy below 1.

    Example:
        >>> needed_texts(0.95)
        45
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(accuracy))


def choose_abstention(
    dev: DeviceAnswers, labels: Sequence[str], accuracy: float | None = None, by_label: bool = False
) -> Abstention:
    """Choose the lowest threshold at which predictions are shown to have the wanted accuracy.

    Args:
        dev: answers on dev text.
        labels: the classes.
        accuracy: wanted above the threshold, 0 to 1; None halves the errors, and abstains from all
            if no threshold is shown to do so.
        by_label: choose a threshold for each label, so that the predictions of each label have the
            accuracy; those of a label without such a threshold are all abstained from. Not for
            multi-label text, whose labels have thresholds anyway.

    Raises:
        ConversionError: no threshold reaches the requested accuracy.
    """
    predicted, correct = dev.predicted, dev.correct
    halved = min(1 - (1 - float(correct.mean())) / 2, MAX_DEFAULT_ACCURACY)
    wanted = round(halved, 6) if accuracy is None else accuracy
    penalty = fit_penalty(dev)
    confidence = dev.confidence(penalty)
    if by_label:
        thresholds = {}
        for index, label in enumerate(labels):
            rows = predicted == index
            chosen = _lowest_threshold(confidence[rows], correct[rows], wanted)
            thresholds[label] = chosen.threshold
        if accuracy is None or min(thresholds.values()) < ABSTAIN_FROM_ALL:
            return Abstention(ABSTAIN_FROM_ALL, wanted, MIN_KNOWN_SHARE, penalty, thresholds)
    chosen = _lowest_threshold(confidence, correct, wanted)
    if accuracy is not None and (by_label or chosen.threshold >= ABSTAIN_FROM_ALL):
        of_any = " of any label" if by_label else ""
        raise ConversionError(
            f"no threshold{of_any} is shown to give {accuracy:.1%} accuracy: the "
            f"{chosen.best_texts:,} of {len(confidence):,} dev texts with the highest confidence "
            f"show {chosen.best_bound:.1%} at {CONFIDENCE:.0%} confidence; ask for less, or give "
            "more dev texts"
        )
    return Abstention(chosen.threshold, wanted, MIN_KNOWN_SHARE, penalty)


def choose_thresholds_by_precision(
    dev: DeviceAnswers, labels: Sequence[str], precision: float
) -> tuple[float, ...]:
    """Choose the lowest threshold of each label at which a precision is shown on dev text.

    Returns:
        A threshold for each label, `NEVER_GIVEN` for those that no threshold gives the precision.

    Raises:
        ConversionError: no label reaches the precision.
    """
    chosen = [_lowest_threshold(*pair, precision) for pair in zip(dev.scores.T, dev.targets.T)]
    if all(label.threshold >= NEVER_GIVEN for label in chosen):
        best = int(np.argmax([label.best_bound for label in chosen]))
        raise ConversionError(
            f"no threshold of any label is shown to give {precision:.1%} precision: "
            f"{labels[best]!r} comes closest, with {chosen[best].best_bound:.1%} at "
            f"{CONFIDENCE:.0%} confidence; ask for less, or give more dev texts"
        )
    return tuple(label.threshold for label in chosen)


def fit_penalty(dev: DeviceAnswers) -> FamiliarityPenalty | None:
    """Return how unfamiliar words lower the confidence, so that both vary alike on dev text."""
    if dev.familiarity is None or not dev.familiarity.std():
        return None
    probability = dev.probability
    odds = np.maximum(probability, MIN_ODDS) / np.maximum(1 - probability, MIN_ODDS)
    logits = np.log(odds)
    penalty = min(PENALTY * logits.std() / dev.familiarity.std(), MAX_PENALTY)
    return FamiliarityPenalty(round(float(dev.familiarity.mean()), 4), round(float(penalty), 4))


@dataclass(frozen=True)
class _Threshold:
    """A threshold of the confidence, `ABSTAIN_FROM_ALL` if none is shown to suffice.

    Attributes:
        best_texts: number of texts above the threshold that is shown to be the most accurate.
        best_bound: lower bound of the accuracy on those.
    """

    threshold: float
    best_texts: int = 0
    best_bound: float = 0.0


def _lowest_threshold(confidence: Floats, correct: Bools, wanted: float) -> _Threshold:
    """Return the lowest threshold at which an accuracy is shown."""
    if not len(confidence):
        return _Threshold(ABSTAIN_FROM_ALL)
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    reached = lower_bound(np.cumsum(correct[order]), answered)
    sorted_confidence = confidence[order]
    # A threshold separates only texts with different confidences.
    separable = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    best = int(np.argmax(np.where(separable, reached, -1)))
    sufficient = np.flatnonzero(separable & (reached >= wanted))
    threshold = ABSTAIN_FROM_ALL
    if len(sufficient):
        last = int(sufficient[-1])
        everything = last == len(order) - 1
        threshold = 0.0 if everything else _round_down(float(sorted_confidence[last]))
    return _Threshold(threshold, int(answered[best]), float(reached[best]))


def apply_abstention(
    answers: DeviceAnswers, labels: Sequence[str], abstention: Abstention
) -> AnsweredShare:
    """Measure the effect of the thresholds of the confidence on labelled text."""
    rule = abstention.rule
    confidence = answers.confidence(abstention.familiarity).tolist()
    most_probable = answers.scores.argmax(axis=1).tolist()  # by which single-label text abstains
    pairs = zip(most_probable, confidence)
    answered = np.array([not rule.abstains(labels[index], value) for index, value in pairs])
    correct = answers.correct[answered]
    return AnsweredShare(float(answered.mean()), float(correct.mean()) if len(correct) else 0.0)


def _round_down(probability: float) -> float:
    """Round a threshold to six digits so that the text it was taken from stays above it."""
    return float(np.floor(probability * 1e6) / 1e6)
