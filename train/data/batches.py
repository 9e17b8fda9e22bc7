"""Encodes texts with the device's code and batches them by length."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from glovelite.runtime.aliases import Classes, Floats, Ids, Longs
from glovelite.runtime.files.output import full_temporary_folder
from glovelite.runtime.text.vocabulary import PADDING_ID, UNKNOWN_ID, Vocabulary

from ..options import TrainingOptions
from .corpus import Corpus, SoftTargets, count_targets
from .splitting.split import Split

Doubles = npt.NDArray[np.float64]
SORTED_BATCHES = 50  # batches sorted by length at a time: little padding, still random


@dataclass(frozen=True)
class UnknownWords:
    """Which training words are replaced by the unknown word, drawn again for every batch.

    Attributes:
        rates: float32 [vocabulary], probability of replacing each occurrence of a word.
        texts: share of texts in which every word is replaced.
    """

    rates: Floats
    texts: float


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus as ids, concatenated.

    Attributes:
        ids: int32 [all tokens], text after text, without padding.
        starts: int64 [texts + 1], offset of each text.
        targets: int32 [texts], class of each, or bool [texts, labels] of multi-label text.
        trailing_padding: minimum number of padding ids after each text.
        fixed_length: tokens that every text is padded to; None pads a batch to its longest.
        soft: what the texts are trained towards if some have a teacher's labels.
    """

    ids: Ids
    starts: Longs
    targets: Classes
    trailing_padding: int
    fixed_length: int | None = None
    soft: SoftTargets | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels."""
        return self.targets.ndim == 2

    @cached_property
    def lengths(self) -> Longs:
        """Tokens of each text."""
        return np.diff(self.starts)

    def count_classes(self, classes: int) -> Doubles:
        """Return how many texts each class has, float64 [classes], as far as labels tell.

        A teacher's labels count by their probability and weight.
        """
        if self.soft is not None:
            expected: Doubles = self.soft.weights.astype(np.float64) @ self.soft.probabilities
            return expected
        return count_targets(self.targets, classes).astype(np.float64)

    @property
    def total_weight(self) -> float:
        """Number of texts, as far as they have the weight of a text with given labels."""
        return float(len(self) if self.soft is None else self.soft.weights.sum())

    def pad(self, rows: Longs) -> Ids:
        """Return texts as one array, int32 [rows, longest + trailing padding]."""
        lengths = self.lengths[rows]
        longest = self.fixed_length or lengths.max()
        columns = np.arange(int(longest) + self.trailing_padding)
        batch = np.zeros((len(rows), len(columns)), np.int32)
        filled = columns < lengths[:, None]
        batch[filled] = self.ids[(self.starts[rows, None] + columns)[filled]]
        return batch


@dataclass(frozen=True)
class Goals:
    """What each text of a corpus is trained towards.

    Attributes:
        targets: int32 [texts, 1], classes; or float32 [texts, columns], probabilities: of the
            second class of two, or of each class or label.
        weights: float32 [texts], of each text in the loss.
    """

    encoded: EncodedCorpus
    targets: Ids | Floats
    weights: Floats


def encode_corpus(
    corpus: Corpus, vocabulary: Vocabulary, fixed_length: int | None = None
) -> EncodedCorpus:
    """Encode a corpus with the device's tokenizer; see `encode_texts`."""
    targets = corpus.targets if corpus.multi_label else corpus.targets.astype(np.int32)
    encoded = encode_texts(corpus.texts, vocabulary, fixed_length)
    return replace(encoded, targets=targets, soft=corpus.soft)


def encode_texts(
    texts: Iterable[str], vocabulary: Vocabulary, fixed_length: int | None = None
) -> EncodedCorpus:
    """Encode texts without labels with the device's tokenizer; the ids are kept on disk.

    For `fixed_length`, see `EncodedCorpus`.
    """
    try:
        all_ids, starts = _store_ids(texts, vocabulary)
    except OSError as error:
        raise full_temporary_folder(error) from None
    count, labels = len(starts) - 1, len(vocabulary.labels)
    targets: Classes = np.zeros(count, np.int32)
    if vocabulary.multi_label:
        targets = np.zeros((count, labels), np.bool_)
    return EncodedCorpus(all_ids, starts, targets, vocabulary.trailing_padding, fixed_length)


