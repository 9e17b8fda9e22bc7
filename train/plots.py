"""Plots training curves and the gain of GloVe as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glovelite.evaluation.plots import drawable

from .fitting.checkpoint import History, find_metric
from .trials.from_scratch import KINDS, Trial

KIND_COLORS = dict(zip(KINDS, ("#e6842a", "#8c6bb1", "#74a9cf")))
TRAIN_COLOR, DEV_COLOR = "#8c6bb1", "#e6842a"


def plot_curves(history: History, kept: int, title: str, path: Path) -> None:
    """Plot loss, and accuracy or micro F1, by epoch, training and validation.

    Args:
        history: see `History`.
        kept: the epoch whose weights were kept, from 1.
        title: above both panels.
        path: the PNG to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(drawable(title), parse_math=False)
    shown = dict([find_metric(history), ("loss", "loss")])
    for axes, name in zip(figure.subplots(1, 2), shown):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], "o-", color=TRAIN_COLOR, label="training")
        axes.plot(epochs, history[f"val_{name}"], "o-", color=DEV_COLOR, label="validation")
        axes.axvline(kept, color="grey", linestyle=":", label=f"kept: epoch {kept}")
        axes.set(xlabel="epoch", title=shown[name])
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
    metric, shown = find_metric(trials[0].history)
    for kind, color in KIND_COLORS.items():
        of_kind = sorted((t for t in trials if t.kind == kind), key=lambda trial: trial.texts)
        history = next(trial.history for trial in of_kind if trial.texts == largest)
        epochs = range(1, len(history[f"val_{metric}"]) + 1)
        by_epoch.plot(epochs, history[f"val_{metric}"], "o-", color=color, label=kind)
        by_epoch.plot(epochs, history[metric], ":", color=color)
        _plot_sizes(by_size, of_kind, kind, color)
    by_epoch.set(title=f"dev {shown}, {largest:,} texts (dots: training)", xlabel="epoch")
    intervals = ", 95 % intervals" if trials[0].micro_f1 is None else ""
    by_size.set(title=f"test {shown}{intervals}", xlabel="training texts", xscale="log")
    for axes in (by_epoch, by_size):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def _plot_sizes(axes: Axes, trials: Sequence[Trial], kind: str, color: str) -> None:
    """Plot the scores of one kind of trials by the number of training texts."""
    sizes, values = [each.texts for each in trials], [each.headline[0] for each in trials]
    margins = None
    if trials[0].micro_f1 is None:
        below = [each.accuracy - each.interval[0] for each in trials]
        above = [each.interval[1] - each.accuracy for each in trials]
        margins = below, above
    axes.errorbar(sizes, values, margins, fmt="o-", color=color, capsize=3, label=kind)
