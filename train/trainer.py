"""Labelled text and GloVe in, a run folder out."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runtime.aliases import Log, Longs, PathLike
from runtime.io.labelled_text import TextSource
from runtime.io.native_logs import hide_native_logs
from runtime.io.output_folder import check_output_folder
from runtime.io.run_files import METRICS_FILE, RUN_FILES
from runtime.text.vocabulary import Vocabulary

from .data.folds import Folds, draw_folds
from .data.sources import InputTexts, TextsAndLabels, read_inputs, read_sequences
from .data.split import Split, sample, split_inputs
from .fitting.calibration import OUT_OF_FOLD, calibrate
from .fitting.checkpoint import Checkpoint, hash_identity
from .fitting.cross_validation import OutOfFold, cross_validate
from .fitting.from_scratch import Trial, compare_with_scratch
from .fitting.identity import make_identity
from .fitting.metrics import predicted_classes, score, score_sources
from .interruption import UnfinishedRun, report_interruption
from .options import (
    DEFAULT_VECTORS,
    LENGTH_PERCENTILE,
    MIN_LSTM_TOKENS,
    TrainingOptions,
    make_options,
)
from .report import (
    describe_calibration,
    describe_corpus,
    describe_cross_validation,
    describe_scores,
    describe_source_scores,
    describe_table,
)
from .request import TrainingRequest
from .run_metrics import CorpusSummary, Metrics, RunDescription, SplitSummary
from .vectors.cache import WordVectors
from .vectors.embedding_table import EmbeddingTable, build_table, count_tokens
from .vectors.sources import open_vectors

if TYPE_CHECKING:
    import keras

CALIBRATION_TEXTS = 5_000
MAX_UNKNOWN_DIFFERENCE = 0.05  # of a probability, for texts of unknown words


@dataclass(frozen=True)
class TrainingResult:
    """A finished training run.

    Attributes:
        path: the run folder, for `convert`.
        metrics: the content of its `metrics.json`.
    """

    path: Path
    metrics: Metrics


@dataclass(frozen=True)
class PreparedData:
    """Everything that a model is fitted on.

    Attributes:
        split: training, dev and test text.
        vectors: GloVe.
        table: the vocabulary's vectors.
        vocabulary: tokens, labels and lengths.
        run: what the training run depends on; its options hold the chosen length.
        folds: for cross-validation, or None.
    """

    split: Split
    vectors: WordVectors
    table: EmbeddingTable
    vocabulary: Vocabulary
    run: RunDescription
    folds: Folds | None = None


def train_classifier(
    texts: Sequence[str],
    labels: Sequence[object],
    out: PathLike,
    options: TrainingOptions | str = "base",
    *,
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
    folds: int = 0,
    vectors: str = DEFAULT_VECTORS,
    compare_scratch: bool = False,
    overwrite: bool = False,
    log: Log = print,
) -> TrainingResult:
    """Train a classifier on texts and labels in memory, such as the columns of a DataFrame.

    Killed and called again, it resumes after the last complete epoch.

    Args:
        texts: the texts.
        labels: a label for each; converted to strings.
        out: the run folder to write.
        options: a preset's name, or what `make_options` returned.
        dev: dev texts and labels; None draws a tenth of the texts.
        test: test texts and labels; None draws a tenth of the texts.
        groups: a group for each text, such as its author; a group stays in one part.
        times: a number or date for each text; the oldest are trained on, the newest are test text.
        folds: also cross-validate with this many folds; then no test text is drawn.
        vectors: name of known vectors, or path of a text file of vectors.
        compare_scratch: also train without GloVe, at several sizes, and plot the difference.
        overwrite: replace an existing run folder.
        log: receives a line for every step.

    Returns:
        The run folder, for `convert.export_bundle`, and its metrics.

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
    chosen = make_options(options) if isinstance(options, str) else options
    request = TrainingRequest(
        (
            TextSource(
                "texts",
                group_column=None if groups is None else "groups",
                time_column=None if times is None else "times",
            ),
        ),
        Path(out),
        dev=None if dev is None else "dev",
        test=None if test is None else "test",
        vectors=vectors,
        compare_scratch=compare_scratch,
        overwrite=overwrite,
        folds=folds,
    )

    def read() -> InputTexts:
        return read_sequences(texts, labels, log, dev, test, groups, times)

    return _run(read, request, chosen, log)


