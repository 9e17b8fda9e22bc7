"""Prepares labelled text for training: the split, the vocabulary, its vectors, the input length."""

from __future__ import annotations

import hashlib
import logging
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from glovelite.data.corpus_folder import read_counts
from glovelite.data.labels import shorten_list
from glovelite.runtime.aliases import Longs
from glovelite.runtime.errors import OptionsError
from glovelite.runtime.logs import log_lines
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary

from .data.build_corpus import describe_corpus
from .data.corpus import Corpus
from .data.inputs import InputTexts
from .data.splitting.folds import Folds, draw_folds
from .data.splitting.initial_texts import add_labels
from .data.splitting.split import Split, split_inputs
from .data.unlabelled import SOURCE as UNLABELLED_SOURCE
from .data.unlabelled import add_unlabelled
from .fitting.initial_run import InitialRun
from .options import (
    DEFAULT_VECTORS,
    LENGTH_PERCENTILE,
    MIN_LSTM_TOKENS,
    NO_VECTORS,
    TrainingOptions,
)
from .request import TrainingRequest
from .run_description import CorpusSummary, RunDescription, SplitSummary, TeacherSummary
from .unfinished import Identity, hash_identity, make_identity
from .vectors.cache import WordVectors
from .vectors.embedding_table import (
    MIN_COVERAGE,
    EmbeddingTable,
    build_table,
    check_coverage,
    count_tokens,
    describe_table,
    measure_familiarity,
)
from .vectors.pieces import learn_pieces
from .vectors.sources import open_vectors
from .vectors.text_vectors import learn_vectors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedData:
    """Everything that a model is fitted on.

    Attributes:
        split: training, dev and test text.
        table: the vocabulary's vectors.
        run: what the training run depends on; its options hold the chosen length.
        folds: for cross-validation, or None.
        initial: the run that training starts from, or None.
        gold: training text with labels of its own, without a teacher's; None if all of it has some.
        unlabelled: further training text with a teacher's labels, or None; those of self-training
            are only in `split`.
    """

    split: Split
    vectors: WordVectors
    table: EmbeddingTable
    vocabulary: Vocabulary
    run: RunDescription
    folds: Folds | None = None
    initial: InitialRun | None = None
    gold: Corpus | None = None
    unlabelled: Corpus | None = None

    def identify(self) -> Identity:
        """Return everything that the run depends on, with hashes of vocabulary and vectors."""
        table_hash = hashlib.sha256(self.table.vectors.tobytes()).hexdigest()
        hashes = {
            "vocabulary": hash_identity(self.vocabulary.to_json()),
            "table": hash_identity(table_hash, self.table.learned),
        }
        return make_identity({**self.run.as_dict(), **hashes})


