"""Which labels a multi-label bundle gives to a text: the `thresholds` of its manifest.

    {"joy": 0.35, "anger": 0.62}

A text gets every label whose probability reaches the label's threshold. Labels that are not listed
have `DEFAULT_THRESHOLD`. A threshold of `NEVER_GIVEN` says that no text gets the label: no lower
one was precise enough on dev text.
"""

from __future__ import annotations

from collections.abc import Sequence

DEFAULT_THRESHOLD = 0.5
NEVER_GIVEN = 1.0


def decide_labels(
    probabilities: Sequence[float], thresholds: Sequence[float]
) -> tuple[list[int], float]:
    """Decide which labels a text gets.

    Args:
        probabilities: of each label.
        thresholds: of each label.

    Returns:
        The indices of the labels given, most probable first, and the probability that exactly
        these are right, if labels were independent.

    Example:
        >>> decide_labels([0.5, 0.1, 0.8], [0.5, 0.5, 0.5])
        ([2, 0], 0.36...)
    """
    given, all_right = [], 1.0
    for index, probability in enumerate(probabilities):
        if thresholds[index] <= probability and thresholds[index] < NEVER_GIVEN:
            given.append(index)
            all_right *= probability
        else:
            all_right *= 1 - probability
    given.sort(key=probabilities.__getitem__, reverse=True)
    return given, all_right


def parse_thresholds(content: object, labels: Sequence[str]) -> tuple[float, ...]:
    """Parse the manifest's `thresholds`.

    Args:
        content: the parsed JSON.
        labels: of the vocabulary.

    Returns:
        The threshold of each label, in the order of `labels`.

    Raises:
        ValueError: it is malformed; the message says what was expected.
    """
    if not isinstance(content, dict):
        raise ValueError("'thresholds' should be an object")
    for label in content.keys() - set(labels):
        raise ValueError(f"'thresholds' names {label[:40]!r}, which is not a label")
    for label, value in content.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:  # True is an int
            raise ValueError(f"{label!r} of 'thresholds' should be a number from 0 to 1")
    return tuple(float(content.get(label, DEFAULT_THRESHOLD)) for label in labels)
