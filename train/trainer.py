"""Labelled text and GloVe in, a run folder out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from glovelite.data.labelled_text import TextSource
from glovelite.data.output_folder import reserve_output_folder
from glovelite.data.run_files import CURVES_PLOT, METRICS_FILE, OUT_OF_FOLD, RUN_FILES
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.logs import log_lines
from glovelite.runtime.native_logs import hide_native_logs

from .data.inputs import InputTexts, TextsAndLabels, read_sequences
from .data.sources import read_inputs
from .data.unlabelled import Scores, take_unlabelled
from .fitting.initial_run import read_initial_config, read_initial_run
from .metrics import (
    Metrics,
    describe_headline,
    describe_label_errors,
    describe_metrics,
    summarize_label_errors,
    summarize_metrics,
)
from .options import TrainingOptions, make_options
from .preparation import PreparedData, prepare
from .request import (
    DEFAULT_WEIGHT,
    TrainingRequest,
    UnlabelledTexts,
)
from .trials.cross_validation import OutOfFold, cross_validate, find_label_errors
from .trials.from_scratch import Trial, compare_with_scratch
from .unfinished import Checkpoint, UnfinishedRun, report_interruption

if TYPE_CHECKING:
    from .fitting.final_model import FinalModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A finished training run.

    Attributes:
        path: the run folder, for `convert`.
        metrics: the content of its `metrics.json`.
    """

    path: Path
    metrics: Metrics = field(repr=False)

    def __repr__(self) -> str:
        return f"<TrainingResult {self.path}: {describe_headline(self.metrics)}>"

    def __str__(self) -> str:
        """Describe the run in five lines; `metrics` has everything."""
        return "\n".join((f"run folder {self.path}", *summarize_metrics(self.metrics, self.path)))


def train_classifier(
    texts: Sequence[str],
    labels: Sequence[object],
    out: PathLike,
    options: TrainingOptions | str | None = None,
    *,
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
    folds: int = 0,
    find_label_errors: bool = False,
    min_texts: int = 0,
    corrections: PathLike | None = None,
    unlabelled: Sequence[str] | None = None,
    teacher: Sequence[Scores] | None = None,
    teacher_weight: float = DEFAULT_WEIGHT,
    teacher_temperature: float = 1.0,
    self_training: bool = False,
    vectors: PathLike | None = None,
    init: PathLike | None = None,
    compare_scratch: bool = False,
    overwrite: bool = False,
) -> TrainingResult:
    """Train a classifier on texts and labels in memory, such as the columns of a DataFrame.

    Killed and called again, it resumes after the last complete epoch.

    Args:
        texts: training texts, which dev and test texts are drawn from.
        labels: a label for each, converted to strings; for multi-label text a list, tuple or set of
            labels for each, or a DataFrame of 0 and 1 with a column for each label.
        out: the run folder to write.
        options: a preset's name, or what `make_options` returned; None takes those of `init`, or
            the preset `base`.
        dev: dev texts and labels; None draws a tenth of the texts.
        test: test texts and labels; None draws a tenth of the texts.
        groups: a group for each text, such as its author; a group stays in one part.
        times: a number or date for each text; the oldest are trained on, the newest are test text.
        folds: also cross-validate with this many folds; then no test text is drawn.
        find_label_errors: list the texts whose labels are probably wrong in `label_errors.csv` of
            the run folder; cross-validates, with 5 folds if none are given.
        min_texts: drop labels that have fewer distinct texts.
        corrections: `label_errors.csv` of an earlier run on the same texts, with the right labels
            in its column `correct`.
        unlabelled: further texts to train on, towards the scores of a teacher.
        teacher: a teacher's scores of each of them: label -> probability, or a label, or a list of
            labels; None with `self_training`.
        teacher_weight: weight of an unlabelled text in the loss; a labelled text has 1.
        teacher_temperature: above 1 makes the teacher less certain, below 1 more.
        self_training: let models of the labelled texts score the unlabelled ones; with `teacher`,
            the mean of both counts.
        vectors: name of known vectors, path of a file of vectors, or `"none"` to learn vectors of
            the texts; None takes those of `init`, or `glove.6B.100d`.
        init: folder of a finished run whose weights training starts from; labels may be new.
        compare_scratch: also train without GloVe, at several sizes, and plot the difference.
        overwrite: replace an existing run folder.

    Raises:
        DataError: the texts or labels cannot be used.
        OptionsError: the options are invalid.
        VectorsError: the vectors cannot be read.
        DownloadError: the vectors cannot be fetched.
        OutputError: the run folder exists or cannot be written.

    Example:
        >>> run = train_classifier(frame["text"], frame["label"], "runs/mine", "small")
        >>> run.metrics.scores["test"].accuracy
    """
    if options is None and init is not None:
        options = read_initial_config(init).options

    def name_if_given(given: object, name: str) -> str | None:
        return None if given is None else name

    source = TextSource(
        "texts",
        group_column=name_if_given(groups, "groups"),
        time_column=name_if_given(times, "times"),
    )
    scored = UnlabelledTexts(
        "unlabelled",
        name_if_given(teacher, "teacher"),
        teacher_weight,
        teacher_temperature,
        self_training=self_training,
    )
    request = TrainingRequest(
        (source,),
        out,
        name_if_given(dev, "dev"),
        name_if_given(test, "test"),
        vectors,
        compare_scratch=compare_scratch,
        overwrite=overwrite,
        folds=folds,
        init=init,
        min_texts=min_texts,
        find_label_errors=find_label_errors,
        unlabelled=None if unlabelled is None else scored,
        corrections=corrections,
    )

    def read() -> InputTexts:
        inputs = read_sequences(texts, labels, dev, test, groups, times, min_texts, corrections)
        if unlabelled is None:
            return inputs
        return replace(
            inputs, unlabelled=take_unlabelled(unlabelled, teacher, scored, inputs.train)
        )

    return _run(read, request, make_options(options))