def prepare(
    inputs: InputTexts,
    request: TrainingRequest,
    options: TrainingOptions,
    initial: InitialRun | None = None,
) -> PreparedData:
    """Split the texts and choose the vocabulary, its vectors and the input length."""
    if initial is not None:
        known = initial.vocabulary
        labels = add_labels(inputs.train, known.labels, known.multi_label, str(initial.path))
        inputs = inputs.with_classes(labels)  # the initial weights are in that order
    log_lines(logger, describe_corpus(inputs.train))
    folds = draw_folds(inputs.train, request.folds, options.seed) if request.folds else None
    known_texts = None if initial is None else initial.texts
    split = split_inputs(inputs, options.seed, request.draw_test and folds is None, known_texts)
    gold = None
    if inputs.unlabelled is not None:
        gold = split.train
        split, lines = add_unlabelled(split, inputs.unlabelled)
        log_lines(logger, lines)
        if folds is not None:
            splits = (add_unlabelled(fold, inputs.unlabelled)[0] for fold in folds.splits)
            folds = replace(folds, splits=tuple(splits))
    words = _choose_words(split.train, request, options, initial)
    vectors, table, options = words.vectors, words.table, words.options
    length = options.max_tokens
    if not length:
        length = choose_length(words.lengths, options.max_detected_tokens)
        if inputs.dev is not None:  # training texts may be shorter
            dev_lengths = count_tokens(split.dev.texts, words.tokenizer)[1]
            length = max(length, choose_length(dev_lengths, options.max_detected_tokens))
        if initial is not None:
            length = max(length, initial.vocabulary.max_tokens)
    if not options.max_pooled:
        length = max(MIN_LSTM_TOKENS, length)
    vocabulary = Vocabulary(
        table.tokens,
        split.train.classes,
        length,
        max(options.kernel_sizes),
        familiarity=None
        if vectors.source == NO_VECTORS  # which know no frequencies in general text
        else measure_familiarity(table.tokens, words.counts, vectors),
        multi_label=split.train.multi_label,
        tokenizer=words.tokenizer,
    )
    log_lines(logger, describe_table(table.coverage, vocabulary, vectors))
    check_coverage(table.coverage, vectors.name)
    if initial is not None:
        log_lines(logger, _describe_start(initial, table, vocabulary))
    run = RunDescription(
        replace(options, max_tokens=length),
        vectors.source,
        vectors.name,
        vectors.sha256,
        _versions(),
        _summarize_split(inputs, request),
        _summarize_corpus(inputs, split, folds),
        table.coverage,
        inputs.text,
        None if initial is None else initial.summary,
        _summarize_teacher(split, request),
        inputs.corrections,
    )
    return PreparedData(
        split, vectors, table, vocabulary, run, folds, initial, gold, inputs.unlabelled
    )


@dataclass(frozen=True)
class _Words:
    """The words of training text, or pieces of them, and their vectors.

    Attributes:
        counts: how often each token occurs.
        lengths: tokens of each text.
        table: the vectors of the vocabulary.
        options: those that suit the vectors.
        tokenizer: what splits text into these tokens.
    """

    counts: Counter[str]
    lengths: Longs
    vectors: WordVectors
    table: EmbeddingTable
    options: TrainingOptions
    tokenizer: Tokenizer


def _choose_words(
    train: Corpus,
    request: TrainingRequest,
    options: TrainingOptions,
    initial: InitialRun | None,
) -> _Words:
    """Choose word vectors and the tokens of the vocabulary.

    The default vectors are English: text of which they cover next to nothing is trained without.
    """
    if request.vectors != NO_VECTORS:
        vectors = open_vectors(str(request.vectors or DEFAULT_VECTORS))
        counts, lengths = _count_tokens(train, request, options)
        with_vectors = replace(options, ngrams=bool(options.ngrams))
        table = _build_table(counts, vectors, with_vectors, initial)
        if request.vectors is not None or table.coverage.running_words >= MIN_COVERAGE:
            return _Words(counts, lengths, vectors, table, with_vectors, options.tokenizer)
        logger.warning(
            f"{vectors.name} covers {table.coverage.running_words:.1%} of the training tokens: "
            "training without word vectors (--vectors none); those of the text's language may be "
            "better, such as --vectors fr for French"
        )
    _check_without_vectors(request)
    return _learn_words(train, request, options)


def _learn_words(train: Corpus, request: TrainingRequest, options: TrainingOptions) -> _Words:
    """Learn pieces of words and their vectors from training text."""
    options = replace(options, ngrams=options.ngrams is not False, extra_words=False)
    tokenizer = options.tokenizer
    if count := min(options.pieces, options.max_words - len(SPECIAL_TOKENS)):
        logger.info("learning pieces of words and their vectors from the training text")
        tokenizer = learn_pieces(train.texts, tokenizer, count)
        counts, lengths = count_tokens(train.texts, tokenizer)
    else:
        logger.info("learning word vectors from the training text")
        counts, lengths = _count_tokens(train, request, options)
    vectors = learn_vectors(train.texts, counts, tokenizer)
    table = build_table(counts, vectors, options)
    return _Words(counts, lengths, vectors, table, options, tokenizer)


