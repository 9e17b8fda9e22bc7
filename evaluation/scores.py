"""Scores of a classifier: decisions, thresholds, calibration, accuracy and F1.

Of several classes a text gets the most probable one. In multi-label text each label has a
threshold of its own, and a text gets every label whose probability reaches it. True and predicted
classes are int [texts], or bool [texts, classes] in multi-label text. Probabilities are float32
[texts, classes].

Calibration is measured in bins of the predicted class's probability; of multi-label text, every
probability of a label is compared with how often the label is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from glovelite.runtime.aliases import Bools, Classes, Floats, Longs
from glovelite.runtime.decision import NEVER_GIVEN
from glovelite.runtime.files.columns import LABEL_SEPARATOR

Doubles = npt.NDArray[np.float64]
#: The threshold of each label, in the order of the labels.
Thresholds = Sequence[float]
MAX_LISTED_CLASSES = 30  # of more, those with the highest and the lowest F1 are described
MAX_BEST = 10
MAX_ROUNDS = 20  # over the labels, until no threshold changes; few are needed
BINS = 15  # of equal width, as in Guo et al., "On Calibration of Modern Neural Networks", 2017
#: Name of the score that sums a model up -> how people read it.
HEADLINES = {"accuracy": "accuracy", "micro_f1": "micro F1"}


def decide(probabilities: Floats, thresholds: Thresholds | None = None) -> Classes:
    """Return the class of each text, or with thresholds its labels, bool [texts, classes]."""
    if thresholds is None:
        classes: Longs = probabilities.argmax(axis=1)
        return classes
    minimum = np.array(thresholds)
    reached: Bools = (probabilities >= minimum) & (minimum < NEVER_GIVEN)
    return reached


def find_correct(targets: Classes, predicted: Classes) -> Bools:
    """Return whether each text is classified correctly, all labels of multi-label text."""
    equal: Bools = targets == predicted
    return equal.all(axis=1) if equal.ndim == 2 else equal


def name_classes(classes: Classes, labels: Sequence[str]) -> str:
    """Return the name of a text's class, or the names of its labels.

    Example:
        >>> name_classes(np.array([True, False, True]), ("anger", "fear", "joy"))
        'anger|joy'
    """
    numbers = np.flatnonzero(classes) if classes.ndim else [int(classes)]
    return LABEL_SEPARATOR.join(labels[number] for number in numbers)


def choose_thresholds(probabilities: Floats, targets: Classes) -> tuple[float, ...]:
    """Choose the thresholds with the highest mean of micro and macro F1.

    Micro F1 alone would hardly ever give a rare label, macro F1 alone would give it to many texts.
    The few texts of a rare label say little about its best threshold, so half of what is counted is
    observed, and half is what calibrated probabilities predict.
    """
    curves = [_count_by_threshold(*column) for column in zip(probabilities.T, targets.T)]
    best = [int(np.argmax(curve.right / curve.total)) for curve in curves]
    for _ in range(MAX_ROUNDS):
        before = list(best)
        right = sum(curve.right[cut] for curve, cut in zip(curves, best))
        total = sum(curve.total[cut] for curve, cut in zip(curves, best))
        for label, curve in enumerate(curves):
            right, total = right - curve.right[best[label]], total - curve.total[best[label]]
            micro = (right + curve.right) / (total + curve.total)
            best[label] = int(np.argmax(micro + curve.right / curve.total / len(curves)))
            right, total = right + curve.right[best[label]], total + curve.total[best[label]]
        if best == before:
            break
    return tuple(float(curve.thresholds[cut]) for curve, cut in zip(curves, best))


class _Curve(NamedTuple):
    """What is counted for one label at each threshold, float64 [texts + 1].

    Attributes:
        thresholds: descending from `NEVER_GIVEN`.
        right: texts that have the label and get it.
        total: texts that have it plus texts that get it; F1 is 2 × right / total.
    """

    thresholds: Doubles
    right: Doubles
    total: Doubles


def _count_by_threshold(probabilities: Floats, targets: Bools) -> _Curve:
    order = np.argsort(-probabilities, kind="stable")
    descending = probabilities[order].astype(np.float64)
    true = (targets[order] + descending) / 2
    given = np.arange(len(order) + 1)
    right = np.concatenate([[0.0], np.cumsum(true)])
    between = (descending + np.append(descending[1:], 0.0)) / 2
    total = np.maximum(true.sum() + given, np.finfo(np.float64).tiny)
    return _Curve(np.concatenate([[NEVER_GIVEN], between]), right, total)


@dataclass(frozen=True)
class Bin:
    """The texts whose predicted class has a probability in one range.

    Of multi-label text, the texts and labels with a probability in that range.

    Attributes:
        probability: mean probability of the predicted class, 0 to 1.
        accuracy: share classified correctly, or that have the label, 0 to 1.
    """

    texts: int
    probability: float
    accuracy: float


def calibration_error(probabilities: Floats, targets: Classes) -> float:
    """Return the expected calibration error, 0 to 1.

    The mean difference between probability and accuracy over bins, weighted by the texts in each.
    """
    confidence, correct = _compared(probabilities, targets)
    excess = np.bincount(_number_bins(confidence), weights=confidence - correct, minlength=BINS)
    return float(np.abs(excess).sum() / max(1, len(correct)))


def reliability(probabilities: Floats, targets: Classes) -> tuple[Bin, ...]:
    """Return the bins that hold texts, in ascending order."""
    confidence, correct = _compared(probabilities, targets)
    numbers = _number_bins(confidence)
    members = (numbers == number for number in np.unique(numbers))
    return tuple(
        Bin(int(rows.sum()), float(confidence[rows].mean()), float(correct[rows].mean()))
        for rows in members
    )


def _compared(probabilities: Floats, targets: Classes) -> tuple[Floats, Bools]:
    """Return the probabilities that are binned, and whether what they stand for is true."""
    if targets.ndim == 2:
        return probabilities.ravel(), targets.astype(np.bool_).ravel()
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def _number_bins(confidence: Floats) -> Longs:
    numbers: Longs = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return numbers


@dataclass(frozen=True)
class ClassScore:
    """One class's scores, each 0 to 1.

    Attributes:
        label: the class, or the label of multi-label text.
        texts: number of texts of the class, or with the label.
        precision: share of the texts predicted as the class that are of it.
        recall: share of the texts of the class that are predicted as it.
        f1: harmonic mean of both.
    """

    label: str
    texts: int
    precision: float
    recall: float
    f1: float


class Pair(NamedTuple):
    """A true class and a predicted one, as numbers in the order of the classes, and their texts."""

    true: int
    predicted: int
    texts: int


@dataclass(frozen=True)
class MultiLabelScores:
    """What is scored of multi-label text only, each 0 to 1 but the counts.

    Attributes:
        micro_f1: F1 of all decisions, one for each text and label.
        mean_average_precision: mean over the labels that occur of the average precision, which
            depends on no threshold.
        thresholds: the probability from which a text gets each label.
        given: how many texts got each label.
        labels_per_text: mean number of labels, `(true, given)`.
        co_occurrence: true and given labels that occur together, with the number of texts.
    """

    micro_f1: float
    mean_average_precision: float
    thresholds: tuple[float, ...]
    given: tuple[int, ...]
    labels_per_text: tuple[float, float]
    co_occurrence: tuple[Pair, ...] = field(repr=False)


@dataclass(frozen=True)
class Accuracy:
    """A model's accuracy on one set of texts.

    Attributes:
        accuracy: share classified correctly, 0 to 1; of multi-label text the share whose labels are
            all right.
        interval: 95 % Wilson interval of the accuracy.
    """

    texts: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Scores(Accuracy):
    """A model's scores on one set of texts.

    Attributes:
        macro_f1: mean F1 of the classes that occur or are predicted, 0 to 1.
        confusion: true and predicted classes, with one text or more; empty for multi-label text.
        multi_label: further scores of multi-label text, else None.
    """

    macro_f1: float
    classes: tuple[ClassScore, ...] = field(repr=False)
    confusion: tuple[Pair, ...] = field(default=(), repr=False)
    multi_label: MultiLabelScores | None = None

    @property
    def micro_f1(self) -> float | None:
        """F1 of all decisions about multi-label text, else None."""
        return None if self.multi_label is None else self.multi_label.micro_f1

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What a plot counts: the confusion, or the co-occurrence of multi-label text."""
        return self.confusion if self.multi_label is None else self.multi_label.co_occurrence


