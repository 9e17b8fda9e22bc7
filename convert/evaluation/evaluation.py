"""Scores what a device answers on labelled text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from runtime.aliases import Bools
from runtime.evaluation.calibration import Bin, calibration_error, reliability
from runtime.evaluation.scores import Accuracy, Scores, measure_accuracy, score
from runtime.text.tokenizer import tokenize_start
from runtime.text.vocabulary import UNKNOWN_ID, Vocabulary

from ..verify.device import DevicePredictions
from ..verify.labelled_texts import LabelledTexts

MAX_UNKNOWN_WORDS = 50  # listed; all are counted


@dataclass(frozen=True)
class Confusion:
    """Two classes that are confused.

    Attributes:
        label: the true class.
        predicted: the predicted class.
        texts: number of texts.
        share: of the texts of the true class, 0 to 1.
    """

    label: str
    predicted: str
    texts: int
    share: float


@dataclass(frozen=True)
class Misclassified:
    """A text that is classified wrongly.

    Attributes:
        source: the file that it is in.
        line: its line there; None if the file is one text.
        text: the text.
        label: the true class.
        predicted: the predicted class.
        probability: of the predicted class, 0 to 1.
        abstained: whether the device marks the prediction as not to be relied on.
    """

    source: str
    line: int | None
    text: str
    label: str
    predicted: str
    probability: float
    abstained: bool


@dataclass(frozen=True)
class ProbabilityQuality:
    """How well the probabilities agree with the accuracy.

    Attributes:
        error: expected calibration error, 0 to 1.
        mean_probability: of the predicted classes, 0 to 1.
        bins: probability and accuracy by ranges of the probability.
    """

    error: float
    mean_probability: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class AbstentionEffect:
    """What the device answers, and where it abstains.

    Attributes:
        answered_share: share of the texts that are answered, 0 to 1.
        answered: accuracy on these texts, or None if there are none.
        abstained: accuracy of the predictions that are marked as not to be relied on, or None.
    """

    answered_share: float
    answered: Accuracy | None
    abstained: Accuracy | None


@dataclass(frozen=True)
class UnknownWords:
    """The words that the bundle neither lists nor hashes.

    Attributes:
        tokens: number of tokens that the model reads.
        share: of these that are unknown, 0 to 1.
        distinct: number of different unknown words.
        most_frequent: up to `MAX_UNKNOWN_WORDS` of them with their counts.
    """

    tokens: int
    share: float
    distinct: int
    most_frequent: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Evaluation:
    """A bundle measured on labelled text.

    Attributes:
        bundle: its folder.
        data: the labelled text.
        scores: accuracy, precision, recall, F1 and the confusion matrix.
        confusions: pairs of classes that are confused, the most frequent first.
        errors: all texts that are classified wrongly, the most probable predictions first.
        calibration: the quality of the probabilities.
        abstention: what is answered.
        unknown_words: what the bundle does not know.
    """

    bundle: str
    data: str
    scores: Scores
    confusions: tuple[Confusion, ...]
    errors: tuple[Misclassified, ...]
    calibration: ProbabilityQuality
    abstention: AbstentionEffect
    unknown_words: UnknownWords

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON types."""
        scores = {**asdict(self.scores), "macro_f1": self.scores.macro_f1}
        return {**asdict(self), "scores": scores}


def evaluate(
    bundle: str,
    data: str,
    vocabulary: Vocabulary,
    texts: LabelledTexts,
    predictions: DevicePredictions,
) -> Evaluation:
    """Score predictions against the true classes.

    Args:
        bundle: the bundle's folder.
        data: where the texts are from.
        vocabulary: of the bundle.
        texts: the texts and their true classes.
        predictions: what the device answers.
    """
    labels, targets, probabilities = vocabulary.labels, texts.targets, predictions.scores
    predicted = probabilities.argmax(axis=1)
    scores = score(targets, predicted, labels)
    return Evaluation(
        bundle=bundle,
        data=data,
        scores=scores,
        confusions=_find_confusions(scores),
        errors=tuple(_find_errors(labels, texts, predictions)),
        calibration=ProbabilityQuality(
            error=calibration_error(probabilities, targets),
            mean_probability=float(probabilities.max(axis=1).mean()),
            bins=reliability(probabilities, targets),
        ),
        abstention=_measure_abstention(predicted == targets, predictions.abstained),
        unknown_words=_count_unknown_words(texts.texts, vocabulary),
    )


def _find_confusions(scores: Scores) -> tuple[Confusion, ...]:
    found = [
        Confusion(true.label, predicted.label, count, count / true.texts)
        for true, row in zip(scores.classes, scores.confusion)
        for predicted, count in zip(scores.classes, row)
        if count and predicted is not true
    ]
    return tuple(sorted(found, key=lambda each: -each.texts))


def _find_errors(
    labels: Sequence[str], texts: LabelledTexts, predictions: DevicePredictions
) -> Iterable[Misclassified]:
    predicted, confidence = predictions.scores.argmax(axis=1), predictions.scores.max(axis=1)
    rows = np.flatnonzero(predicted != texts.targets)
    for row in rows[np.argsort(-confidence[rows], kind="stable")]:
        source, line = texts.places[row]
        yield Misclassified(
            source,
            line,
            text=texts.texts[row],
            label=labels[texts.targets[row]],
            predicted=labels[predicted[row]],
            probability=float(confidence[row]),
            abstained=bool(predictions.abstained[row]),
        )


def _measure_abstention(correct: Bools, abstained: Bools) -> AbstentionEffect:
    return AbstentionEffect(
        answered_share=1 - float(abstained.mean()),
        answered=None if abstained.all() else measure_accuracy(correct[~abstained]),
        abstained=measure_accuracy(correct[abstained]) if abstained.any() else None,
    )


def _count_unknown_words(texts: Iterable[str], vocabulary: Vocabulary) -> UnknownWords:
    counts = Counter[str]()
    for text in texts:
        counts.update(tokenize_start(text, vocabulary.max_tokens))
    unknown = Counter(
        {word: n for word, n in counts.items() if vocabulary.token_id(word) == UNKNOWN_ID}
    )
    return UnknownWords(
        tokens=counts.total(),
        share=unknown.total() / max(1, counts.total()),
        distinct=len(unknown),
        most_frequent=tuple(unknown.most_common(MAX_UNKNOWN_WORDS)),
    )
