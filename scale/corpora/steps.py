"""The steps that make a corpus folder, each a function of one part of the input or of the hashes.

1. `scan_part` reads a part and writes the hashes of its texts, sorted into ranges.
2. `find_first` finds the first of all copies of each text in a range of hashes.
3. `write_part` reads the part again, leaves copies out, and writes training, dev and test text.

The results of a step are files, so that memory does not grow with the corpus, and a job that was
killed continues. What a function does depends on its arguments alone: it is the same on one machine
and on many.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.data.corpus_folder import Hashes, combine_hashes, hash_text
from glovelite.data.rows import Row
from glovelite.runtime.aliases import Bools, Longs
from glovelite.runtime.files.columns import MAX_SHOWN_BAD_ROWS
from glovelite.runtime.files.records import BadRow
from glovelite.runtime.text.tokenizer import Tokenizer

from ..files import Location
from ..parts import Part
from .labelled_parts import LabelledParts

PARTS = ("train", "dev", "test")
WORK_FOLDER = "_work"
BATCH_ROWS = 10_000  # that are written at a time


@dataclass(frozen=True)
class Scan:
    """The counts of a part of the input, of plain JSON types as those of the other steps.

    Attributes:
        rows: number of usable rows.
        ranges: number of usable rows with a hash in each range.
        labels: label -> number of rows.
        multi_label: whether a row has a set of labels.
        bad: number of unusable rows.
        shown: line and reason of the first unusable rows.
    """

    rows: int
    ranges: Sequence[int]
    labels: dict[str, int]
    multi_label: bool
    bad: int
    shown: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class First:
    """The counts of a range of hashes.

    Attributes:
        copies: rows with the text of an earlier row.
        contradictions: copies with other labels than the first row.
    """

    copies: int
    contradictions: int


@dataclass(frozen=True)
class Written:
    """The counts of the texts written of a part of the input.

    Attributes:
        texts: part of the split -> number of texts.
        labels: part of the split -> label -> number of texts.
        checksum: of the hashes of training text.
        lengths: pairs of a number of tokens and the number of training texts of this length.
    """

    texts: dict[str, int]
    labels: dict[str, dict[str, int]]
    checksum: int
    lengths: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class CorpusWork:
    """The input and output that all steps share.

    Attributes:
        parts: of the input.
        output: the folder to write to.
        ranges: number of ranges of hashes.
        tokenizer: splits texts into the tokens that are counted.
    """

    parts: tuple[Part, ...]
    reader: LabelledParts
    output: Location
    ranges: int
    tokenizer: Tokenizer

    def hashes(self, number: int) -> Location:
        """Return the file of a part: uint64 [2, rows], of texts and of their labels."""
        return self._file(f"hashes-{number:06}")

    def first_rows(self, number: int) -> Location:
        """Return the file of a range of hashes: bool [rows], the first of each text."""
        return self._file(f"first-{number:06}")

    def words(self, number: int) -> Location:
        """Return the file of a part: token -> how often it is in training text, as JSON."""
        return self._file(f"words-{number:06}")

    def _file(self, name: str) -> Location:
        return self.output.child(WORK_FOLDER).child(name)


@dataclass(frozen=True)
class Decisions:
    """The properties of the corpus that all scans together determine.

    Attributes:
        counts: int64 [parts, ranges], number of rows of a part with a hash in a range.
        rare_labels: labels whose texts all stay in training text.
        seed: of the split.
        dev_share: probability of a text to be dev text.
        test_share: the same for test text.
    """

    multi_label: bool
    counts: Longs
    rare_labels: frozenset[str] = frozenset()
    seed: int = 0
    dev_share: float = 0.0
    test_share: float = 0.0


def scan_part(work: CorpusWork, number: int) -> Scan:
    """Read a part of the input and write the hashes of its texts and of their labels."""
    hashes, label_hashes = array("Q"), array("Q")
    labels, multi_label = Counter[str](), False
    bad, shown = 0, list[tuple[int, str]]()
    for row in work.reader.read(work.parts[number]):
        if isinstance(row, BadRow):
            bad += 1
            if len(shown) < MAX_SHOWN_BAD_ROWS:
                shown.append((row.line, row.reason))
            continue
        multi_label = multi_label or row.multi_label
        labels.update(row.labels)
        hashes.append(hash_text(row.text.encode()))
        label_hashes.append(hash_text("\0".join(sorted(row.labels)).encode()))
    table = np.array([hashes, label_hashes], np.uint64)
    ranges = find_ranges(table[0], work.ranges)
    table = table[:, np.argsort(ranges, kind="stable")]
    with work.hashes(number).open_atomic() as file:
        file.write(table.tobytes())
    counts = np.bincount(ranges, minlength=work.ranges).tolist()
    return Scan(len(hashes), counts, dict(labels), multi_label, bad, shown)


def find_ranges(hashes: Hashes, ranges: int) -> Longs:
    """Return the range of each hash, from 0 to `ranges` - 1."""
    return (hashes >> np.uint64(32)).astype(np.int64) * ranges >> 32


def find_first(work: CorpusWork, decisions: Decisions, number: int) -> First:
    """Find the first row of each text whose hash is in a range; write which rows these are."""
    tables = [np.zeros((2, 0), np.uint64)]
    for part, counts in enumerate(decisions.counts):
        start, count, rows = int(counts[:number].sum()), int(counts[number]), int(counts.sum())
        starts = (start, rows + start)
        tables.append(np.stack([_read(work.hashes(part), np.uint64, at, count) for at in starts]))
    hashes, labels = np.concatenate(tables, axis=1)
    _, first, text = np.unique(hashes, return_index=True, return_inverse=True)
    is_first: Bools = np.zeros(len(hashes), np.bool_)
    is_first[first] = True
    with work.first_rows(number).open_atomic() as file:
        file.write(is_first.tobytes())
    return First(len(hashes) - len(first), int((labels != labels[first][text]).sum()))


def write_part(work: CorpusWork, decisions: Decisions, number: int) -> Written:
    """Write the texts of a part of the input that are no copies, split by their hashes.

    Raises:
        DataError: the part cannot be read, or has changed.
        OutputError: the texts cannot be written.
    """
    part = work.parts[number]
    choose_first = _FirstRows(work, decisions, number)
    words, lengths = Counter[str](), Counter[int]()
    labels: dict[str, Counter[str]] = {name: Counter() for name in PARTS}
    texts, checksum = dict.fromkeys(PARTS, 0), 0
    with ExitStack() as stack:
        writers = {
            name: PartWriter(work.output.child(name), part.name, decisions.multi_label, stack)
            for name in PARTS
        }
        rows = (row for row in work.reader.read(part) if isinstance(row, Row))
        while batch := list(islice(rows, BATCH_ROWS)):
            hashes = np.array([hash_text(row.text.encode()) for row in batch], np.uint64)
            first = choose_first(hashes)
            parts = choose_parts(batch, hashes, decisions)
            for index, name in enumerate(PARTS):
                chosen = np.flatnonzero(first & (parts == index)).tolist()
                writers[name].write([batch[row] for row in chosen])
                texts[name] += len(chosen)
                labels[name].update(label for row in chosen for label in batch[row].labels)
                if name == "train":
                    checksum ^= combine_hashes(hashes[chosen])
                    for row in chosen:
                        tokens = work.tokenizer.tokenize(batch[row].text)
                        words.update(tokens)
                        lengths[len(tokens)] += 1
    choose_first.check_end()
    work.words(number).write(json.dumps(words))
    counted = {name: dict(counts) for name, counts in labels.items()}
    return Written(texts, counted, checksum, list(lengths.items()))


def choose_parts(rows: Sequence[Row], hashes: Hashes, decisions: Decisions) -> Longs:
    """Return the part of each text, int64 [texts]: 0 for training, 1 for dev, 2 for test.

    The hash of a text, or of its group where it has one, is mixed with the seed by SplitMix64
    (Steele, Lea and Flood, 2014) to a number that is uniform between 0 and 1. So a text stays in
    its part when others are added.
    """
    groups = [row.group for row in rows]
    keys = np.array(
        [
            hash_ if group is None else hash_text(group.encode("utf-8", "surrogatepass"))
            for hash_, group in zip(hashes.tolist(), groups)
        ],
        np.uint64,
    )
    position = mix(keys, decisions.seed) / 2.0**64
    parts: Longs = np.zeros(len(rows), np.int64)
    parts[position >= 1 - decisions.dev_share] = 1  # other shares exchange no dev and test texts
    parts[position < decisions.test_share] = 2
    rare = [not decisions.rare_labels.isdisjoint(row.labels) for row in rows]
    parts[rare] = 0
    return parts


def mix(keys: Hashes, seed: int) -> Hashes:
    """Return SplitMix64 of keys, the same for the same keys and seed."""
    mixed = keys + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


class PartWriter:
    """Writes texts to a Parquet file, which exists if there are any and the block succeeds."""

    def __init__(self, folder: Location, name: str, multi_label: bool, stack: ExitStack) -> None:
        """Initialize with the file's name without extension, and the block that ends the file."""
        self._folder, self._name, self._multi_label = folder, name, multi_label
        self._stack = stack
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows: text, label or labels, and group if they have one."""
        if not rows:
            return
        columns: dict[str, pa.Array] = {"text": pa.array([row.text for row in rows], pa.string())}
        if self._multi_label:
            of_rows = [list(row.labels) for row in rows]
            columns["labels"] = pa.array(of_rows, pa.list_(pa.string()))
        else:
            columns["label"] = pa.array([row.labels[0] for row in rows], pa.string())
        if rows[0].group is not None:
            columns["group"] = pa.array([row.group for row in rows], pa.string())
        table = pa.table(columns)
        if self._writer is None:
            self._folder.system.create_dir(self._folder.path)
            location = self._folder.child(f"{self._name}.parquet")
            file = self._stack.enter_context(location.open_atomic())
            self._writer = self._stack.enter_context(pq.ParquetWriter(file, table.schema))
        self._writer.write_table(table)


class _FirstRows:
    """Finds the rows of a part that are the first of their text, batch after batch."""

    def __init__(self, work: CorpusWork, decisions: Decisions, number: int) -> None:
        before, counts = decisions.counts[:number].sum(axis=0), decisions.counts[number]
        slices = [
            _read(work.first_rows(range_), np.bool_, int(before[range_]), int(counts[range_]))
            for range_ in range(work.ranges)
        ]
        self._is_first: Bools = np.concatenate(slices)
        self._ends = np.cumsum(counts)
        self._next = self._ends - counts  # of each range
        self._work, self._file = work, work.parts[number].file

    def __call__(self, hashes: Hashes) -> Bools:
        ranges = find_ranges(hashes, self._work.ranges)
        order = np.argsort(ranges, kind="stable")
        counts = np.bincount(ranges, minlength=self._work.ranges)
        if (self._next + counts > self._ends).any():
            raise self._file.changed_error()
        in_range = np.arange(len(hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
        first: Bools = np.zeros(len(hashes), np.bool_)
        first[order] = self._is_first[self._next[ranges[order]] + in_range]
        self._next = self._next + counts
        return first

    def check_end(self) -> None:
        """Raise DataError if there were fewer rows than when they were counted."""
        if (self._next != self._ends).any():
            raise self._file.changed_error()


def _read(
    location: Location, kind: type[np.generic], start: int, count: int
) -> npt.NDArray[np.generic]:
    """Return a range of the values in a file."""
    size = np.dtype(kind).itemsize
    with location.open_input() as file:
        file.seek(start * size)
        return np.frombuffer(file.read(count * size), kind)
