"""What people would rather look at: training curves and the confusion matrix, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from .fitting.from_scratch import KINDS, Trial
from .fitting.metrics import Scores

matplotlib.use("Agg")
MOST_NAMED = 30  # classes; more are drawn without names and numbers
KIND_COLOURS = dict(zip(KINDS, ("#e6842a", "#8c6bb1", "#74a9cf")))
TRAIN_COLOUR, DEV_COLOUR = "#8c6bb1", "#e6842a"


def draw_curves(history: dict[str, list[float]], title: str, path: Path) -> None:
    """Draw accuracy and loss by epoch, training beside validation.

    Args:
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value an epoch.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(_plain(title), parse_math=False)
    best = min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__) + 1
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss")):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], "o-", color=TRAIN_COLOUR, label="training")
        axes.plot(epochs, history[f"val_{name}"], "o-", color=DEV_COLOUR, label="validation")
        axes.axvline(best, color="grey", linestyle=":", label=f"kept: epoch {best}")
        axes.set(xlabel="epoch", title=name, xticks=list(epochs))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def draw_confusion(scores: Scores, title: str, path: Path) -> None:
    """Draw the confusion matrix with counts.

    Args:
        scores: the scores that hold it.
        title: above it.
        path: the PNG to write.
    """
    labels = [_plain(each.label) for each in scores.classes]
    size = min(12.0, 2.6 + 0.55 * len(labels))
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    shares = [[n / max(1, sum(row)) for n in row] for row in scores.confusion]
    axes.imshow(shares, cmap="Purples", vmin=0, vmax=1)
    axes.set(title=title, xlabel="predicted", ylabel="true")
    if len(labels) <= MOST_NAMED:
        for true, row in enumerate(scores.confusion):
            for predicted, count in enumerate(row):
                colour = "white" if shares[true][predicted] > 0.5 else "black"
                axes.text(predicted, true, f"{count:,}", ha="center", va="center", color=colour)
        places = range(len(labels))
        axes.set_xticks(places, labels, rotation=30, ha="right", parse_math=False)
        axes.set_yticks(places, labels, parse_math=False)
    figure.savefig(path, dpi=110)


def _plain(name: str) -> str:
    """Make a name that can be drawn of one that came from outside."""
    return " ".join(name.encode("utf-8", "replace").decode().split())[:60]


def draw_scratch(trials: Sequence[Trial], title: str, path: Path) -> None:
    """Draw what GloVe brings: by epoch on all the text, and by how much text there is.

    Args:
        trials: one of each kind at each size.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle(_plain(title), parse_math=False)
    by_epoch, by_size = figure.subplots(1, 2)
    largest = max(trial.texts for trial in trials)
    for kind, colour in KIND_COLOURS.items():
        mine = sorted((t for t in trials if t.kind == kind), key=lambda trial: trial.texts)
        history = next(trial.history for trial in mine if trial.texts == largest)
        epochs = range(1, len(history["val_accuracy"]) + 1)
        by_epoch.plot(epochs, history["val_accuracy"], "o-", color=colour, label=kind)
        by_epoch.plot(epochs, history["accuracy"], ":", color=colour)
        accuracies = [trial.accuracy for trial in mine]
        below = [trial.accuracy - trial.interval[0] for trial in mine]
        above = [trial.interval[1] - trial.accuracy for trial in mine]
        sizes = [trial.texts for trial in mine]
        style = {"fmt": "o-", "color": colour, "capsize": 3, "label": kind}
        by_size.errorbar(sizes, accuracies, (below, above), **style)
    by_epoch.set(title=f"dev accuracy, {largest:,} texts (dots: training)", xlabel="epoch")
    by_size.set(title="test accuracy, 95 % intervals", xlabel="training texts", xscale="log")
    for axes in (by_epoch, by_size):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
