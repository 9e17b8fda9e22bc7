"""Which classes are confused: the most frequent pairs, and the classes among which most are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .scores import Pair, Scores

MAX_SHOWN = 10  # confusions


@dataclass(frozen=True)
class Confusion:
    """Two classes that are confused, or two labels one of which is given instead of the other.

    Attributes:
        label: the true class, or a label that a text lacks.
        predicted: the predicted class, or a label that it gets and does not have.
        texts: number of texts.
        share: of the texts with the label, 0 to 1.
    """

    label: str
    predicted: str
    texts: int
    share: float


def find_confusions(scores: Scores, pairs: Sequence[Pair] | None = None) -> tuple[Confusion, ...]:
    """Return the pairs of different classes, the most frequent first.

    Args:
        pairs: what is counted instead of predictions, such as labels given instead of others.
    """
    classes = scores.classes
    found = [
        Confusion(
            classes[true].label,
            classes[predicted].label,
            texts,
            texts / max(1, classes[true].texts),
        )
        for true, predicted, texts in (scores.confusion if pairs is None else pairs)
        if true != predicted
    ]
    return tuple(sorted(found, key=lambda confusion: -confusion.texts))


def describe_confusions(confusions: Sequence[Confusion], verb: str = "predicted") -> Iterator[str]:
    """Describe the most frequent confusions as lines."""
    yield describe_count("confusions", len(confusions), "most frequent")
    for pair in confusions[:MAX_SHOWN]:
        yield f"{pair.texts:7,}  {pair.share:6.1%} of {pair.label} {verb} as {pair.predicted}"


def describe_count(what: str, count: int, order: str) -> str:
    """Return the heading of a list whose first items are shown."""
    if not count:
        return f"{what}: none"
    return f"{what}: {count:,}" + (f", the {order}:" if count > 1 else "")


def choose_confused(scores: Scores, count: int) -> list[int]:
    """Return the numbers of some classes: those confused most, next to each other.

    Of multi-label text, those that occur together most. If fewer are confused, the most frequent
    classes follow.
    """
    different = [pair for pair in scores.pairs if pair.true != pair.predicted]
    different.sort(key=lambda pair: -pair.texts)
    by_texts = sorted(range(len(scores.classes)), key=lambda index: -scores.classes[index].texts)
    confused = (index for pair in different for index in (pair.true, pair.predicted))
    return [*dict.fromkeys((*confused, *by_texts))][:count]