def run_training(
    request: TrainingRequest, options: TrainingOptions, log: Log = print
) -> TrainingResult:
    """Train a classifier on files, folders or named corpora; see `train_classifier`.

    Args:
        request: what to train on and where to write.
        options: all other choices.
        log: receives a line for every step.

    Raises:
        DataError: the text cannot be used.
        VectorsError: the vectors cannot be read.
        DownloadError: a package or file cannot be fetched.
        OutputError: the run folder exists or cannot be written.
    """
    held_out = request.dev, request.test
    return _run(
        lambda: read_inputs(request.sources, log, *held_out, request.skip_bad_rows),
        request,
        options,
        log,
    )


def prepare(
    inputs: InputTexts, request: TrainingRequest, options: TrainingOptions, log: Log
) -> PreparedData:
    """Split the texts and choose the vocabulary, its vectors and the input length."""
    for line in describe_corpus(inputs.train):
        log(line)
    folds = draw_folds(inputs.train, request.folds, options.seed) if request.folds else None
    split = split_inputs(inputs, options.seed, log, draw_test=folds is None)
    vectors = open_vectors(request.vectors, log)
    counts, lengths = count_tokens(split.train.texts)
    table = build_table(counts, vectors, options)
    min_length = MIN_LSTM_TOKENS if options.architecture == "conv-lstm" else 1
    length = options.max_tokens or choose_length(lengths, options.max_detected_tokens)
    if inputs.dev is not None and not options.max_tokens:  # training texts may be shorter
        dev_lengths = count_tokens(split.dev.texts)[1]
        length = max(length, choose_length(dev_lengths, options.max_detected_tokens))
    options = replace(options, max_tokens=max(min_length, length))
    vocabulary = Vocabulary(
        table.tokens, split.train.classes, max(min_length, length), max(options.kernel_sizes)
    )
    for line in describe_table(table.coverage, vocabulary, vectors):
        log(line)
    counts_by_source = Counter[str]()
    for _, part in split:
        counts_by_source.update({name: len(rows) for name, rows in part.rows_by_source().items()})
    fingerprints = {name: part.fingerprint for name, part in split}
    if folds is not None:
        fingerprints["folds"] = folds.fingerprint
    corpus = CorpusSummary(
        name=", ".join(inputs.train.rows_by_source()),
        sources=dict(counts_by_source),
        texts=counts_by_source.total(),
        duplicates=inputs.train.duplicates,
        fingerprints=fingerprints,
    )
    summary = _summarize_split(inputs, request)
    run = RunDescription(options, vectors.name, _versions(), summary, corpus, table.coverage)
    return PreparedData(split, vectors, table, vocabulary, run, folds)


def _summarize_split(inputs: InputTexts, request: TrainingRequest) -> SplitSummary:
    groups = {source.group_column: None for source in request.sources if source.group_column}
    times = {source.time_column: None for source in request.sources if source.time_column}
    drawn = request.folds or inputs.dev is None or inputs.test is None
    if drawn or inputs.without_dev or inputs.without_test:
        by = "group" if groups else "time" if times else "random"
    else:
        by = "given"
    return SplitSummary(by, ", ".join((*groups, *times)) or None, request.folds)


def choose_length(lengths: Longs, maximum: int) -> int:
    """Return how many tokens cover 95 % of the texts, from 1 to `maximum`."""
    longest = int(np.percentile(lengths, LENGTH_PERCENTILE, method="higher"))
    return max(1, min(maximum, longest))


def _run(
    read: Callable[[], InputTexts], request: TrainingRequest, options: TrainingOptions, log: Log
) -> TrainingResult:
    target = check_output_folder(request.out, request.overwrite, METRICS_FILE, RUN_FILES)
    with report_interruption(lambda: "before training started", log):
        data = prepare(read(), request, options, log)
    table_hash = hashlib.sha256(data.table.vectors.tobytes()).hexdigest()
    hashes = {
        "vocabulary": hash_identity(data.vocabulary.to_json()),
        "table": hash_identity(table_hash, data.table.learned),
    }
    identity = make_identity({**data.run.as_dict(), **hashes})
    unfinished = UnfinishedRun(target, identity, request.folds, request.compare_scratch)
    for reason in unfinished.describe_others():
        log(f"starting from scratch: {reason}")
    with report_interruption(unfinished.describe_progress, log):
        return _train(data, request, target, unfinished, log)