def _check_without_vectors(request: TrainingRequest) -> None:
    """Raise OptionsError for what is not possible with vectors of the training text."""
    if request.compare_scratch:
        raise OptionsError(
            "--compare-scratch measures the gain of word vectors: give some with --vectors"
        )
    if request.init is not None:
        raise OptionsError(
            f"{request.init} was trained without word vectors, which --init cannot continue: train "
            "on its text and the new one together"
        )


def _count_tokens(
    train: Corpus, request: TrainingRequest, options: TrainingOptions
) -> tuple[Counter[str], Longs]:
    """Count the tokens of training text, unless `glovelite-corpus` has; see `count_tokens`."""
    for source in request.sources:
        counted = read_counts(Path(source.path), train.hashes, options.tokenizer)
        if counted is not None:
            logger.info(f"words counted by glovelite-corpus: {len(counted[0]):,}")
            return counted
    return count_tokens(train.texts, options.tokenizer)


def _build_table(
    counts: Counter[str],
    vectors: WordVectors,
    options: TrainingOptions,
    initial: InitialRun | None,
) -> EmbeddingTable:
    if initial is None:
        return build_table(counts, vectors, options)
    initial.check_vectors(vectors.source)
    weights = initial.weights
    return build_table(counts, vectors, options, weights.words, frozenset(weights.learned))


def _describe_start(
    initial: InitialRun, table: EmbeddingTable, vocabulary: Vocabulary
) -> Iterator[str]:
    """Describe what a training takes from its initial run, and what is new."""
    words = table.tokens[len(SPECIAL_TOKENS) : table.training_words]
    known = initial.weights.count_known(words)
    yield (
        f"starting from {initial.path}: {known:,} of {len(words):,} words have weights of their "
        f"own there, {len(words) - known:,} are new"
    )
    if new := vocabulary.labels[len(initial.vocabulary.labels) :]:
        yield (
            f"new labels: {shorten_list(new)}: their outputs are trained from the start, the other "
            f"{len(initial.vocabulary.labels):,} keep their weights"
        )


def choose_length(lengths: Longs, maximum: int) -> int:
    """Return how many tokens cover 95 % of the texts, from 1 to `maximum`."""
    longest = int(np.percentile(lengths, LENGTH_PERCENTILE, method="higher"))
    return max(1, min(maximum, longest))


def _summarize_corpus(inputs: InputTexts, split: Split, folds: Folds | None) -> CorpusSummary:
    counts = Counter[str]()
    for _, part in split:
        counts.update({name: len(rows) for name, rows in part.rows_by_source().items()})
    fingerprints = {name: part.fingerprint for name, part in split}
    if folds is not None:
        fingerprints["folds"] = folds.fingerprint
    return CorpusSummary(
        name=", ".join(inputs.train.rows_by_source()),
        sources=dict(counts),
        texts=counts.total(),
        duplicates=inputs.train.duplicates,
        fingerprints=fingerprints,
    )


def _summarize_teacher(split: Split, request: TrainingRequest) -> TeacherSummary | None:
    source = request.unlabelled
    if source is None:
        return None
    texts = int(split.train.is_from({UNLABELLED_SOURCE}).sum())
    return TeacherSummary(texts, source.weight, source.temperature, source.self_training)


def _summarize_split(inputs: InputTexts, request: TrainingRequest) -> SplitSummary:
    groups = {source.group_column: None for source in request.sources if source.group_column}
    times = {source.time_column: None for source in request.sources if source.time_column}
    drawn = request.folds or inputs.dev is None or inputs.test is None
    if drawn or inputs.without_dev or inputs.without_test:
        by = "group" if groups else "time" if times else "random"
    else:
        by = "given"
    return SplitSummary(by, ", ".join((*groups, *times)) or None, request.folds)


def _versions() -> dict[str, str]:
    names = ("glovelite", "tensorflow", "keras", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
