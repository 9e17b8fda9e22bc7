"""Plots what a classifier confuses, and its calibration."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glovelite.runtime.files.output import DISK_IS_FULL

from .confusions import choose_confused
from .fonts import can_draw, spell_out
from .scores import MAX_LISTED_CLASSES, Bin, ClassScore, Scores

logger = logging.getLogger(__name__)

MAX_NAME_CHARACTERS = 60
POINT_COLOR = "#8c6bb1"


def plot_confusion(scores: Scores, title: str, path: Path) -> None:
    """Plot the confusion matrix with counts, or the co-occurrence of multi-label text's labels."""
    size = _matrix_size(scores)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    _draw_confusion(figure.subplots(), scores, drawable(title))
    _add_legend(figure, scores, path)
    figure.savefig(path, dpi=110)


def plot_evaluation(scores: Scores, bins: Sequence[Bin], title: str, path: Path) -> None:
    """Plot the confusion matrix, or the co-occurrence, beside the reliability diagram."""
    size = max(4.2, _matrix_size(scores))
    figure = Figure(figsize=(size + 5.2, size), layout="constrained")
    figure.suptitle(drawable(title), parse_math=False)
    left, right = figure.subplots(1, 2, width_ratios=(size + 0.8, 4.4))
    _draw_confusion(left, scores, "confusion" if scores.multi_label is None else "co-occurrence")
    _draw_reliability(right, bins)
    _add_legend(figure, scores, path)
    figure.savefig(path, dpi=110)


def draw_or_warn(plot: Callable[[Path], None], path: Path) -> None:
    """Draw a plot; if that fails, log a warning, because the numbers are worth more.

    Raises:
        OSError: the disk is full, so that the numbers cannot be written either.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of characters that no font has
            plot(path)
    except Exception as error:  # whatever a plotting library may raise
        if getattr(error, "errno", None) in DISK_IS_FULL:
            raise
        path.unlink(missing_ok=True)
        logger.info(f"{path.name} could not be drawn: {' '.join(str(error).split()):.200}")


def drawable(name: str) -> str:
    """Return a user's text in a form that can be drawn: letters that the font lacks as codes."""
    return spell_out(_shorten(name))[:MAX_NAME_CHARACTERS]


def name_classes(classes: Sequence[ClassScore]) -> tuple[list[str], dict[str, str]]:
    """Return what classes are called in a plot.

    Returns:
        The name of each class: its label, or a number if the font cannot draw that. And the labels
        of the numbers.
    """
    names, numbered = list[str](), dict[str, str]()
    for number, score in enumerate(classes, start=1):
        label = _shorten(score.label)
        if can_draw(label):
            names.append(label)
        else:
            names.append(f"#{number}")
            numbered[names[-1]] = label
    return names, numbered


def _shorten(name: str) -> str:
    return " ".join(name.encode("utf-8", "replace").decode().split())[:MAX_NAME_CHARACTERS]


def _add_legend(figure: Figure, scores: Scores, path: Path) -> None:
    """Add a legend of the classes that are numbers, and log it with the letters of the labels."""
    _, numbered = name_classes([scores.classes[number] for number in _drawn_classes(scores)])
    if not numbered:
        return
    logger.info(
        f"{path.name}: its font lacks letters of some labels, which are numbers there: "
        f"{', '.join(f'{number} {label}' for number, label in numbered.items())}"
    )
    lines = [f"{number} = {drawable(label)}" for number, label in numbered.items()]
    handles = [Line2D([], [], linestyle="none") for _ in lines]
    legend = figure.legend(
        handles,
        lines,
        loc="outside lower center",
        fontsize="x-small",
        ncols=2,
        handlelength=0,
        handletextpad=0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _drawn_classes(scores: Scores) -> list[int]:
    """Return the numbers of the classes that are drawn: all, or of many those confused most."""
    if len(scores.classes) <= MAX_LISTED_CLASSES:
        return list(range(len(scores.classes)))
    return choose_confused(scores, MAX_LISTED_CLASSES)


def _matrix_size(scores: Scores) -> float:
    return min(12.0, 2.6 + 0.55 * len(scores.classes))


def _draw_confusion(axes: Axes, scores: Scores, title: str) -> None:
    drawn = _drawn_classes(scores)
    classes = [scores.classes[number] for number in drawn]
    names, _ = name_classes(classes)
    if len(drawn) < len(scores.classes):
        title += f"\nthe {len(drawn)} of {len(scores.classes):,} that are confused most"
    positions = {number: position for position, number in enumerate(drawn)}
    table = [[0] * len(drawn) for _ in drawn]
    for true, predicted, texts in scores.pairs:
        if true in positions and predicted in positions:
            table[positions[true]][positions[predicted]] = texts
    shares = [[n / max(1, of.texts) for n in row] for of, row in zip(classes, table)]
    axes.imshow(shares, cmap="Purples", vmin=0, vmax=1)
    axes.set(xlabel="predicted" if scores.multi_label is None else "given", ylabel="true")
    axes.set_title(title, parse_math=False)
    for row_number, row in enumerate(table):
        for column, count in enumerate(row):
            if count or len(drawn) == len(scores.classes):
                color = "white" if shares[row_number][column] > 0.5 else "black"
                axes.text(column, row_number, f"{count:,}", ha="center", va="center", color=color)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=30, ha="right", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)


def _draw_reliability(axes: Axes, bins: Sequence[Bin]) -> None:
    """Draw accuracy by probability; the area of a point is its share of the texts."""
    texts = sum(point.texts for point in bins)
    probabilities = [point.probability for point in bins]
    axes.plot([0, 1], [0, 1], ":", color="grey", label="calibrated")
    axes.plot(probabilities, [point.accuracy for point in bins], color=POINT_COLOR, alpha=0.5)
    axes.scatter(
        probabilities,
        [point.accuracy for point in bins],
        s=[20 + 380 * point.texts / texts for point in bins],
        color=POINT_COLOR,
        label="texts (area: their share)",
    )
    axes.set(title="calibration", xlabel="probability", ylabel="accuracy", box_aspect=1)
    axes.set(xlim=(0, 1.03), ylim=(0, 1.03))
    axes.grid(alpha=0.3)
    axes.legend()
