"""Chooses when a bundle abstains from a prediction.

The rule (`runtime.decision.abstention`) is chosen on predictions of texts that their model was not
trained on: those of dev text, by the device, or those of cross-validation, of all texts. A few
texts prove little, so the accuracy above a threshold is measured by its lower bound, and where the
wanted accuracy cannot be shown, a lower one is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import beta

from glovelite.data.run_files import OUT_OF_FOLD
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
from glovelite.runtime.logs import WARNING
from glovelite.runtime.text.vocabulary import Vocabulary

MIN_KNOWN_SHARE = 1 / 3  # of a text's tokens; German text under an English model has less
CONFIDENCE = 0.9  # of the lower bound of the accuracy
MAX_DEFAULT_ACCURACY = 0.98  # no default asks for more: half of no errors cannot be shown
LOWER_ACCURACIES = (0.95, 0.9, 0.85, 0.8)  # taken where the wanted accuracy cannot be shown
PENALTY = 0.5  # deviations of the logit for each deviation of the familiarity; chosen on dev text
MIN_ODDS = 1e-6  # of a right or wrong prediction; keeps the logit finite


@dataclass(frozen=True)
class Evidence:
    """The texts that show the accuracy above a threshold.

    Attributes:
        set: `dev` or `out_of_fold`.
        texts: number of these.
        best_texts: how many of them, those with the highest confidence, show the highest accuracy;
            where labels have thresholds, of the texts that are predicted as one label.
        best_accuracy: that accuracy, 0 to 1.
    """

    set: str
    texts: int
    best_texts: int
    best_accuracy: float


@dataclass(frozen=True)
class Abstention:
    """The rule that was chosen, and the accuracy that it was chosen for.

    Attributes:
        probability: minimum confidence, 0 to 1; `ABSTAIN_FROM_ALL` relies on no prediction.
        accuracy: shown of the predictions above the threshold, 0 to 1; of the label with the lowest
            where labels have thresholds; None if none is shown.
        wanted: the accuracy that was asked for, 0 to 1.
        evidence: what shows it.
        known: minimum share of known tokens, 0 to 1.
        familiarity: how unfamiliar words lower the confidence; None if they do not.
        labels: thresholds of single labels, instead of `probability`; empty if they have none.
        label_accuracies: shown of the predictions of each of these labels; None if none is shown.
    """

    probability: float
    accuracy: float | None
    wanted: float
    evidence: Evidence
    known: float = MIN_KNOWN_SHARE
    familiarity: FamiliarityPenalty | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    label_accuracies: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def rule(self) -> AbstentionRule:
        """The rule as a device applies it."""
        return AbstentionRule(self.probability, self.known, self.familiarity, self.labels)

    def as_json(self) -> dict[str, Any]:
        """Return the content of the manifest's `abstention`."""
        optional = ("familiarity", "labels", "label_accuracies")
        content = asdict(self).items()
        return {name: value for name, value in content if value or name not in optional}


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
class Answers:
    """A model's answers on labelled texts.

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

    def __len__(self) -> int:
        return len(self.scores)

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


def choose_evidence(answers: Mapping[str, Answers]) -> str:
    """Return the set of texts that shows most: `dev`, or `out_of_fold`, which holds it."""
    return OUT_OF_FOLD if OUT_OF_FOLD in answers else "dev"


def choose_abstention(
    answers: Mapping[str, Answers],
    labels: Sequence[str],
    accuracy: float | None = None,
    by_label: bool = False,
) -> Abstention:
    """Choose the lowest threshold at which predictions are shown to have the wanted accuracy.

    If none is, the highest of `LOWER_ACCURACIES` that can be shown is taken; if none can, the rule
    abstains from all.

    Args:
        answers: on `dev`, and on `out_of_fold` if there are such predictions.
        labels: the classes.
        accuracy: wanted above the threshold, 0 to 1; None halves the errors.
        by_label: choose a threshold for each label, so that the predictions of each label have the
            accuracy, or a lower one; those of a label without such a threshold are all abstained
            from. Not for multi-label text, whose labels have thresholds anyway.
    """
    name = choose_evidence(answers)
    evidence = answers[name]
    predicted, correct = evidence.predicted, evidence.correct
    halved = min(1 - (1 - float(correct.mean())) / 2, MAX_DEFAULT_ACCURACY)
    wanted = round(halved, 6) if accuracy is None else accuracy
    levels = (wanted, *(lower for lower in LOWER_ACCURACIES if lower < wanted))
    penalty = fit_penalty(evidence)
    confidence = evidence.confidence(penalty)
    groups = {"": np.ones(len(evidence), np.bool_)}
    if by_label:
        groups = {label: predicted == index for index, label in enumerate(labels)}
    chosen = {
        label: _lowest_threshold(confidence[rows], correct[rows], levels)
        for label, rows in groups.items()
    }
    best = max(chosen.values(), key=lambda group: group.best_accuracy)
    shown = [group.accuracy for group in chosen.values() if group.accuracy is not None]
    return Abstention(
        ABSTAIN_FROM_ALL if by_label else chosen[""].threshold,
        min(shown, default=None),
        wanted,
        Evidence(name, len(evidence), best.best_texts, round(best.best_accuracy, 6)),
        familiarity=penalty,
        labels={label: group.threshold for label, group in chosen.items() if by_label},
        label_accuracies={label: group.accuracy for label, group in chosen.items() if by_label},
    )


def choose_thresholds_by_precision(
    answers: Answers, labels: Sequence[str], precision: float
) -> tuple[float, ...]:
    """Choose the lowest threshold of each label at which a precision is shown.

    Returns:
        A threshold for each label, `NEVER_GIVEN` for those that no threshold gives the precision.

    Raises:
        ConversionError: no label reaches the precision.
    """
    columns = zip(answers.scores.T, answers.targets.T)
    chosen = [_lowest_threshold(*column, (precision,)) for column in columns]
    if all(label.threshold >= NEVER_GIVEN for label in chosen):
        best = int(np.argmax([label.best_accuracy for label in chosen]))
        raise ConversionError(
            f"no threshold of any label is shown to give {precision:.1%} precision: "
            f"{labels[best]!r} comes closest, with {chosen[best].best_accuracy:.1%} at "
            f"{CONFIDENCE:.0%} confidence; ask for less, or give more dev texts"
        )
    return tuple(label.threshold for label in chosen)


def fit_penalty(answers: Answers) -> FamiliarityPenalty | None:
    """Return how unfamiliar words lower the confidence, so that both vary alike."""
    familiarity = answers.familiarity
    if familiarity is None or not familiarity.std():
        return None
    probability = answers.probability
    odds = np.maximum(probability, MIN_ODDS) / np.maximum(1 - probability, MIN_ODDS)
    logits = np.log(odds)
    penalty = min(PENALTY * logits.std() / familiarity.std(), MAX_PENALTY)
    return FamiliarityPenalty(round(float(familiarity.mean()), 4), round(float(penalty), 4))


@dataclass(frozen=True)
class _Threshold:
    """A threshold of the confidence, `ABSTAIN_FROM_ALL` if none is shown to suffice.

    Attributes:
        accuracy: what is shown of the texts above it; None if nothing is.
        best_texts: number of texts above the threshold that is shown to be the most accurate.
        best_accuracy: lower bound of the accuracy on those.
    """

    threshold: float = ABSTAIN_FROM_ALL
    accuracy: float | None = None
    best_texts: int = 0
    best_accuracy: float = 0.0


def _lowest_threshold(
    confidence: Floats, correct: Bools, accuracies: Sequence[float]
) -> _Threshold:
    """Return the lowest threshold at which the first of several accuracies is shown that can be."""
    if not len(confidence):
        return _Threshold()
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    reached = lower_bound(np.cumsum(correct[order]), answered)
    sorted_confidence = confidence[order]
    # A threshold separates only texts with different confidences.
    separable = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.where(separable, reached, -1)
    best = int(np.argmax(reached))
    chosen = _Threshold(best_texts=best + 1, best_accuracy=float(reached[best]))
    for accuracy in accuracies:
        sufficient = np.flatnonzero(reached >= accuracy)
        if len(sufficient):
            last = int(sufficient[-1])
            everything = last == len(order) - 1
            threshold = 0.0 if everything else _round_down(float(sorted_confidence[last]))
            return replace(chosen, threshold=threshold, accuracy=accuracy)
    return chosen


def apply_abstention(
    answers: Answers, labels: Sequence[str], abstention: Abstention
) -> AnsweredShare:
    """Measure the effect of the thresholds of the confidence on labelled text."""
    rule = abstention.rule
    confidence = answers.confidence(abstention.familiarity).tolist()
    most_probable = answers.scores.argmax(axis=1).tolist()  # by which single-label text abstains
    pairs = zip(most_probable, confidence)
    answered = np.array([not rule.abstains(labels[index], value) for index, value in pairs])
    correct = answers.correct[answered]
    return AnsweredShare(float(answered.mean()), float(correct.mean()) if len(correct) else 0.0)


def describe_shortfall(abstention: Abstention, explicit: bool, folds: bool) -> Iterator[str]:
    """Say which accuracy the bundle keeps instead of the wanted one, why, and what would help.

    Args:
        explicit: whether the accuracy was asked for; a lower one than the default is no warning.
        folds: whether the run was cross-validated.
    """
    evidence, wanted = abstention.evidence, abstention.wanted
    accuracies = abstention.label_accuracies.values() or (abstention.accuracy,)
    short = sum(accuracy is None or accuracy < wanted for accuracy in accuracies)
    if not short:
        return
    asked = f"{wanted:.1%}" if explicit else f"the default of {wanted:.1%}"
    advice = "give more text" if folds else "let all texts count with glovelite-train --folds 5"
    if abstention.accuracy is None:
        kept = "relies on no prediction"
        one = " among those predicted as one label" if abstention.labels else ""
        advice = (
            f"the {evidence.best_texts:,} with the highest confidence{one} show "
            f"{math.floor(100 * evidence.best_accuracy)}% at {CONFIDENCE:.0%} confidence: ask for "
            f"no more with --abstain-accuracy, or {advice}"
        )
    elif abstention.labels:
        kept = f"keeps a lower accuracy of {short:,} of {len(abstention.labels):,} labels, or none"
    else:
        kept = f"keeps an accuracy of {abstention.accuracy:.1%}"
    yield (
        f"{WARNING if explicit or abstention.accuracy is None else ''}--abstain {kept}: "
        f"{evidence.texts:,} {show_set(evidence.set)} texts do not show {asked} at any threshold: "
        f"{advice}"
    )


def show_set(name: str) -> str:
    """Return what a set of texts is called: `"dev"` or `"out-of-fold"`."""
    return name.replace("_", "-")


def _round_down(probability: float) -> float:
    """Round a threshold to six digits so that the text it was taken from stays above it.

    A probability that was rounded to 1 gives the highest threshold below `ABSTAIN_FROM_ALL`.
    """
    return min(float(np.floor(probability * 1e6) / 1e6), ABSTAIN_FROM_ALL - 1e-6)
