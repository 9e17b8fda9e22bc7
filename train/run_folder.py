"""Writes the run folder, the output of `train` for `convert` and for people.

| file                | content                                                             |
|---------------------|---------------------------------------------------------------------|
| `model.keras`       | plain Keras layers, which `convert` finds by name                   |
| `vocab.json`        | the device's vocabulary file                                        |
| `metrics.json`      | options, seed, versions, fingerprints of the data, history, scores  |
| `calibration.jsonl` | training texts, for conversions: fitting, the ranges of `int8`        |
| `ngrams.bin`        | where character n-grams are read: the device's file of their weights |
| `dev.jsonl`         | for choices: epoch, gates, thresholds                               |
| `test.jsonl`        | scored once; nothing is chosen on it; empty with cross-validation   |
| `out_of_fold.jsonl` | with cross-validation: texts with fold, probabilities, familiarity  |
| `label_errors.csv`  | on request: texts whose labels are probably wrong                   |
| `curves.png`        | loss, and accuracy or micro F1, by epoch                            |
| `confusion.png`     | confusion matrix of the test texts, or of the out-of-fold texts;    |
|                     | of multi-label text, how often labels are true and given together   |
| `training.npz`      | weights of the training model and hashes of the texts, for `--init`    |
| `scratch.json`, `.png` | the same model without GloVe, on request                         |
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

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glovelite.data import run_files
from glovelite.data.original_rows import OriginalRow, add_originals, find_rows
from glovelite.data.output_folder import atomic_folder, write_csv
from glovelite.evaluation.plots import draw_or_warn, drawable, plot_confusion
from glovelite.evaluation.scores import name_classes

from .data.corpus import Corpus
from .data.splitting.split import sample
from .fitting.final_model import FinalModel
from .fitting.initial_run import write_training
from .metrics import Metrics
from .options import FEW_DEV_TEXTS
from .preparation import PreparedData
from .trials.cross_validation import LabelErrors, OutOfFold
from .trials.from_scratch import KINDS, Trial
from .unfinished import History, find_metric

KIND_COLORS = dict(zip(KINDS, ("#e6842a", "#8c6bb1", "#74a9cf")))
TRAIN_COLOR, DEV_COLOR = "#8c6bb1", "#e6842a"
DECIMALS = 6  # of probabilities
CALIBRATION_TEXTS = 5_000  # for conversions: to fit reduced models, and for the ranges of int8
LABEL_ERROR_COLUMNS = (
    "rank",
    "source",
    "line",
    "text",
    "label",
    "suggested",
    "correct",  # for `--corrections`
    "label_probability",
    "suggested_probability",
)


def plot_curves(history: History, kept: int, title: str, path: Path) -> None:
    """Plot loss, and accuracy or micro F1, by epoch; the epoch `kept` counts from 1."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    why = describe_choice(history, kept)
    figure.suptitle(f"{drawable(title)}\nkept: epoch {kept}, {why}", parse_math=False)
    shown = dict([find_metric(history), ("loss", "loss")])
    for axes, name in zip(figure.subplots(1, 2), shown):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], "o-", color=TRAIN_COLOR, label="training")
        axes.plot(epochs, history[f"val_{name}"], "o-", color=DEV_COLOR, label="validation")
        axes.axvline(kept, color="grey", linestyle=":", label=f"epoch {kept}, kept")
        axes.set(xlabel="epoch", title=shown[name])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def describe_choice(history: History, kept: int) -> str:
    """Say why the weights of an epoch were kept."""
    losses = history["val_loss"]
    if losses[kept - 1] == min(losses):
        return "which has the lowest dev loss"
    return f"the last: fewer than {FEW_DEV_TEXTS} dev texts do not tell which one is best"


