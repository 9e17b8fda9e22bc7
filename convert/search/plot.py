"""Plots the candidates of a search: size against accuracy, latency as color."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..candidates import Budget, Candidate, pareto_frontier
from ..options import RECIPES

COLOR_MAP = "viridis"


def plot_frontier(
    candidates: Sequence[Candidate], best: Candidate, budget: Budget, path: Path
) -> None:
    """Plot candidates by size and accuracy, with latency as color, and the Pareto frontier."""
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    axes = figure.subplots()
    times = [candidate.microseconds for candidate in candidates]
    colors = LogNorm(min(times), max(*times, min(times) * 1.01))
    _plot_candidates(axes, candidates, colors)
    _plot_choice(axes, candidates, best, budget)
    axes.set(xscale="log", xlabel="bundle, kB", ylabel="accuracy on dev, %")
    _tick(axes.xaxis, [candidate.bytes / 1e3 for candidate in candidates])
    axes.grid(alpha=0.3)
    latency = ScalarMappable(colors, COLOR_MAP)
    bar = figure.colorbar(latency, ax=axes, label="µs from text to label, median")
    _tick(bar.ax.yaxis, times)
    figure.legend(fontsize="small", loc="outside right upper")
    figure.savefig(path, dpi=110)


def _plot_candidates(axes: Axes, candidates: Sequence[Candidate], colors: LogNorm) -> None:
    """Plot the candidates, with a marker per recipe and an edge for the folded layout."""
    for recipe in RECIPES.values():
        for layout in ("conv", "folded"):
            matching = [
                candidate
                for candidate in candidates
                if (candidate.recipe, candidate.layout) == (recipe.name, layout)
            ]
            if not matching:
                continue
            axes.scatter(
                [candidate.bytes / 1e3 for candidate in matching],
                [100 * candidate.accuracy for candidate in matching],
                c=[candidate.microseconds for candidate in matching],
                norm=colors,
                cmap=COLOR_MAP,
                marker=recipe.marker,
                s=46,
                linewidths=1.2 if layout == "folded" else 0,
                edgecolors="black",
                label=f"{recipe.name}, {layout}",
            )


def _plot_choice(
    axes: Axes, candidates: Sequence[Candidate], best: Candidate, budget: Budget
) -> None:
    """Plot the Pareto frontier, a circle at the chosen candidate, and the size limit."""
    frontier = pareto_frontier(candidates)
    axes.plot(
        [candidate.bytes / 1e3 for candidate in frontier],
        [100 * candidate.accuracy for candidate in frontier],
        color="grey",
        zorder=0,
    )
    axes.scatter(
        best.bytes / 1e3,
        100 * best.accuracy,
        s=240,
        facecolors="none",
        edgecolors="#c0392b",
        label="chosen",
    )
    if budget.max_bytes is not None:
        axes.axvline(budget.max_bytes / 1e3, color="#c0392b", linestyle=":", label="budget")


def _tick(axis: Any, values: list[float]) -> None:
    """Put numbers on a logarithmic axis, which may show none by default: round ones if two fit."""
    low, high = min(values), max(values)
    ticks = [step * 10.0**power for power in range(-1, 8) for step in (1, 1.5, 2, 3, 5, 7)]
    shown = [tick for tick in ticks if low * 0.95 <= tick <= high * 1.05]
    axis.set_major_locator(FixedLocator(shown if len(shown) > 1 else sorted({low, high})))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axis.set_minor_locator(NullLocator())
