"""Evaluates a bundle on labelled text: scores, abstention, unknown and corrected words, errors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.labelled_text import TextSource
from glovelite.data.original_rows import OriginalRow, add_originals, find_rows
from glovelite.data.output_folder import atomic_folder, reserve_output_folder, write_csv
from glovelite.evaluation.confusions import Confusion, find_confusions
from glovelite.evaluation.plots import draw_or_warn, plot_evaluation
from glovelite.evaluation.scores import (
    Accuracy,
    Bin,
    Scores,
    calibration_error,
    count_pairs,
    describe_accuracy,
    measure_accuracy,
    name_classes,
    reliability,
    score,
)
from glovelite.runtime.aliases import Bools, Classes, PathLike
from glovelite.runtime.bundle import Bundle, read_bundle
from glovelite.runtime.classifier import Classifier
from glovelite.runtime.text.vocabulary import UNKNOWN_ID, Vocabulary

from .run_folder import LabelledTexts, read_given
from .verify.abstention import Answers
from .verify.device import DevicePredictions, predict_on_device

MAX_WORDS = 50  # unknown words and corrections that are listed; all are counted
EVALUATION_FILE, PLOT_FILE, ERRORS_FILE = "evaluation.json", "evaluation.png", "errors.csv"
EVALUATION_FILES = frozenset((EVALUATION_FILE, PLOT_FILE, ERRORS_FILE))
ERROR_COLUMNS = (
    "source",
    "line",
    "text",
    "label",
    "predicted",
    "correct",  # for `--corrections` of a training
    "probability",
    "abstained",
)
DECIMALS = 6  # of probabilities


@dataclass(frozen=True)
class Misclassified:
    """A text that is classified wrongly.

    Attributes:
        source: the file with the text.
        line: line in that file, or index in memory; None if the file is one text.
        text: the text.
        label: the true class; of multi-label text, the true labels separated by `|`.
        predicted: the predicted class, or the labels given.
        probability: of the predicted class, 0 to 1; of multi-label text, the product of the
            probabilities of all decisions.
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
        mean_probability: of the predicted classes, 0 to 1; of multi-label text, of all labels.
        accuracy: how often these are true, 0 to 1.
        bins: probability and accuracy by ranges of the probability.
    """

    error: float
    mean_probability: float
    accuracy: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class AbstentionEffect:
    """How many texts the device answers, and how accurately.

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
    """The words that the bundle neither lists, hashes nor corrects.

    Attributes:
        tokens: number of tokens that the model reads.
        share: of these that are unknown, 0 to 1.
        distinct: number of different unknown words.
        most_frequent: up to `MAX_WORDS` of them with their counts.
    """

    tokens: int
    share: float
    distinct: int
    most_frequent: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CorrectedWords:
    """The words that the bundle reads as their nearest spelling.

    Attributes:
        share: of the tokens, 0 to 1.
        distinct: number of different corrected words.
        most_frequent: up to `MAX_WORDS` of them, each with the listed word as which it is read,
            and its count.
    """

    share: float
    distinct: int
    most_frequent: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Evaluation:
    """A bundle measured on labelled text.

    Attributes:
        bundle: its folder.
        data: source of the labelled text.
        scores: accuracy, precision, recall, F1, and which classes are confused or occur together.
        confusions: pairs of classes that are confused, the most frequent first.
        errors: all texts that are classified wrongly, the most probable predictions first.
        calibration: quality of the probabilities.
        abstention: share and accuracy of the texts that are answered.
        unknown_words: words that the bundle neither lists, hashes nor corrects.
        corrected_words: words that it reads as their nearest spelling.
        unit: what the `line` of an error is: `line` of a file, or `index` in memory.
    """

    bundle: str
    data: str
    scores: Scores
    confusions: tuple[Confusion, ...]
    errors: tuple[Misclassified, ...]
    calibration: ProbabilityQuality
    abstention: AbstentionEffect
    unknown_words: UnknownWords
    corrected_words: CorrectedWords
    unit: str = "line"

    def __repr__(self) -> str:
        accuracy = describe_accuracy(f"{self.bundle} on {self.data}", self.scores)
        return f"<Evaluation of {accuracy}, {len(self.errors):,} errors>"

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON types."""
        return asdict(self)


def evaluate(bundle: Bundle, texts: LabelledTexts, predictions: DevicePredictions) -> Evaluation:
    """Score predictions against the true classes."""
    labels, targets = bundle.vocabulary.labels, texts.targets
    thresholds = bundle.thresholds if bundle.vocabulary.multi_label else None
    answers = Answers(predictions.scores, targets, thresholds=thresholds)
    scores = score(targets, answers.scores, labels, thresholds)
    bins = reliability(answers.scores, targets)
    unknown, corrected = _count_unknown_words(texts.texts, bundle.vocabulary)
    compared = sum(bin_.texts for bin_ in bins)
    return Evaluation(
        bundle=str(bundle.path),
        data=texts.name,
        scores=scores,
        confusions=_find_confusions(scores, targets, answers.predicted),
        errors=tuple(_find_errors(labels, texts, answers, predictions.abstained)),
        calibration=ProbabilityQuality(
            error=calibration_error(answers.scores, targets),
            mean_probability=sum(bin_.texts * bin_.probability for bin_ in bins) / compared,
            accuracy=sum(bin_.texts * bin_.accuracy for bin_ in bins) / compared,
            bins=bins,
        ),
        abstention=_measure_abstention(answers.correct, predictions.abstained),
        unknown_words=unknown,
        corrected_words=corrected,
        unit=texts.unit,
    )


def _find_confusions(scores: Scores, targets: Classes, predicted: Classes) -> tuple[Confusion, ...]:
    """Return which classes are confused, or which labels are given instead of others."""
    if targets.ndim == 1:
        return find_confusions(scores)
    return find_confusions(scores, count_pairs(targets & ~predicted, predicted & ~targets))


def _find_errors(
    labels: Sequence[str], texts: LabelledTexts, answers: Answers, abstained: Bools
) -> Iterable[Misclassified]:
    predicted, probability = answers.predicted, answers.probability
    rows = np.flatnonzero(~answers.correct)
    for row in rows[np.argsort(-probability[rows], kind="stable")]:
        source, line = texts.places[row]
        yield Misclassified(
            source,
            line,
            text=texts.texts[row],
            label=name_classes(texts.targets[row], labels),
            predicted=name_classes(predicted[row], labels),
            probability=float(probability[row]),
            abstained=bool(abstained[row]),
        )


def _measure_abstention(correct: Bools, abstained: Bools) -> AbstentionEffect:
    return AbstentionEffect(
        answered_share=1 - float(abstained.mean()),
        answered=None if abstained.all() else measure_accuracy(correct[~abstained]),
        abstained=measure_accuracy(correct[abstained]) if abstained.any() else None,
    )


def _count_unknown_words(
    texts: Iterable[str], vocabulary: Vocabulary
) -> tuple[UnknownWords, CorrectedWords]:
    """Count the words that stay unknown, and those that are read as their nearest spelling."""
    total, unknown, corrected = 0, Counter[str](), Counter[tuple[str, str]]()
    for text in texts:
        tokens, encoded = vocabulary.tokenize(text), vocabulary.encode(text)
        total += len(tokens)
        for token, id_ in zip(tokens, encoded.ids):
            if id_ == UNKNOWN_ID:
                unknown[token] += 1
            elif encoded.corrected and vocabulary.token_id(token) == UNKNOWN_ID:
                corrected[token, vocabulary.tokens[id_]] += 1
    return (
        UnknownWords(
            tokens=total,
            share=unknown.total() / max(1, total),
            distinct=len(unknown),
            most_frequent=tuple(unknown.most_common(MAX_WORDS)),
        ),
        CorrectedWords(
            share=corrected.total() / max(1, total),
            distinct=len(corrected),
            most_frequent=tuple(
                (token, word, count) for (token, word), count in corrected.most_common(MAX_WORDS)
            ),
        ),
    )


def _write_errors(path: Path, errors: Sequence[Misclassified], texts: LabelledTexts) -> None:
    """Write the errors with the other columns of their rows."""
    rows = (
        (
            *(error.source, error.line, error.text, error.label, error.predicted, ""),
            round(error.probability, DECIMALS),
            "yes" if error.abstained else "no",
        )
        for error in errors
    )
    number_of = dict(zip(texts.places, texts.numbers))
    numbers = [number_of[error.source, error.line] for error in errors]
    found = find_rows(
        texts.source, texts.files, dict(zip(numbers, (error.text for error in errors)))
    )
    originals = [found.get(number, OriginalRow()) for number in numbers]
    write_csv(path, *add_originals(ERROR_COLUMNS, rows, originals))


def _write_evaluation(
    target: Path, evaluation: Evaluation, texts: LabelledTexts, overwrite: bool
) -> None:
    scores, bins = evaluation.scores, evaluation.calibration.bins
    title = (
        f"{Path(evaluation.bundle).name}, {scores.texts:,} texts of {Path(evaluation.data).name}"
    )
    with atomic_folder(target, overwrite) as folder:
        content = json.dumps(evaluation.as_dict(), indent=1)
        (folder / EVALUATION_FILE).write_text(content + "\n", "utf-8")
        _write_errors(folder / ERRORS_FILE, evaluation.errors, texts)
        plot = partial(plot_evaluation, scores, bins, title)
        draw_or_warn(plot, folder / PLOT_FILE)


def evaluate_bundle(
    path: PathLike,
    data: TextSource | PathLike | Sequence[str],
    labels: Sequence[object] | None = None,
    *,
    out: PathLike | None = None,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
) -> Evaluation:
    """Classify labelled text with a bundle on the device's interpreter, and score the answers.

    Args:
        path: the bundle's folder.
        data: texts in memory, such as a list or a column of a DataFrame; or the path of a file, or
            a `TextSource`, which says how to read one.
        labels: a label for each text in memory, in the forms that `train_classifier` takes.
        out: folder for the evaluation as JSON, a plot and all errors as CSV; None writes nothing.
        skip_bad_rows: skip rows that cannot be used, with a warning.
        overwrite: replace an existing evaluation.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
        DataError: the labelled text cannot be read, or has a label that the bundle lacks.
        DeviceError: the interpreter rejects the model.
        OutputError: the folder exists or cannot be written.
    """
    reserved = (
        nullcontext()
        if out is None
        else reserve_output_folder(Path(out), overwrite, EVALUATION_FILE, EVALUATION_FILES)
    )
    with reserved as target:
        bundle = read_bundle(path)
        texts = read_given(data, labels, bundle, skip_bad_rows)
        predictions = predict_on_device(Path(path), texts.texts)
        evaluation = evaluate(bundle, texts, predictions)
        if target is not None:
            _write_evaluation(target, evaluation, texts, overwrite)
    return evaluation


def evaluate_classifier(
    classifier: Classifier, texts: Sequence[str], labels: Sequence[object]
) -> Evaluation:
    """Score a loaded bundle on texts and labels in memory; see `Classifier.evaluate`."""
    bundle = classifier.bundle
    given = read_given(texts, labels, bundle)
    predictions = classifier.predict(given.texts)
    answers = DevicePredictions(
        np.array([list(found.probabilities.values()) for found in predictions], np.float32),
        np.array([found.abstained for found in predictions], np.bool_),
    )
    return evaluate(bundle, given, answers)
