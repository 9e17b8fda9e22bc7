"""Plots training curves and the gain of GloVe as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from runtime.evaluation.plots import drawable

from .fitting.from_scratch import KINDS, Trial

KIND_COLORS = dict(zip(KINDS, ("#e6842a", "#8c6bb1", "#74a9cf")))
TRAIN_COLOR, DEV_COLOR = "#8c6bb1", "#e6842a"


def plot_curves(history: dict[str, list[float]], kept: int, title: str, path: Path) -> None:
    """Plot accuracy and loss by epoch, training and validation.

    Args:
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value per epoch.
        kept: the epoch whose weights were kept, from 1.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(drawable(title), parse_math=False)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss")):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], "o-", color=TRAIN_COLOR, label="training")
        axes.plot(epochs, history[f"val_{name}"], "o-", color=DEV_COLOR, label="validation")
        axes.axvline(kept, color="grey", linestyle=":", label=f"kept: epoch {kept}")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def plot_trials(trials: Sequence[Trial], title: str, path: Path) -> None:
    """Plot the gain of GloVe: by epoch on all the text, and by the amount of text.

    Args:
        trials: one of each kind at each size.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle(drawable(title), parse_math=False)
    by_epoch, by_size = figure.subplots(1, 2)
    largest = max(trial.texts for trial in trials)
    for kind, color in KIND_COLORS.items():
        of_kind = sorted((t for t in trials if t.kind == kind), key=lambda trial: trial.texts)
        history = next(trial.history for trial in of_kind if trial.texts == largest)
        epochs = range(1, len(history["val_accuracy"]) + 1)
        by_epoch.plot(epochs, history["val_accuracy"], "o-", color=color, label=kind)
        by_epoch.plot(epochs, history["accuracy"], ":", color=color)
        accuracies = [trial.accuracy for trial in of_kind]
        below = [trial.accuracy - trial.interval[0] for trial in of_kind]
        above = [trial.interval[1] - trial.accuracy for trial in of_kind]
        sizes = [trial.texts for trial in of_kind]
        style = {"fmt": "o-", "color": color, "capsize": 3, "label": kind}
        by_size.errorbar(sizes, accuracies, (below, above), **style)
    by_epoch.set(title=f"dev accuracy, {largest:,} texts (dots: training)", xlabel="epoch")
    by_size.set(title="test accuracy, 95 % intervals", xlabel="training texts", xscale="log")
    for axes in (by_epoch, by_size):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
