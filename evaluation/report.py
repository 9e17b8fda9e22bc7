"""Describes scores as human-readable lines."""

from __future__ import annotations

from collections.abc import Iterator

from .scores import Accuracy, Scores


def describe_accuracy(name: str, scores: Scores | Accuracy) -> str:
    """Describe an accuracy with its interval, after the F1 of multi-label text.

    Args:
        name: of the set of texts.
        scores: on these texts.
    """
    low, high = scores.interval
    micro_f1 = ""
    if isinstance(scores, Scores) and scores.micro_f1 is not None:
        micro_f1 = f"micro F1 {scores.micro_f1:.1%}, macro F1 {scores.macro_f1:.1%}, "
    return (
        f"{name}: {micro_f1}accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{scores.texts:,} texts)"
    )


def describe_classes(scores: Scores) -> Iterator[str]:
    """Describe the scores of each class as the lines of a table."""
    width = max(len(each.label) for each in scores.classes)
    multi_label = scores.multi_label
    thresholds = [""] * len(scores.classes)
    if multi_label:
        thresholds = [f"  {each:9.2f}" for each in multi_label.thresholds]
    yield f"{'':{width}}  precision  recall     F1   texts{'  threshold' if multi_label else ''}"
    for each, threshold in zip(scores.classes, thresholds):
        yield (
            f"{each.label:{width}}  {each.precision:9.1%}  {each.recall:6.1%}  {each.f1:5.1%}"
            f"  {each.texts:6,}{threshold}"
        )
    if multi_label:
        true, given = multi_label.labels_per_text
        yield (
            f"mean average precision {multi_label.mean_average_precision:.1%}; labels a text: "
            f"{true:.2f} true, {given:.2f} given"
        )
