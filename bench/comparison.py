"""Turns the answers of several models to the same texts into means, intervals, a table, a plot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

SAMPLES = 10_000  # of the bootstrap
RIVALS = ("fastText .ftz", "TF-IDF + LR")
Summary = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Answers:
    """What one model made of one test set.

    Attributes:
        about: its `bytes`, `choice`, `dev` accuracy and `seconds`.
        right: of every text, whether the answer was.
    """

    about: dict[str, Any]
    right: list[bool]


def summarize(models: dict[str, list[Answers]], drawn: bool) -> Summary:
    """Compare models that answered the same texts, seed by seed.

    Args:
        models: the answers of each, one a seed.
        drawn: whether each seed has test texts of its own; else all have the same.

    Returns:
        For each model its mean accuracy, that of each seed, bytes, choice, and its lead over each
        rival with a paired bootstrap interval (Efron, 1979): texts are drawn again, not models.
    """
    pooled = {name: pool([each.right for each in runs], drawn) for name, runs in models.items()}
    summary: Summary = {}
    for name, runs in models.items():
        each = [float(np.mean(run.right)) for run in runs]
        about = {key: value for key, value in runs[0].about.items() if key != "predicted"}
        summary[name] = {
            **about,
            "dev": float(np.mean([run.about.get("dev", 0) for run in runs])),
            "bytes": int(np.mean([run.about["bytes"] for run in runs])),
            "test": float(np.mean(each)),
            "test_by_seed": each,
            "test_texts": len(runs[0].right),
        }
        if name.startswith("glovelite"):
            summary[name]["lead"] = {
                rival: lead(pooled[name], pooled[rival]) for rival in RIVALS if rival in pooled
            }
    return summary


def pool(right: list[list[bool]], drawn: bool) -> np.ndarray:
    """Give each text its share of right answers over the seeds, float [texts]."""
    if drawn:
        return np.concatenate([np.array(each, float) for each in right])
    return np.mean(np.array(right, float), axis=0)


def lead(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Give the difference in accuracy and its 95 % bootstrap interval, paired by text."""
    differences = ours - theirs
    random, count = np.random.default_rng(0), len(differences)
    means = [differences[random.integers(0, count, count)].mean() for _ in range(SAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}


def table(summary: dict[str, Summary]) -> str:
    """Write the summary as a Markdown table, a row a set and preset."""
    head = ["set", "test texts", "glovelite", "device bytes", "float32", "dynamic"]
    head += ["fastText .ftz", "its bytes", "fastText .bin", "TF-IDF + LR", "majority"]
    head += [f"lead over {name.split()[-1]}" for name in RIVALS]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, models in summary.items():
        for preset in dict.fromkeys(n.split()[1] for n in models if n.startswith("glovelite")):
            ours = models[f"glovelite {preset} dynamic"]
            cells = [name, f"{ours['test_texts']:,} × {len(ours['test_by_seed'])}"]
            cells += [f"`{preset}`", f"{ours['bytes']:,}"]
            cells += [percent(models[f"glovelite {preset} float32"]), f"**{percent(ours)}**"]
            cells += [percent(models[RIVALS[0]]), f"{models[RIVALS[0]]['bytes']:,}"]
            others = ("fastText .bin", RIVALS[1], "majority class")
            cells += [percent(models[each]) for each in others]
            cells += [describe(ours["lead"][rival]) for rival in RIVALS]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def percent(model: dict[str, Any]) -> str:
    """Write a mean accuracy."""
    return f"{model['test']:.2%}"


def describe(difference: dict[str, float]) -> str:
    """Write a lead with its interval, and whether chance explains it."""
    text = f"{100 * difference['mean']:+.1f}"
    text += f" ({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f})"
    return text + (" chance" if difference["low"] <= 0 <= difference["high"] else "")


def draw(summary: dict[str, Summary], path: Path) -> None:
    """Draw accuracy against bytes, a panel a set."""
    figure = Figure(figsize=(3.2 * len(summary), 3.4), layout="constrained")
    for axes, (name, models) in zip(
        figure.subplots(1, len(summary), squeeze=False)[0], summary.items()
    ):
        shown = {model: each for model, each in models.items() if each["bytes"]}
        for model, each in shown.items():
            ours = model.startswith("glovelite")
            point = each["bytes"] / 1e6, 100 * each["test"]
            axes.plot(*point, "o" if ours else "s", color="#e6842a" if ours else "#8c6bb1")
            label = model.removeprefix("glovelite ")
            axes.annotate(label, point, (0, 5), textcoords="offset points", fontsize=6, ha="center")
        axes.set(title=name, xscale="log", xlabel="megabytes")
        axes.set_xlim(0.2, 2000)
        axes.margins(y=0.15)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy, %")
    figure.savefig(path, dpi=110)
