"""Writes an evaluation as JSON, a picture, and all errors as CSV."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from glovelite.data.csv_files import write_csv
from glovelite.data.output_folder import atomic_folder
from glovelite.evaluation.plots import draw_or_warn, plot_evaluation

from .evaluation import Evaluation

EVALUATION_FILE, PLOT_FILE, ERRORS_FILE = "evaluation.json", "evaluation.png", "errors.csv"
EVALUATION_FILES = frozenset((EVALUATION_FILE, PLOT_FILE, ERRORS_FILE))
ERROR_COLUMNS = ("source", "line", "text", "label", "predicted", "probability", "abstained")
DECIMALS = 6  # of probabilities


def write_evaluation(target: Path, evaluation: Evaluation, overwrite: bool) -> None:
    """Write a folder with an evaluation, complete or not at all.

    Args:
        target: the folder to write.
        evaluation: its content.
        overwrite: replace an existing folder.

    Raises:
        OutputError: the folder cannot be written.
    """
    scores, bins = evaluation.scores, evaluation.calibration.bins
    title = (
        f"{Path(evaluation.bundle).name}, {scores.texts:,} texts of {Path(evaluation.data).name}"
    )
    rows = (
        (
            each.source,
            each.line,
            each.text,
            each.label,
            each.predicted,
            round(each.probability, DECIMALS),
            "yes" if each.abstained else "no",
        )
        for each in evaluation.errors
    )
    with atomic_folder(target, overwrite) as folder:
        content = json.dumps(evaluation.as_dict(), indent=1)
        (folder / EVALUATION_FILE).write_text(content + "\n", "utf-8")
        write_csv(folder / ERRORS_FILE, ERROR_COLUMNS, rows)
        plot = partial(plot_evaluation, scores, bins, title)
        draw_or_warn(plot, folder / PLOT_FILE)
