"""Describes an evaluation as human-readable lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glovelite.evaluation.scores import Scores, describe_accuracy, describe_classes
from glovelite.runtime.cli.terminal import one_line

from .evaluation import AbstentionEffect, Confusion, Evaluation, Misclassified, UnknownWords

MAX_MATRIX_CLASSES = 8  # more are described by their largest confusions
MAX_SHOWN = 10  # confusions, errors, unknown words
MAX_TEXT_CHARACTERS = 58


def describe_evaluation(evaluation: Evaluation) -> str:
    """Describe what a bundle gets right and wrong."""
    scores, calibration = evaluation.scores, evaluation.calibration
    single_label = scores.multi_label is None
    confusions = (
        _describe_matrix(scores)
        if single_label and len(scores.classes) <= MAX_MATRIX_CLASSES
        else _describe_confusions(evaluation.confusions, "predicted" if single_label else "given")
    )
    macro_f1 = f", macro F1 {scores.macro_f1:.1%}" if single_label else ""
    lines = [
        f"{describe_accuracy(evaluation.data, scores)}{macro_f1}",
        *describe_classes(scores),
        "",
        *confusions,
        "",
        *_describe_errors(evaluation.errors),
        "",
        f"calibration: expected calibration error {calibration.error:.1%}, mean probability "
        f"{calibration.mean_probability:.1%}, {'accuracy' if single_label else 'true'} "
        f"{calibration.accuracy:.1%}",
        *_describe_abstention(evaluation.abstention),
        _describe_unknown_words(evaluation.unknown_words),
    ]
    return "\n".join(lines)


def _describe_matrix(scores: Scores) -> Iterator[str]:
    labels = [each.label for each in scores.classes]
    first = max(map(len, labels))
    widths = [max(7, len(label)) for label in labels]
    yield "confusion: a row for each true class, a column for each predicted class"
    header = "  ".join(f"{label:>{width}}" for label, width in zip(labels, widths))
    yield f"{'':{first}}  {header}"
    for label, row in zip(labels, scores.confusion):
        counts = "  ".join(f"{count:{width},}" for count, width in zip(row, widths))
        yield f"{label:{first}}  {counts}"


def _describe_confusions(confusions: Sequence[Confusion], verb: str) -> Iterator[str]:
    yield _heading("confusions", len(confusions), "most frequent")
    for each in confusions[:MAX_SHOWN]:
        yield f"{each.texts:7,}  {each.share:6.1%} of {each.label} {verb} as {each.predicted}"


def _describe_errors(errors: Sequence[Misclassified]) -> Iterator[str]:
    yield _heading("errors", len(errors), "most confident")
    for each in errors[:MAX_SHOWN]:
        where = each.source if each.line is None else f"line {each.line}"
        text = one_line(each.text)
        if len(text) > MAX_TEXT_CHARACTERS:
            text = text[: MAX_TEXT_CHARACTERS - 1] + "…"
        predicted, label = each.predicted or "(none)", each.label or "(none)"
        yield f"{each.probability:7.1%}  {predicted}, not {label} ({where}): {text}"


def _heading(what: str, count: int, order: str) -> str:
    if not count:
        return f"{what}: none"
    return f"{what}: {count:,}" + (f", the {order}:" if count > 1 else "")


def _describe_abstention(abstention: AbstentionEffect) -> Iterator[str]:
    share = abstention.answered_share
    if abstention.answered:
        yield describe_accuracy(f"answers {share:.1%} of the texts", abstention.answered)
    if abstention.abstained:
        yield describe_accuracy(f"abstains from {1 - share:.1%}", abstention.abstained)


def _describe_unknown_words(words: UnknownWords) -> str:
    line = f"unknown words: {words.share:.1%} of {words.tokens:,} tokens"
    if not words.distinct:
        return line
    shown = ", ".join(f"{word} ({count:,})" for word, count in words.most_frequent[:MAX_SHOWN])
    return f"{line}, {words.distinct:,} different; the most frequent: {shown}"
