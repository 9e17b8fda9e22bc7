"""Writes the run folder, the output of `train` for `convert` and for people.

| file                | content                                                             |
|---------------------|---------------------------------------------------------------------|
| `model.keras`       | plain Keras layers, which `convert` finds by name                   |
| `vocab.json`        | the device's vocabulary file                                        |
| `metrics.json`      | options, seed, versions, fingerprints of the data, history, scores  |
| `calibration.jsonl` | training texts, for conversions: fitting, the ranges of `int8`        |
| `dev.jsonl`         | for choices: epoch, gates, thresholds                               |
| `test.jsonl`        | scored once; nothing is chosen on it; empty with cross-validation   |
| `out_of_fold.jsonl` | with cross-validation: texts with fold and probabilities            |
| `label_errors.csv`  | on request: texts whose labels are probably wrong                   |
| `curves.png`        | loss, and accuracy or micro F1, by epoch                            |
| `confusion.png`     | confusion matrix of the test texts, or of the out-of-fold texts;    |
|                     | of multi-label text, how often labels are true and given together   |
| `training.npz`      | weights of the training model and hashes of the texts, for `--init`    |
| `scratch.json`, `.png` | the same model without GloVe, on request                         |
| `trials.csv`, `.png` | the trials of a search for options, on request                      |
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras

from glovelite.data.csv_files import write_csv
from glovelite.data.output_folder import atomic_folder
from glovelite.data.run_files import (
    CALIBRATION_FILE,
    CONFUSION_PLOT,
    CURVES_PLOT,
    DEV_FILE,
    KERAS_FILE,
    LABEL_ERRORS_FILE,
    METRICS_FILE,
    OUT_OF_FOLD_FILE,
    SCRATCH_FILE,
    SCRATCH_PLOT,
    TEST_FILE,
    TRAINING_FILE,
    TUNING_FILE,
    TUNING_PLOT,
    VOCABULARY_FILE,
)
from glovelite.evaluation.plots import draw_or_warn, plot_confusion
from glovelite.evaluation.scores import name_classes
from glovelite.runtime.text.vocabulary import Vocabulary

from .data.corpus import Corpus
from .data.splitting.initial_texts import InitialTexts
from .data.splitting.split import Split
from .fitting.initial_run import TrainingWeights, write_training
from .plots import plot_curves, plot_trials
from .run_metrics import Metrics
from .trials.cross_validation import OutOfFold
from .trials.from_scratch import Trial
from .trials.label_errors import LabelErrors
from .tuning.plot import plot_search
from .tuning.records import Tuned, write_trials

DECIMALS = 6  # of probabilities
LABEL_ERROR_COLUMNS = (
    "rank",
    "source",
    "line",
    "text",
    "label",
    "suggested",
    "label_probability",
    "suggested_probability",
)


def write_run(
    target: Path,
    *,
    overwrite: bool,
    model: keras.Model,
    weights: TrainingWeights,
    vocabulary: Vocabulary,
    calibration: Corpus,
    split: Split,
    initial: InitialTexts | None,
    metrics: Metrics,
    trials: Sequence[Trial],
    out_of_fold: OutOfFold | None,
    tuned: Tuned | None,
) -> None:
    """Write a run folder atomically.

    Args:
        target: the folder to write.
        overwrite: replace an existing one.
        model: plain Keras layers, ids to probabilities.
        weights: of the training model that it was made from.
        vocabulary: tokens, labels and lengths.
        calibration: training texts for conversions: to fit reduced models and for the ranges of
            `int8`.
        split: its dev and test texts are written, and hashes of all.
        initial: the texts of the run that training started from, or None.
        metrics: the content of `metrics.json`; its history is plotted.
        trials: runs with and without GloVe, written and plotted if there are any.
        out_of_fold: texts with their probabilities from cross-validation, or None.
        tuned: the search that chose the options, or None.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_folder(target, overwrite) as folder:
        with _temporary_files_in(folder):  # Keras makes some, and a killed process leaves them
            model.save(folder / KERAS_FILE)
        (folder / VOCABULARY_FILE).write_text(vocabulary.to_json(), "utf-8")
        tokens = vocabulary.tokens
        write_training(folder / TRAINING_FILE, weights, tokens, split, initial)
        _write_texts(folder / CALIBRATION_FILE, calibration)
        _write_texts(folder / DEV_FILE, split.dev)
        _write_texts(folder / TEST_FILE, split.test)
        if out_of_fold is not None:
            _write_out_of_fold(folder / OUT_OF_FOLD_FILE, out_of_fold)
            if out_of_fold.label_errors is not None:
                write_csv(
                    folder / LABEL_ERRORS_FILE,
                    LABEL_ERROR_COLUMNS,
                    _label_error_rows(out_of_fold, out_of_fold.label_errors),
                )
        if trials:
            _write_json(folder / SCRATCH_FILE, [asdict(trial) for trial in trials])
        if tuned is not None:
            write_trials(folder / TUNING_FILE, tuned.trials)
        _write_json(folder / METRICS_FILE, metrics.as_dict())
        for file, plot in _plots(metrics, trials, tuned).items():
            draw_or_warn(plot, folder / file)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let libraries make their temporary files in a folder."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _plots(
    metrics: Metrics, trials: Sequence[Trial], tuned: Tuned | None
) -> dict[str, Callable[[Path], None]]:
    name = metrics.run.corpus.name
    scores, texts = metrics.scores.get("test"), "test texts"
    if scores is None and metrics.cross_validation is not None:
        scores, texts = metrics.cross_validation.out_of_fold, "texts, out of fold"
    plots: dict[str, Callable[[Path], None]] = {
        CURVES_PLOT: partial(plot_curves, metrics.history, metrics.best_epoch, name),
    }
    if scores is not None:
        plots[CONFUSION_PLOT] = partial(plot_confusion, scores, f"{scores.texts:,} {texts}")
    if trials:
        plots[SCRATCH_PLOT] = partial(plot_trials, trials, name)
    if tuned is not None:
        plots[TUNING_PLOT] = partial(plot_search, tuned, name)
    return plots


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _write_texts(path: Path, corpus: Corpus) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, label in zip(corpus.texts, corpus.labels):
            file.write(json.dumps({"text": text, **_labelled(label)}) + "\n")


def _labelled(label: Sequence[str]) -> dict[str, Any]:
    """Return a record's label, or its labels as a list, from what `Corpus.labels` holds."""
    return {"label": label} if isinstance(label, str) else {"labels": list(label)}


def _write_out_of_fold(path: Path, out_of_fold: OutOfFold) -> None:
    corpus = out_of_fold.corpus
    rows = zip(corpus.texts, corpus.labels, out_of_fold.folds, out_of_fold.probabilities)
    with path.open("w", encoding="utf-8") as file:
        for text, label, fold, probabilities in rows:
            scores = [round(value, DECIMALS) for value in probabilities.tolist()]
            record = {"text": text, **_labelled(label), "fold": int(fold) + 1, "scores": scores}
            file.write(json.dumps(record) + "\n")


def _label_error_rows(out_of_fold: OutOfFold, errors: LabelErrors) -> Iterator[Sequence[object]]:
    corpus = out_of_fold.corpus
    for index, row in enumerate(errors.rows):
        yield (
            index + 1,
            *corpus.place(row),
            corpus.texts[row],
            name_classes(corpus.targets[row], corpus.classes),
            name_classes(errors.suggested[index], corpus.classes),
            round(float(errors.given_probability[index]), DECIMALS),
            round(float(errors.suggested_probability[index]), DECIMALS),
        )