def count_pairs(first: Classes, second: Classes) -> tuple[Pair, ...]:
    """Return the pairs of a label of one set and a label of another that texts have both.

    Args:
        first: bool [texts, labels].
        second: of the same shape.
    """
    # Sums of float64 are exact, and many times as fast as those of integers.
    counts = (first.T.astype(np.float64) @ second).astype(np.int64)
    rows, columns = np.nonzero(counts)
    return _make_pairs(rows, columns, counts[rows, columns])


def _make_pairs(true: Longs, predicted: Longs, texts: Longs) -> tuple[Pair, ...]:
    return tuple(map(Pair, true.tolist(), predicted.tolist(), texts.tolist()))


def score(
    targets: Classes,
    probabilities: Floats,
    labels: Sequence[str],
    thresholds: Thresholds | None = None,
) -> Scores:
    """Score probabilities against the true classes."""
    predicted = decide(probabilities, thresholds)
    accuracy = measure_accuracy(find_correct(targets, predicted))
    if thresholds is None:
        numbers, texts = np.unique(targets * len(labels) + predicted, return_counts=True)
        rows, columns = np.divmod(numbers, len(labels))
        pairs = _make_pairs(rows, columns, texts)
        true, given, right = (
            np.bincount(classes, minlength=len(labels))
            for classes in (targets, predicted, targets[targets == predicted])
        )
    else:
        pairs = count_pairs(targets, predicted)
        true, given, right = (
            decisions.sum(axis=0) for decisions in (targets, predicted, targets & predicted)
        )
    f1 = f1_score(right, true, given)
    present = (true > 0) | (given > 0)
    multi_label = None
    if thresholds is not None:
        precisions = [
            average_precision(targets[:, label], probabilities[:, label])
            for label in np.flatnonzero(true)
        ]
        multi_label = MultiLabelScores(
            micro_f1=float(f1_score(right.sum(), true.sum(), given.sum())),
            mean_average_precision=float(np.mean(precisions)) if precisions else 0.0,
            thresholds=tuple(map(float, thresholds)),
            given=tuple(given.tolist()),
            labels_per_text=(float(true.sum()) / len(targets), float(given.sum()) / len(targets)),
            co_occurrence=pairs,
        )
    return Scores(
        **vars(accuracy),
        macro_f1=float(np.mean(f1[present])) if present.any() else 0.0,
        classes=tuple(
            ClassScore(
                label,
                int(true[index]),
                float(right[index] / max(1, given[index])),
                float(right[index] / max(1, true[index])),
                float(f1[index]),
            )
            for index, label in enumerate(labels)
        ),
        confusion=pairs if multi_label is None else (),
        multi_label=multi_label,
    )