def plot_trials(trials: Sequence[Trial], title: str, path: Path) -> None:
    """Plot the gain of GloVe: by epoch on all the text, and by the amount of text.

    There is a trial of each kind at each size.
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
    sizes, values = zip(*((trial.texts, trial.headline[0]) for trial in trials))
    margins = None
    if trials[0].micro_f1 is None:
        below = [trial.accuracy - trial.interval[0] for trial in trials]
        above = [trial.interval[1] - trial.accuracy for trial in trials]
        margins = below, above
    axes.errorbar(sizes, values, margins, fmt="o-", color=color, capsize=3, label=kind)


def write_run(
    target: Path,
    overwrite: bool,
    data: PreparedData,
    final: FinalModel,
    metrics: Metrics,
    trials: Sequence[Trial],
    out_of_fold: OutOfFold | None,
) -> None:
    """Write a run folder and its plots atomically."""
    split, initial = data.split, None if data.initial is None else data.initial.texts
    with atomic_folder(target, overwrite) as folder:
        with _temporary_files_in(folder):  # Keras makes some, and a killed process leaves them
            final.model.save(folder / run_files.KERAS_FILE)
        (folder / run_files.VOCABULARY_FILE).write_text(data.vocabulary.to_json(), "utf-8")
        tokens = data.vocabulary.tokens
        if final.ngrams is not None:
            (folder / run_files.NGRAMS_FILE).write_bytes(final.ngrams.to_bytes())
        write_training(folder / run_files.TRAINING_FILE, final.weights, tokens, split, initial)
        calibration = sample(split.train, data.run.options.seed, CALIBRATION_TEXTS)
        for name, corpus in (
            (run_files.CALIBRATION_FILE, calibration),
            (run_files.DEV_FILE, split.dev),
            (run_files.TEST_FILE, split.test),
        ):
            run_files.write_labelled(folder / name, zip(corpus.texts, corpus.labels))
        if out_of_fold is not None:
            _write_out_of_fold(folder / run_files.OUT_OF_FOLD_FILE, out_of_fold)
            if out_of_fold.label_errors is not None:
                _write_label_errors(
                    folder / run_files.LABEL_ERRORS_FILE,
                    out_of_fold.corpus,
                    out_of_fold.label_errors,
                )
        if trials:
            _write_json(folder / run_files.SCRATCH_FILE, [asdict(trial) for trial in trials])
        _write_json(folder / run_files.METRICS_FILE, metrics.as_dict())
        for file, plot in _plots(metrics, trials).items():
            draw_or_warn(plot, folder / file)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let libraries make their temporary files in a folder."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _plots(metrics: Metrics, trials: Sequence[Trial]) -> dict[str, Callable[[Path], None]]:
    name = metrics.run.corpus.name
    scores, texts = metrics.scores.get("test"), "test texts"
    if scores is None and metrics.cross_validation is not None:
        scores, texts = metrics.cross_validation.out_of_fold, "texts, out of fold"
    plots: dict[str, Callable[[Path], None]] = {
        run_files.CURVES_PLOT: partial(plot_curves, metrics.history, metrics.best_epoch, name),
    }
    if scores is not None:
        plots[run_files.CONFUSION_PLOT] = partial(
            plot_confusion, scores, f"{scores.texts:,} {texts}"
        )
    if trials:
        plots[run_files.SCRATCH_PLOT] = partial(plot_trials, trials, name)
    return plots


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _write_out_of_fold(path: Path, out_of_fold: OutOfFold) -> None:
    corpus, familiarity = out_of_fold.corpus, out_of_fold.familiarity
    rows = zip(corpus.texts, corpus.labels, out_of_fold.folds, out_of_fold.probabilities)
    with path.open("w", encoding="utf-8") as file:
        for number, (text, label, fold, probabilities) in enumerate(rows):
            scores = [round(value, DECIMALS) for value in probabilities.tolist()]
            labelled = {"text": text, **run_files.label_fields(label)}
            record = {**labelled, "fold": int(fold) + 1, "scores": scores}
            if familiarity is not None:
                record["familiarity"] = round(float(familiarity[number]), DECIMALS)
            file.write(json.dumps(record) + "\n")


def _write_label_errors(path: Path, corpus: Corpus, errors: LabelErrors) -> None:
    rows = _label_error_rows(corpus, errors)
    originals = _find_originals(corpus, errors.rows.tolist())
    write_csv(path, *add_originals(LABEL_ERROR_COLUMNS, rows, originals))


def _find_originals(corpus: Corpus, rows: Sequence[int]) -> list[OriginalRow]:
    """Return the rows of the sources that texts were read from."""
    found: dict[tuple[int, int], OriginalRow] = {}
    for number, origin in enumerate(corpus.origins):
        wanted = [row for row in rows if corpus.origin_numbers[row] == number]
        texts = {int(corpus.lines[row]): corpus.texts[row] for row in wanted}
        for line, original in find_rows(origin.text_source, origin.files, texts).items():
            found[number, line] = original
    keys = ((int(corpus.origin_numbers[row]), int(corpus.lines[row])) for row in rows)
    return [found.get(key, OriginalRow()) for key in keys]


def _label_error_rows(corpus: Corpus, errors: LabelErrors) -> Iterator[Sequence[object]]:
    for index, row in enumerate(errors.rows):
        yield (
            index + 1,
            *corpus.place(row),
            corpus.texts[row],
            name_classes(corpus.targets[row], corpus.classes),
            name_classes(errors.suggested[index], corpus.classes),
            "",
            round(float(errors.given_probability[index]), DECIMALS),
            round(float(errors.suggested_probability[index]), DECIMALS),
        )
