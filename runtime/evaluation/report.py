"""Describes scores as human-readable lines."""

from __future__ import annotations

from collections.abc import Iterator

from .scores import Accuracy, Scores


def describe_accuracy(name: str, scores: Scores | Accuracy) -> str:
    """Describe an accuracy with its interval.

    Args:
        name: of the set of texts.
        scores: on these texts.
    """
    low, high = scores.interval
    return (
        f"{name}: accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{scores.texts:,} texts)"
    )


def describe_classes(scores: Scores) -> Iterator[str]:
    """Describe the scores of each class as the lines of a table."""
    width = max(len(each.label) for each in scores.classes)
    yield f"{'':{width}}  precision  recall     F1   texts"
    for each in scores.classes:
        yield (
            f"{each.label:{width}}  {each.precision:9.1%}  {each.recall:6.1%}  {each.f1:5.1%}"
            f"  {each.texts:6,}"
        )