def run_training(request: TrainingRequest, options: TrainingOptions) -> TrainingResult:
    """Train a classifier on files, folders or named corpora; see `train_classifier`.

    Raises:
        DataError: the text cannot be used.
        VectorsError: the vectors cannot be read.
        DownloadError: a package or file cannot be fetched.
        OutputError: the run folder exists or cannot be written.
    """

    def read() -> InputTexts:
        return read_inputs(
            request.sources,
            request.dev,
            request.test,
            request.skip_bad_rows,
            request.min_texts,
            request.unlabelled,
            request.corrections,
        )

    return _run(read, request, options)


def _run(
    read: Callable[[], InputTexts], request: TrainingRequest, options: TrainingOptions
) -> TrainingResult:
    out = Path(request.out)
    with reserve_output_folder(out, request.overwrite, METRICS_FILE, RUN_FILES) as target:
        return _run_in(target, read, request, options)


def _run_in(
    target: Path, read: Callable[[], InputTexts], request: TrainingRequest, options: TrainingOptions
) -> TrainingResult:
    """Train for a target that is reserved for this process."""
    with report_interruption(lambda: "before training started"):
        initial = None
        if request.init is not None:
            initial = read_initial_run(request.init)
            initial.check_options(options)
            request = replace(request, vectors=request.vectors or initial.config.vectors)
        data = prepare(read(), request, options, initial)
        if request.unlabelled is not None and request.unlabelled.self_training:
            data = _self_train(data, request.unlabelled)
    unfinished = UnfinishedRun(target, data.identify(), request.folds, request.compare_scratch)
    for reason in unfinished.describe_others():
        logger.info(f"starting from scratch: {reason}")
    with report_interruption(unfinished.describe_progress):
        return _train(data, request, target, unfinished)


def _self_train(data: PreparedData, source: UnlabelledTexts) -> PreparedData:
    """Label the unlabelled text by models of the labelled text."""
    with hide_native_logs():  # imported after the input was checked: it takes seconds
        from .fitting.self_training import label_unlabelled
    assert data.gold is not None  # there is unlabelled text
    given = data.split, data.gold, data.table, data.vocabulary, data.run.options
    return replace(data, split=label_unlabelled(*given, source))


def _train(
    data: PreparedData,
    request: TrainingRequest,
    target: Path,
    unfinished: UnfinishedRun,
) -> TrainingResult:
    """Fit, score and write the run folder, resuming from what a killed run left beside it."""
    with hide_native_logs():  # imported after the input was checked: it takes seconds
        from .fitting import fit as _  # noqa: F401
    common = data.vocabulary, data.vectors, data.run.options
    out_of_fold = None
    if data.folds is not None:
        out_of_fold = cross_validate(data.folds, *common, unfinished.fold_file)
        if request.find_label_errors:
            targets = out_of_fold.corpus.targets
            found = find_label_errors(out_of_fold.probabilities, targets)
            out_of_fold = replace(out_of_fold, label_errors=found)
    trials: Sequence[Trial] = ()
    if request.compare_scratch:
        trials = compare_with_scratch(data.split, *common, unfinished.trial_file)
    from .run_folder import write_run

    final, metrics = fit_prepared(data, unfinished.checkpoint, out_of_fold)
    write_run(target, request.overwrite, data, final, metrics, trials, out_of_fold)
    unfinished.remove()
    log_lines(logger, describe_metrics(metrics))
    if out_of_fold is not None and out_of_fold.label_errors is not None:
        logger.info(describe_label_errors(out_of_fold.label_errors, out_of_fold.corpus))
    out = Path(request.out)
    logger.info(f"run folder {out}: curves in {out / CURVES_PLOT}")
    return TrainingResult(out, metrics)


def fit_prepared(
    data: PreparedData,
    checkpoint: Checkpoint | None = None,
    out_of_fold: OutOfFold | None = None,
) -> tuple[FinalModel, Metrics]:
    """Fit the model that is kept and score it; without a checkpoint, nothing is written."""
    from .fitting.final_model import fit_final_model

    final = fit_final_model(
        data.split,
        data.table,
        data.vocabulary,
        data.run.options,
        checkpoint,
        None if out_of_fold is None else out_of_fold.calibration,
        None if data.initial is None else data.initial.weights,
    )
    source_scores = final.source_scores
    if out_of_fold is not None and out_of_fold.source_scores:
        source_scores = {**source_scores, OUT_OF_FOLD: out_of_fold.source_scores}
    metrics = Metrics(
        run=data.run,
        summary=final.summarize(),
        seconds=round(final.fitted.seconds, 1),
        history=final.fitted.history,
        best_epoch=final.fitted.best_epoch,
        scores=final.scores,
        source_scores=source_scores,
        calibration=final.calibration,
        cross_validation=None if out_of_fold is None else out_of_fold.summary,
        label_errors=None if out_of_fold is None else summarize_label_errors(out_of_fold),
        thresholds=dict(zip(data.vocabulary.labels, final.thresholds or ())),
    )
    return final, metrics
