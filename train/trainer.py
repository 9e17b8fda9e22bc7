"""Labelled text and GloVe in, a run folder out."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from runtime.io.labelled_text import Source
from runtime.io.native_logs import hide_native_logs
from runtime.io.output_folder import atomic_folder, check_output_folder
from runtime.io.packages import Say
from runtime.io.run_files import FORMAT, RUN_FILES
from runtime.vocabulary import Vocabulary

from .data.corpus import Corpus, Longs
from .data.sources import NAMED, read_corpora
from .data.split import Split, sample, split_corpora
from .fitting.checkpoint import Checkpoint, identify
from .fitting.from_scratch import Trial, TrialFile, compare_scratch
from .fitting.metrics import classify, score
from .options import LENGTH_PERCENTILE, LSTM_LEAST_TOKENS, Settings
from .report import (
    describe_calibration,
    describe_corpus,
    describe_fit,
    describe_scores,
    describe_table,
)
from .vectors.cache import Glove
from .vectors.embedding_table import Table, build_table, count_tokens
from .vectors.sources import open_glove

CALIBRATION_TEXTS = 500


@dataclass(frozen=True)
class Request:
    """What a user asks of a training, beside its settings.

    Attributes:
        source: the training text.
        target: the run folder to write.
        dev: dev text given apart, or None to draw it.
        test: test text given apart, or None to draw it.
        glove: vectors known by name, or the path of a text file of vectors.
        skip_bad_rows: leave rows that cannot be used out, and say so.
        compare_scratch: train without GloVe too, at several sizes, and draw the difference.
        overwrite: replace a run folder that is there.
    """

    source: Source
    target: Path
    dev: str | None = None
    test: str | None = None
    glove: str = "glove.6B.100d"
    skip_bad_rows: bool = False
    compare_scratch: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Place:
    """Where a run goes.

    Attributes:
        target: the run folder, resolved.
        overwrite: whether it may replace one.
    """

    target: Path
    overwrite: bool


@dataclass(frozen=True)
class Prepared:
    """Everything a model is fitted on.

    Attributes:
        split: the three texts.
        glove: the word vectors.
        table: the vocabulary's vectors.
        vocabulary: tokens, labels and lengths.
        settings: every choice, the length among them.
        metrics: what `metrics.json` can say before the fit.
    """

    split: Split
    glove: Glove
    table: Table
    vocabulary: Vocabulary
    settings: Settings
    metrics: dict[str, Any]


def train_classifier(request: Request, settings: Settings, say: Say = print) -> dict[str, Any]:
    """Train a classifier and write its run folder.

    Killed and asked again, it goes on after the last whole epoch.

    Args:
        request: what to train on and where to write.
        settings: every choice.
        say: called with a line for every step.

    Returns:
        The content of `metrics.json`.

    Raises:
        DataError: the text cannot be trained on.
        GloveError: the vectors cannot be read.
        DownloadError: a package or file cannot be fetched.
        OutputError: the run folder is in the way or cannot be written.
    """
    target = check_output_folder(request.target, request.overwrite, "metrics.json", RUN_FILES)
    prepared = prepare(request, settings, say)
    with hide_native_logs():  # TensorFlow takes seconds to import: bad input is told before
        from .fitting import fit as _  # noqa: F401
    vectors = hashlib.sha256(prepared.table.vectors.tobytes()).hexdigest()
    learned = prepared.table.learned
    identity = identify(prepared.metrics, prepared.vocabulary.to_json(), vectors, learned)
    beside = target.parent / f".{target.name}"
    checkpoint = Checkpoint(beside.with_name(beside.name + ".training"), identity)
    kept = TrialFile(beside.with_name(beside.name + ".scratch"), identity)
    trials: Sequence[Trial] = ()
    if request.compare_scratch:
        split, vocabulary = prepared.split, prepared.vocabulary
        trials = compare_scratch(split, vocabulary, prepared.glove, prepared.settings, kept, say)
    place = Place(target, request.overwrite)
    metrics = _fit_and_write(prepared, place, checkpoint, trials, say)
    checkpoint.remove()
    kept.path.unlink(missing_ok=True)
    say(f"run folder {request.target}: curves in {request.target / 'curves.png'}")
    return metrics


def choose_length(lengths: Longs, most: int) -> int:
    """Choose how many tokens of a text to look at: enough for 95 % of them, within limits."""
    longest = int(np.percentile(lengths, LENGTH_PERCENTILE, method="higher"))
    return max(1, min(most, longest))


def prepare(request: Request, settings: Settings, say: Say) -> Prepared:
    """Read and part the text and find its vocabulary and vectors; raises as `train_classifier`."""
    corpora = read_corpora(request.source, say, request.dev, request.test, request.skip_bad_rows)
    for line in describe_corpus(corpora.train):
        say(line)
    split = split_corpora(corpora, settings.seed)
    glove = open_glove(request.glove, say)
    counts, lengths = count_tokens(split.train.texts)
    table = build_table(counts, glove, settings)
    least = LSTM_LEAST_TOKENS if settings.architecture == "conv-lstm" else 1
    length = max(least, settings.max_tokens or choose_length(lengths, settings.longest))
    if request.dev and not settings.max_tokens:  # training text may be of shorter pieces
        lengths = count_tokens(split.dev.texts)[1]
        length = max(length, choose_length(lengths, settings.longest))
    settings = replace(settings, max_tokens=length)
    taps = max(settings.kernel_sizes)
    vocabulary = Vocabulary(table.tokens, split.train.classes, length, taps)
    for line in describe_table(table.coverage, vocabulary, glove):
        say(line)
    metrics = {
        "format": FORMAT,
        "configuration": {**asdict(settings), "glove": glove.name},
        "versions": _versions(),
        "corpus": {
            "name": _short_name(request.source.path),
            "texts": sum(len(part) for part in vars(split).values()),
            "repeated": corpora.train.repeated,
            "fingerprints": {name: part.fingerprint for name, part in vars(split).items()},
        },
        "coverage": asdict(table.coverage),
    }
    return Prepared(split, glove, table, vocabulary, settings, metrics)


def _fit_and_write(
    prepared: Prepared, place: Place, checkpoint: Checkpoint, trials: Sequence[Trial], say: Say
) -> dict[str, Any]:
    from .data.batches import encode_split
    from .fitting.calibration import calibrate
    from .fitting.fit import fit, run_model
    from .model.build import plain_model
    from .run_folder import write_run

    split, vocabulary, settings = prepared.split, prepared.vocabulary, prepared.settings
    say(describe_fit(settings.architecture, split, vocabulary))
    train, dev, test = encode_split(split, vocabulary, settings.architecture)
    parts, classes = {"dev": dev, "test": test}, len(vocabulary.labels)
    fitted = fit(prepared.table, train, dev, classes, settings, say, checkpoint)
    logits = {name: run_model(fitted.model, part) for name, part in parts.items()}
    targets = {name: part.targets for name, part in parts.items()}
    calibration = calibrate(logits, targets)
    model = plain_model(fitted.model, settings, calibration.temperature)
    scores = {  # what is scored is what is kept
        name: score(part.targets, classify(run_model(model, part)), vocabulary.labels)
        for name, part in parts.items()
    }
    metrics = {
        **prepared.metrics,
        "summary": _summarize(model),
        "seconds": round(fitted.seconds, 1),
        "history": fitted.history,
        "scores": {name: asdict(each) for name, each in scores.items()},
        "calibration": asdict(calibration),
    }
    ranges: Corpus = sample(split.train, settings.seed, CALIBRATION_TEXTS)
    texts = {"calibration": ranges, "dev": split.dev, "test": split.test}
    with atomic_folder(place.target, place.overwrite) as folder:
        write_run(folder, model, vocabulary, texts, metrics, scores["test"], trials, say)
    for line in (*describe_scores(scores["test"]), describe_calibration(calibration)):
        say(line)
    return metrics


def _short_name(source: str) -> str:
    """Name a source without the path to it, which is nobody else's business."""
    return source if source in NAMED else Path(source).name or "standard input"


def _summarize(model: Any) -> list[str]:
    """Give Keras's own summary of a model, as lines."""
    lines: list[str] = []
    model.summary(line_length=80, print_fn=lambda text, **_: lines.extend(text.splitlines()))
    return lines


def _versions() -> dict[str, str]:
    names = ("glovelite", "tensorflow", "keras", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
