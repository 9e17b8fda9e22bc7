"""Summarizes the predictions of several classifiers for the same texts: means, intervals, plot."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.reporting import print_table

BOOTSTRAP_SAMPLES = 10_000
PLOT_ROWS = 2
OUR_COLOR, RIVAL_COLOR = "#e6842a", "#8c6bb1"
MARKERS = {"fastText .ftz": "s", "fastText .bin": "D", "TF-IDF + LR": "^", "NB-SVM": "v"}
RIVALS = ("fastText .ftz", "TF-IDF + LR", "NB-SVM")
SUBWORDS, UNCORRECTED = "fastText subwords", "glovelite --no-spelling"
ON_MISSPELT = ("fastText .ftz", SUBWORDS, "TF-IDF + LR", "NB-SVM")  # rivals on misspelt text
#: File of test text -> its name in the table of misspelt text.
MISSPELT = {
    "test": "as written",
    "misspelt-10": "10 % misspelt",
    "misspelt-20": "20 % misspelt",
    "misspelt-natural": "natural",
}
BY_TEXT = ("predicted", "confidence")  # left out of a summary
Summary = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Predictions:
    """One classifier's predictions for one test set.

    Attributes:
        about: its `bytes`, `choice`, `dev` accuracy and `seconds`.
        correct: part of the test text -> whether each prediction is.
    """

    about: dict[str, Any]
    correct: dict[str, list[bool]]


def summarize(
    classifiers: dict[str, list[Predictions]],
    draws_test: bool,
    rivals: tuple[str, ...] = RIVALS,
) -> Summary:
    """Compare classifiers that predicted the same texts.

    Args:
        classifiers: predictions of each, one item per seed.
        draws_test: whether each seed has its own test text.
        rivals: the classifiers over which ours has a lead.

    Returns:
        For each classifier: mean accuracy, accuracy by seed, bytes, settings, and its lead over
        each rival with a paired bootstrap interval (Efron, 1979) over texts.
    """
    summary: Summary = {}
    for name, runs in classifiers.items():
        by_seed = [float(np.mean(run.correct["test"])) for run in runs]
        parts = dict.fromkeys(part for run in runs for part in run.correct)
        about = {key: value for key, value in runs[0].about.items() if key not in BY_TEXT}
        summary[name] = {
            **about,
            "dev": float(np.mean([run.about.get("dev", 0) for run in runs])),
            "bytes": int(np.mean([run.about["bytes"] for run in runs])),
            "test": float(np.mean(by_seed)),
            "test_by_seed": by_seed,
            "test_texts": len(runs[0].correct["test"]),
            "parts": {
                part: float(
                    np.mean([np.mean(r.correct[part]) for r in runs if r.correct.get(part)])
                )
                for part in parts
            },
            "part_texts": {part: len(runs[0].correct.get(part, ())) for part in parts},
        }
        for key in {"keras", "unknown_words"} & set(about):
            summary[name][key] = float(np.mean([run.about[key] for run in runs]))
        if "lost" in about:
            summary[name]["export"] = compare_with_keras(runs)
        if name.startswith("glovelite"):
            others = {rival: classifiers[rival] for rival in rivals if rival in classifiers}
            summary[name]["lead"] = find_leads(runs, others, "test", draws_test)
            if SUBWORDS in classifiers:
                others[SUBWORDS] = classifiers[SUBWORDS]
                summary[name]["misspelt_leads"] = {
                    part: find_leads(runs, others, part, draws_test)
                    for part in MISSPELT
                    if all(part in run.correct for run in runs)
                }
    return summary


def find_leads(
    ours: list[Predictions],
    rivals: dict[str, list[Predictions]],
    part: str,
    draws_test: bool,
) -> dict[str, dict[str, float]]:
    """Return the lead over each rival on a part of the test text, with its interval."""
    scores = pool([run.correct[part] for run in ours], draws_test)
    return {
        name: bootstrap_lead(scores, pool([run.correct[part] for run in runs], draws_test))
        for name, runs in rivals.items()
    }


def pool(correct: list[list[bool]], draws_test: bool) -> np.ndarray:
    """Return each text's share of correct predictions over the seeds, float [texts]."""
    if draws_test:
        return np.concatenate([np.array(of_seed, float) for of_seed in correct])
    return np.mean(np.array(correct, float), axis=0)


def compare_with_keras(runs: list[Predictions]) -> dict[str, float]:
    """Return the device's accuracy minus Keras's on the texts of all seeds.

    Its 95 % interval is the normal approximation for paired proportions (Agresti, 2013, 11.1).
    """
    lost, won = (sum(run.about[key] for run in runs) for key in ("lost", "won"))
    texts = sum(len(run.correct["test"]) for run in runs)
    mean = (won - lost) / texts
    deviation = np.sqrt((won + lost) / texts - mean**2) / np.sqrt(texts)
    return {
        "mean": mean,
        "low": float(mean - 1.96 * deviation),
        "high": float(mean + 1.96 * deviation),
    }


