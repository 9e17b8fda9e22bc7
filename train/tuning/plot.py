"""Plots the trials of a search."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glovelite.evaluation.plots import drawable

from .records import Tuned, TuningTrial, explored

TRIAL_COLOR, BEST_COLOR = "#8c6bb1", "#e6842a"


def plot_search(tuned: Tuned, title: str, path: Path) -> None:
    """Plot the score and the loss of each trial by time, with the best so far, as PNG."""
    trials = [trial for trial in explored(tuned.trials) if trial.measured is not None]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle(
        f"{drawable(title)}: {len(trials)} trials on {tuned.compared_on}", parse_math=False
    )
    score, criterion = figure.subplots(1, 2)
    scores = [100 * trial.measured.score for trial in trials if trial.measured]
    _plot_trials(score, trials, scores, tuned.chosen)
    relative = [trial.relative for trial in trials if trial.relative is not None]
    _plot_trials(criterion, trials, relative, tuned.chosen)
    best, so_far = 1.0, []
    for value in relative:
        best = min(best, value)
        so_far.append(best)
    minutes = [trial.at / 60 for trial in trials]
    criterion.step(minutes, so_far, where="post", color=BEST_COLOR, label="best so far")
    name = "mean of micro and macro F1" if tuned.multi_label else "accuracy"
    score.set(title=f"{name}, %", xlabel="minutes")
    criterion.set(title="loss and errors relative to the default", xlabel="minutes")
    for axes in (score, criterion):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def _plot_trials(axes: Axes, trials: list[TuningTrial], values: list[float], chosen: int) -> None:
    """Plot a value of each trial, with a line at the default and a mark at the chosen one."""
    minutes = [trial.at / 60 for trial in trials]
    axes.plot(minutes, values, "o", color=TRIAL_COLOR, label="trial")
    axes.axhline(values[0], color="grey", linestyle=":", label="default")
    for trial, minute, value in zip(trials, minutes, values):
        if trial.number == chosen:
            axes.plot(minute, value, "*", color=BEST_COLOR, markersize=14, label="chosen")