def _store_ids(texts: Iterable[str], vocabulary: Vocabulary) -> tuple[Ids, Longs]:
    """Return the ids of all texts, mapped from a temporary file, and where each text starts."""
    starts = array("q", [0])
    with tempfile.TemporaryFile(buffering=1 << 20) as file:
        for text in texts:
            ids = vocabulary.encode(text).ids
            file.write(array("i", ids))
            starts.append(starts[-1] + len(ids))
        file.flush()
        all_ids: Ids = np.zeros(0, np.int32)
        if starts[-1]:
            all_ids = np.memmap(file, np.int32, "r")
    return all_ids, np.array(starts, np.int64)


def encode_split(
    split: Split, vocabulary: Vocabulary, options: TrainingOptions
) -> tuple[EncodedCorpus, EncodedCorpus, EncodedCorpus]:
    """Encode training, dev and test text; every text to one length where that is fixed."""
    fixed = None if options.max_pooled else vocabulary.max_tokens
    train, dev, test = (encode_corpus(part, vocabulary, fixed) for _, part in split)
    return train, dev, test


def choose_unknown_words(
    train: EncodedCorpus, vocabulary_size: int, options: TrainingOptions
) -> UnknownWords:
    """Choose how often each word is replaced by the unknown word: the rarer, the more often.

    A word that occurs n times is replaced with probability a / (a + n), where a is the option
    `word_dropout` (Kiperwasser and Goldberg, 2016).
    """
    counts = np.maximum(np.bincount(train.ids, minlength=vocabulary_size), 1)
    rates = (options.word_dropout / (options.word_dropout + counts)).astype(np.float32)
    return UnknownWords(rates, options.unknown_texts)


def make_batches(
    encoded: EncodedCorpus,
    batch_size: int,
    random: np.random.Generator | None,
    unknown: UnknownWords | None = None,
) -> Iterator[tuple[Ids, Longs]]:
    """Yield batches of texts of similar length.

    `random` shuffles the texts and draws the unknown words; None sorts the texts by length.

    Yields:
        int32 [batch, length] ids, and int64 [batch] rows of the corpus.
    """
    for rows in _batch_rows(encoded, batch_size, random):
        ids = encoded.pad(rows)
        if random is not None and unknown is not None:
            rates = unknown.rates[ids]
            rates[random.random(len(rates)) < unknown.texts] = 1
            ids[(random.random(ids.shape) < rates) & (ids != PADDING_ID)] = UNKNOWN_ID
        yield ids, rows


class BatchStream:
    """Batches of a corpus, the next of which are prepared while one is trained on.

    A dataset is made once, because making it takes longer than an epoch of a few texts.
    """

    def __init__(
        self, goals: Goals, batch_size: int, unknown: UnknownWords | None = None, passes: int = 1
    ) -> None:
        """Initialize with the corpus, of which each text occurs `passes` times."""
        self._goals, self._batch_size, self._unknown = goals, batch_size, unknown
        self._passes = passes
        self._seed: tuple[int, ...] | None = None
        self.steps = passes * -(-len(goals.encoded) // batch_size)
        spec = (
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, goals.targets.shape[1]), goals.targets.dtype),
            tf.TensorSpec((None,), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(self._generate, output_signature=spec)
        settings = tf.data.Options()
        # Its thread sleeps for up to seconds at a time, and the end of an epoch waits for it.
        settings.autotune.enabled = False
        self._dataset = dataset.prefetch(4).with_options(settings)

    def start(self, seed: tuple[int, ...] | None) -> tf.data.Iterator:
        """Return an iterator over all batches, after the last one has ended.

        Args:
            seed: of the order and the unknown words; None sorts by length.

        Returns:
            Of ids, int32 [batch, length], goals, [batch, columns], and weights, float32 [batch].
        """
        self._seed = seed
        return iter(self._dataset)

    def _generate(self) -> Iterator[tuple[Ids, Ids | Floats, Floats]]:
        random = None if self._seed is None else np.random.default_rng(self._seed)
        goals = self._goals
        for _ in range(self._passes):
            for ids, rows in make_batches(goals.encoded, self._batch_size, random, self._unknown):
                yield ids, goals.targets[rows], goals.weights[rows]


def _batch_rows(
    encoded: EncodedCorpus, batch_size: int, random: np.random.Generator | None
) -> list[npt.NDArray[np.int64]]:
    rows = np.arange(len(encoded)) if random is None else random.permutation(len(encoded))
    batches = []
    pool = len(rows) if random is None else batch_size * SORTED_BATCHES
    for start in range(0, len(rows), max(1, pool)):
        part = rows[start : start + pool]
        part = part[np.argsort(encoded.lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    if random is not None:
        batches = [batches[index] for index in random.permutation(len(batches))]
    return batches