def bootstrap_lead(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Return the difference in accuracy and its 95 % bootstrap interval, paired by text."""
    differences = ours - theirs
    random, count = np.random.default_rng(0), len(differences)
    means = [differences[random.integers(0, count, count)].mean() for _ in range(BOOTSTRAP_SAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}


def print_comparison(summary: dict[str, Summary]) -> None:
    """Print the summary as a Markdown table, a row for each dataset and preset."""
    header = ["set", "test texts", "device bytes", "Keras", "glovelite", "glovelite − Keras"]
    header += ["fastText .ftz", "its bytes", "fastText .bin", "TF-IDF + LR", "NB-SVM", "majority"]
    header += [f"lead over {name}" for name in RIVALS]
    rows = [
        [name, *_cells(classifiers, ours)]
        for name, classifiers in summary.items()
        for ours in list_ours(classifiers)
    ]
    print_table(header, rows)


def list_ours(classifiers: Summary) -> list[str]:
    """Return the names of our classifiers, without the one whose words are not corrected."""
    return [name for name in classifiers if name.startswith("glovelite") and name != UNCORRECTED]


def print_unknown(summary: dict[str, Summary]) -> None:
    """Print how the classifiers do on words that training text lacks, as a Markdown table."""
    header = ["set", "unknown words", "whole split", "texts with a new word", *RIVALS]
    rows = []
    for name, classifiers in summary.items():
        for ours in list_ours(classifiers):
            scores = [classifiers[key]["parts"]["new words"] for key in (ours, *RIVALS)]
            unknown, whole = classifiers[ours]["unknown_words"], classifiers[ours]["parts"]["whole"]
            rows.append([name, f"{unknown:.2%}", f"{whole:.2%}", *_shares(scores)])
    print_table(header, rows)


def print_misspelt(summary: dict[str, Summary]) -> None:
    """Print the accuracy on misspelt text as a Markdown table, of the first of our classifiers."""
    header = [
        "set",
        "words",
        "glovelite",
        "--no-spelling",
        *ON_MISSPELT,
        "lead over the best rival",
    ]
    rows, scores = [], dict[str, list[list[float]]]()
    for name, classifiers in summary.items():
        ours = list_ours(classifiers)[0]
        for part, leads in classifiers[ours].get("misspelt_leads", {}).items():
            columns = (ours, UNCORRECTED, *ON_MISSPELT)
            found = [classifiers[column]["parts"][part] for column in columns]
            best = max(leads, key=lambda rival: classifiers[rival]["parts"][part])
            rows.append([name, MISSPELT[part], *_shares(found), describe_lead(leads[best])])
            scores.setdefault(part, []).append(found)
    for part, of_sets in scores.items():
        rows.append(["mean", MISSPELT[part], *_shares(np.mean(of_sets, axis=0)), ""])
    print_table(header, rows)


def _shares(values: Iterable[float]) -> list[str]:
    ours, *others = values
    return [f"**{ours:.1%}**", *(f"{value:.1%}" for value in others)]


def _cells(classifiers: Summary, name: str) -> list[str]:
    ours = classifiers[name]
    others = ("fastText .bin", "TF-IDF + LR", "NB-SVM", "majority class")
    return [
        f"{ours['test_texts']:,} × {len(ours['test_by_seed'])}",
        f"{ours['bytes']:,}",
        f"{ours['keras']:.2%}",
        f"**{_percent(ours)}**",
        describe_lead(ours["export"]) if "export" in ours else "",
        _percent(classifiers["fastText .ftz"]),
        f"{classifiers['fastText .ftz']['bytes']:,}",
        *(_percent(classifiers[name]) for name in others),
        *(describe_lead(ours["lead"][rival]) for rival in RIVALS),
    ]


def _percent(classifier: dict[str, Any]) -> str:
    return f"{classifier['test']:.2%}"


def describe_lead(lead: dict[str, float]) -> str:
    """Describe a lead, its interval, and whether it may be chance."""
    text = f"{100 * lead['mean']:+.1f} ({100 * lead['low']:+.1f} to {100 * lead['high']:+.1f})"
    return text + (" chance" if lead["low"] <= 0 <= lead["high"] else "")


def plot(summary: dict[str, Summary], path: Path) -> None:
    """Plot accuracy against size, a panel for each dataset and one legend."""
    columns = -(-len(summary) // PLOT_ROWS)
    figure = Figure(figsize=(3 * columns, 3 * PLOT_ROWS), layout="constrained")
    panels = iter(figure.subplots(PLOT_ROWS, columns, squeeze=False).flat)
    for (name, classifiers), axes in zip(summary.items(), panels):
        for classifier, result in classifiers.items():
            if result["bytes"] and classifier not in (UNCORRECTED, SUBWORDS):
                style = MARKERS.get(classifier, "o")
                color = OUR_COLOR if classifier.startswith("glovelite") else RIVAL_COLOR
                point = result["bytes"] / 1e6, 100 * result["test"]
                axes.plot(*point, style, color=color, markersize=8, label=classifier)
        axes.set(title=name, xscale="log", xlabel="megabytes", xlim=(0.03, 2000))
        axes.set_ylabel("test accuracy, %")
        axes.margins(y=0.15)
        axes.grid(alpha=0.3)
    for axes in panels:
        axes.set_axis_off()  # more panels than datasets
    handles = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    figure.savefig(path, dpi=110)