def _train(
    data: PreparedData, request: TrainingRequest, target: Path, unfinished: UnfinishedRun, log: Log
) -> TrainingResult:
    """Fit, score and write the run folder, resuming from what a killed run left beside it."""
    with hide_native_logs():  # imported after the input was checked: it takes seconds
        from .fitting import fit as _  # noqa: F401
    common = data.vocabulary, data.vectors, data.run.options
    out_of_fold = None
    if data.folds is not None:
        out_of_fold = cross_validate(data.folds, *common, unfinished.fold_file, log)
    trials: Sequence[Trial] = ()
    if request.compare_scratch:
        trials = compare_with_scratch(data.split, *common, unfinished.trial_file, log)
    metrics = _fit_and_write(
        data, target, request.overwrite, unfinished.checkpoint, trials, out_of_fold, log
    )
    unfinished.remove()
    log(f"run folder {request.out}: curves in {request.out / 'curves.png'}")
    return TrainingResult(request.out, metrics)


def _fit_and_write(
    data: PreparedData,
    target: Path,
    overwrite: bool,
    checkpoint: Checkpoint,
    trials: Sequence[Trial],
    out_of_fold: OutOfFold | None,
    log: Log,
) -> Metrics:
    from .data.batches import encode_corpus, encode_split
    from .fitting.fit import fit, run_model
    from .fitting.unknown_word import class_frequencies, fit_unknown_word
    from .model.build import plain_model
    from .run_folder import write_run

    split, vocabulary, options = data.split, data.vocabulary, data.run.options
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in split if len(part))
    log(f"fitting {options.architecture} on {sizes} texts of up to {vocabulary.max_tokens} tokens")
    train, dev, test = encode_split(split, vocabulary, options.architecture)
    held_out, classes = {"dev": dev, "test": test}, len(vocabulary.labels)
    held_out = {name: part for name, part in held_out.items() if len(part)}
    fitted = fit(data.table, train, dev, classes, options, log, checkpoint)
    logits = {name: run_model(fitted.model, part) for name, part in held_out.items()}
    targets = {name: part.targets for name, part in held_out.items()}
    calibration = calibrate(logits, targets, out_of_fold.calibration if out_of_fold else None)
    model = plain_model(fitted.model, options, calibration.temperature)
    if options.unknown_texts:
        difference = fit_unknown_word(model, class_frequencies(train, options), train)
        if difference > MAX_UNKNOWN_DIFFERENCE:
            log(
                f"warning: a text of unknown words gets probabilities up to {difference:.2f} from "
                "the frequencies of the classes in training"
            )
    predicted = {name: predicted_classes(run_model(model, part)) for name, part in held_out.items()}
    scores = {name: score(targets[name], predicted[name], vocabulary.labels) for name in held_out}
    if split.seen_test is not None:
        seen = encode_corpus(split.seen_test, vocabulary, train.fixed_length)
        scores["test_with_seen"] = score(
            np.concatenate([targets["test"], seen.targets]),
            np.concatenate([predicted["test"], predicted_classes(run_model(model, seen))]),
            vocabulary.labels,
        )
    source_rows = {name: part.rows_by_source() for name, part in split if name in held_out}
    source_scores = {
        name: score_sources(targets[name], predicted[name], rows)
        for name, rows in source_rows.items()
        if len(rows) > 1
    }
    if out_of_fold is not None and out_of_fold.source_scores:
        source_scores[OUT_OF_FOLD] = out_of_fold.source_scores
    metrics = Metrics(
        run=data.run,
        summary=_summarize(model),
        seconds=round(fitted.seconds, 1),
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        scores=scores,
        source_scores=source_scores,
        calibration=calibration,
        cross_validation=out_of_fold.summary if out_of_fold else None,
    )
    write_run(
        target,
        overwrite=overwrite,
        model=model,
        vocabulary=vocabulary,
        calibration=sample(split.train, options.seed, CALIBRATION_TEXTS),
        split=split,
        metrics=metrics,
        trials=trials,
        out_of_fold=out_of_fold,
        log=log,
    )
    folds = describe_cross_validation(out_of_fold.summary) if out_of_fold else ()
    described = (*folds, *describe_scores(scores), *describe_source_scores(source_scores))
    for line in (*described, describe_calibration(calibration)):
        log(line)
    return metrics


def _summarize(model: keras.Model) -> tuple[str, ...]:
    """Return Keras's summary of a model, as lines."""
    lines: list[str] = []
    model.summary(line_length=80, print_fn=lambda text, **_: lines.extend(text.splitlines()))
    return tuple(lines)


def _versions() -> dict[str, str]:
    names = ("glovelite", "tensorflow", "keras", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