def f1_score(right: npt.ArrayLike, true: npt.ArrayLike, given: npt.ArrayLike) -> Doubles:
    """Return the harmonic mean of precision and recall, 0 if nothing is right."""
    f1: Doubles = 2 * np.asarray(right) / np.maximum(np.add(true, given), 1)
    return f1


def average_precision(targets: Classes, probabilities: Floats) -> float:
    """Return the mean, over the texts with a label, of the precision down to their probability.

    Args:
        targets: bool [texts], whether each has the label; one text or more has it.
        probabilities: float32 [texts].
    """
    order = np.argsort(-probabilities, kind="stable")
    hits, descending = targets[order], probabilities[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))  # of equal ones
    found = np.cumsum(hits)[last]
    gained = np.diff(found, prepend=0)
    return float(np.sum(gained * found / (last + 1)) / found[-1])


def score_sources(
    targets: Classes, predicted: Classes, rows: Mapping[str, Longs]
) -> dict[str, Accuracy]:
    """Score the texts of each source, given the rows of each, if there are several sources."""
    if len(rows) < 2:
        return {}
    correct = find_correct(targets, predicted)
    return {source: measure_accuracy(correct[members]) for source, members in rows.items()}


def measure_accuracy(correct: Bools) -> Accuracy:
    """Measure the accuracy on one text or more."""
    count, texts = int(np.count_nonzero(correct)), len(correct)
    interval = binomtest(count, texts).proportion_ci(method="wilson")
    return Accuracy(texts, count / texts, (float(interval.low), float(interval.high)))


def describe_accuracy(name: str, scores: Accuracy) -> str:
    """Describe an accuracy with its interval, after the F1 of multi-label text."""
    low, high = scores.interval
    f1 = ""
    if isinstance(scores, Scores) and scores.micro_f1 is not None:
        f1 = f"micro F1 {scores.micro_f1:.1%}, macro F1 {scores.macro_f1:.1%}, "
    return (
        f"{name}: {f1}accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{scores.texts:,} texts)"
    )


def describe_classes(scores: Scores, others: str) -> Iterator[str]:
    """Describe the scores of each class as the lines of a table, of many the best and the worst.

    Args:
        others: what has the scores of all classes.
    """
    multi_label, numbers = scores.multi_label, list(range(len(scores.classes)))
    if len(numbers) > MAX_LISTED_CLASSES:
        occurring = [number for number in numbers if scores.classes[number].texts]
        occurring.sort(key=lambda number: -scores.classes[number].f1)
        numbers = [*occurring[:MAX_BEST], *occurring[MAX_BEST:][-MAX_BEST:]]
        yield (
            f"the {MAX_BEST} classes with the highest F1 and the {MAX_BEST} with the lowest, of "
            f"{len(scores.classes):,}; {others} has all:"
        )
    width = max(len(scores.classes[number].label) for number in numbers)
    yield f"{'':{width}}  precision  recall     F1   texts{'  threshold' if multi_label else ''}"
    for number in numbers:
        row = scores.classes[number]
        threshold = f"  {multi_label.thresholds[number]:9.2f}" if multi_label else ""
        yield (
            f"{row.label:{width}}  {row.precision:9.1%}  {row.recall:6.1%}  {row.f1:5.1%}"
            f"  {row.texts:6,}{threshold}"
        )
    if multi_label:
        true, given = multi_label.labels_per_text
        yield (
            f"mean average precision {multi_label.mean_average_precision:.1%}; labels a text: "
            f"{true:.2f} true, {given:.2f} given"
        )
