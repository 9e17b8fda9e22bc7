"""What people would rather look at: training curves and the confusion matrix, as PNG files."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from .scores import Scores

matplotlib.use("Agg")
TRAIN_COLOUR, DEV_COLOUR = "#8c6bb1", "#e6842a"


def draw_curves(history: dict[str, list[float]], title: str, path: Path) -> None:
    """Draw accuracy and loss by epoch, training beside validation.

    Args:
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value an epoch.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
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
    labels = [each.label for each in scores.classes]
    size = 2.6 + 0.55 * len(labels)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    shares = [[n / max(1, sum(row)) for n in row] for row in scores.confusion]
    axes.imshow(shares, cmap="Purples", vmin=0, vmax=1)
    for true, row in enumerate(scores.confusion):
        for predicted, count in enumerate(row):
            colour = "white" if shares[true][predicted] > 0.5 else "black"
            axes.text(predicted, true, f"{count:,}", ha="center", va="center", color=colour)
    places = range(len(labels))
    axes.set(title=title, xlabel="predicted", ylabel="true", xticks=places, yticks=places)
    axes.set_xticklabels(labels, rotation=30, ha="right")
    axes.set_yticklabels(labels)
    figure.savefig(path, dpi=110)
