"""Summarizes the predictions of several classifiers for the same texts: means, intervals, plot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from reporting import print_table

BOOTSTRAP_SAMPLES = 10_000
RIVALS = ("fastText .ftz", "TF-IDF + LR")
Summary = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Predictions:
    """One classifier's predictions for one test set.

    Attributes:
        about: its `bytes`, `choice`, `dev` accuracy and `seconds`.
        correct: whether each prediction is.
    """

    about: dict[str, Any]
    correct: list[bool]


def summarize(classifiers: dict[str, list[Predictions]], draws_test: bool) -> Summary:
    """Compare classifiers that predicted the same texts.

    Args:
        classifiers: predictions of each, one item per seed.
        draws_test: whether each seed has its own test text.

    Returns:
        For each classifier: mean accuracy, accuracy by seed, bytes, settings, and its lead over
        each rival with a paired bootstrap interval (Efron, 1979) over texts.
    """
    pooled = {
        name: pool([each.correct for each in runs], draws_test)
        for name, runs in classifiers.items()
    }
    summary: Summary = {}
    for name, runs in classifiers.items():
        by_seed = [float(np.mean(run.correct)) for run in runs]
        about = {key: value for key, value in runs[0].about.items() if key != "predicted"}
        summary[name] = {
            **about,
            "dev": float(np.mean([run.about.get("dev", 0) for run in runs])),
            "bytes": int(np.mean([run.about["bytes"] for run in runs])),
            "test": float(np.mean(by_seed)),
            "test_by_seed": by_seed,
            "test_texts": len(runs[0].correct),
        }
        if name.startswith("glovelite"):
            summary[name]["lead"] = {
                rival: bootstrap_lead(pooled[name], pooled[rival])
                for rival in RIVALS
                if rival in pooled
            }
    return summary


def pool(correct: list[list[bool]], draws_test: bool) -> np.ndarray:
    """Return each text's share of correct predictions over the seeds, float [texts]."""
    if draws_test:
        return np.concatenate([np.array(each, float) for each in correct])
    return np.mean(np.array(correct, float), axis=0)


def bootstrap_lead(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Return the difference in accuracy and its 95 % bootstrap interval, paired by text."""
    differences = ours - theirs
    random, count = np.random.default_rng(0), len(differences)
    means = [differences[random.integers(0, count, count)].mean() for _ in range(BOOTSTRAP_SAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}


def print_comparison(summary: dict[str, Summary]) -> None:
    """Print the summary as a Markdown table, a row for each dataset and preset."""
    header = ["set", "test texts", "glovelite", "device bytes", "float32", "dynamic"]
    header += ["fastText .ftz", "its bytes", "fastText .bin", "TF-IDF + LR", "majority"]
    header += [f"lead over {name.split()[-1]}" for name in RIVALS]
    rows = []
    for name, classifiers in summary.items():
        ours = [each for each in classifiers if each.startswith("glovelite")]
        for preset in dict.fromkeys(each.split()[1] for each in ours):
            rows.append([name, *_cells(classifiers, preset)])
    print_table(header, rows)


def _cells(classifiers: Summary, preset: str) -> list[str]:
    dynamic = classifiers[f"glovelite {preset} dynamic"]
    others = ("fastText .bin", RIVALS[1], "majority class")
    return [
        f"{dynamic['test_texts']:,} × {len(dynamic['test_by_seed'])}",
        f"`{preset}`",
        f"{dynamic['bytes']:,}",
        _percent(classifiers[f"glovelite {preset} float32"]),
        f"**{_percent(dynamic)}**",
        _percent(classifiers[RIVALS[0]]),
        f"{classifiers[RIVALS[0]]['bytes']:,}",
        *(_percent(classifiers[each]) for each in others),
        *(_describe_lead(dynamic["lead"][rival]) for rival in RIVALS),
    ]


def _percent(classifier: dict[str, Any]) -> str:
    return f"{classifier['test']:.2%}"


def _describe_lead(lead: dict[str, float]) -> str:
    """Describe a lead, its interval, and whether it may be chance."""
    text = f"{100 * lead['mean']:+.1f} ({100 * lead['low']:+.1f} to {100 * lead['high']:+.1f})"
    return text + (" chance" if lead["low"] <= 0 <= lead["high"] else "")


def plot(summary: dict[str, Summary], path: Path) -> None:
    """Plot accuracy against size, a panel for each dataset."""
    figure = Figure(figsize=(3.2 * len(summary), 3.4), layout="constrained")
    panels = figure.subplots(1, len(summary), squeeze=False)[0]
    for axes, (name, classifiers) in zip(panels, summary.items()):
        for classifier, each in classifiers.items():
            if not each["bytes"]:
                continue
            ours = classifier.startswith("glovelite")
            point = each["bytes"] / 1e6, 100 * each["test"]
            axes.plot(*point, "o" if ours else "s", color="#e6842a" if ours else "#8c6bb1")
            label = classifier.removeprefix("glovelite ")
            axes.annotate(label, point, (0, 5), textcoords="offset points", fontsize=6, ha="center")
        axes.set(title=name, xscale="log", xlabel="megabytes")
        axes.set_xlim(0.2, 2000)
        axes.margins(y=0.15)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy, %")
    figure.savefig(path, dpi=110)
