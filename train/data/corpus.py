"""A corpus: labelled texts kept on disk, with their properties."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from glovelite.data.corpus_folder import Hashes
from glovelite.data.labelled_text import FileList, Place, TextSource, find_place, locate
from glovelite.runtime.aliases import Bools, Classes, Floats, Ids, Longs
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.output import full_temporary_folder

Times = npt.NDArray[Any]  # float64 or datetime64
MAX_TARGETS = 500_000_000  # texts times labels: training takes 5 to 8 bytes of memory for each
_BLOCK_ROWS = 10_000  # that are copied at a time


class Texts(Sequence[str]):
    """An immutable sequence of strings in an unnamed temporary file, mapped into memory.

    A million rows take memory only for their offsets.
    """

    def __init__(self, data: mmap.mmap | bytes, starts: Longs, rows: Longs) -> None:
        """Wrap stored texts; `TextStore.finish` creates them.

        Args:
            data: all texts in UTF-8 (lone surrogates allowed), concatenated.
            starts: int64 [stored texts + 1], offsets in `data`.
            rows: int64 [texts], which of the stored texts these are.
        """
        self._data, self._starts, self._rows = data, starts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        """Return one text, or the texts of a slice."""
        if isinstance(index, slice):
            return Texts(self._data, self._starts, self._rows[index])
        row = self._rows[index]
        content = self._data[int(self._starts[row]) : int(self._starts[row + 1])]
        return content.decode("utf-8", "surrogatepass")

    def select(self, indices: Longs) -> Texts:
        """Return the texts at these indices, in this order, without copying them."""
        return Texts(self._data, self._starts, self._rows[indices])


class TextStore:
    """Collects texts in a temporary file."""

    def __init__(self) -> None:
        """Open the file; it has no name and is deleted with its last reader."""
        self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115
        self._starts = array("q", [0])

    def add(self, text: str) -> bytes:
        """Store a text; return its encoded bytes."""
        content = text.encode("utf-8", "surrogatepass")
        try:
            self._file.write(content)
        except OSError as error:
            raise full_temporary_folder(error) from None
        self._starts.append(self._starts[-1] + len(content))
        return content

    def finish(self) -> Texts:
        """Close the store and return its texts in the order of `add`."""
        starts = np.array(self._starts, np.int64)
        try:
            self._file.flush()
        except OSError as error:
            raise full_temporary_folder(error) from None
        data: mmap.mmap | bytes = b""
        if starts[-1]:
            data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        return Texts(data, starts, np.arange(len(starts) - 1))


@dataclass(frozen=True)
class SoftTargets:
    """What a text is trained towards instead of one class.

    Attributes:
        probabilities: float32 [texts, classes]; rows sum to 1, of multi-label text each
            probability is a label's own.
        weights: float32 [texts], of each text in the loss; 1 for text with given labels.
    """

    probabilities: Floats
    weights: Floats

    def select(self, rows: npt.ArrayLike) -> SoftTargets:
        """Return those of these rows, in this order."""
        chosen = np.asarray(rows, np.int64)
        return SoftTargets(self.probabilities[chosen], self.weights[chosen])

    def renumber(self, numbers: Longs, classes: int) -> SoftTargets:
        """Return them for `classes` classes; `numbers` has the new number of each present one."""
        probabilities = np.zeros((len(self.probabilities), classes), np.float32)
        probabilities[:, numbers] = self.probabilities
        return SoftTargets(probabilities, self.weights)

    @property
    def certain_share(self) -> float:
        """Share of the weight of texts that have a certain label, 0 to 1."""
        certain = np.isin(self.probabilities, (0, 1)).all(axis=1)
        return float(self.weights[certain].sum() / self.weights.sum())


def make_soft(targets: Classes, classes: int) -> SoftTargets:
    """Return given classes, int [texts] or bool [texts, classes], as certain distributions."""
    return SoftTargets(to_distributions(targets, classes), np.ones(len(targets), np.float32))


def to_distributions(targets: Classes, classes: int) -> Floats:
    """Return classes as probabilities of 0 and 1, float32 [texts, classes]."""
    if targets.ndim == 2:
        return targets.astype(np.float32)
    rows = np.zeros((len(targets), classes), np.float32)
    rows[np.arange(len(targets)), targets] = 1
    return rows


def choose_classes(probabilities: Floats, multi_label: bool) -> Classes:
    """Return the most probable class of each text, int64 [texts], or its labels, bool."""
    if multi_label:
        labels: Classes = probabilities >= 0.5
        return labels
    classes: Longs = probabilities.argmax(axis=1)
    return classes


def join_soft(first: SoftTargets, second: SoftTargets) -> SoftTargets:
    """Return those of one corpus, then those of another."""
    return SoftTargets(
        np.concatenate([first.probabilities, second.probabilities]),
        np.concatenate([first.weights, second.weights]),
    )


def soften(probabilities: Floats, temperature: float, multi_label: bool) -> Floats:
    """Return a teacher's probabilities at a temperature; above 1 they are less certain.

    In multi-label text, the probabilities of the labels are independent.

    Example:
        >>> soften(np.array([[0.9, 0.1]], np.float32), 2.0, multi_label=False).round(2).tolist()
        [[0.75, 0.25]]
    """
    powers = probabilities.astype(np.float64) ** (1 / temperature)
    others = powers.sum(axis=1, keepdims=True)
    if multi_label:
        others = powers + (1 - probabilities.astype(np.float64)) ** (1 / temperature)
    softened: Floats = (powers / others).astype(np.float32)
    return softened


@dataclass(frozen=True)
class Origin:
    """A file, folder or stream that texts were read from.

    Attributes:
        name: its name in messages, such as its path.
        source: the source that it belongs to, by the name that reports and `metrics.json` use.
        files: the files of a folder or pattern; None for other origins.
        text_source: how it was read; None for text from memory.
        unit: what a row's number is: `line`, or `index` in memory.
    """

    name: str
    source: str
    files: FileList | None = None
    text_source: TextSource | None = None
    unit: str = "line"

    def where(self, line: int) -> str:
        """Return where a row comes from, for messages: file and line, or its own file."""
        return locate(self.name, line, self.files, self.unit)

    def place(self, line: int) -> Place:
        """Return where a row comes from, for files that may be shared; see `Corpus.place`."""
        return (self.source, line) if self.files is None else self.files.find_below(line)

    def places(self, line: int) -> tuple[Place, Place]:
        """Return the same, and where an evaluation finds the row."""
        return self.place(line), find_place(self.name, line, self.files)


@dataclass(frozen=True)
class Corpus:
    """Labelled texts of one source or several, in their order.

    Attributes:
        targets: int64 [texts], index of each text's class in `classes`; in a multi-label corpus
            bool [texts, classes], which classes each text has.
        classes: class names, sorted by `sort_labels`; those of an initial run in its order.
        hashes: uint64 [texts], equal for equal texts.
        origins: where the texts were read.
        origin_numbers: int32 [texts], index of each text's origin in `origins`.
        lines: int64 [texts], line in the origin, or number that its `files` find.
        groups: uint64 [texts], equal for texts of the same group, also in different sources; None
            for no groups.
        times: float64 or datetime64 [texts], when each was written; None if that is unknown.
        soft: what the texts are trained towards if some have a teacher's labels; then `targets` are
            the most probable classes.
    """

    texts: Texts
    targets: Classes
    classes: tuple[str, ...]
    hashes: Hashes
    origins: tuple[Origin, ...]
    origin_numbers: Ids
    lines: Longs
    groups: Hashes | None = None
    times: Times | None = None
    soft: SoftTargets | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def name(self) -> str:
        """The corpus's name in messages: its origins."""
        return ", ".join(origin.name for origin in self.origins)

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several classes or none."""
        return self.targets.ndim == 2

    @property
    def labels(self) -> list[str | tuple[str, ...]]:
        """The class name of each text; in a multi-label corpus the names of all its classes."""
        if self.multi_label:
            return [self.labels_of(row) for row in range(len(self))]
        return [self.classes[target] for target in self.targets]

    def labels_of(self, row: int) -> tuple[str, ...]:
        """Return the class names of one text."""
        numbers = np.flatnonzero(self.targets[row]) if self.multi_label else [self.targets[row]]
        return tuple(self.classes[number] for number in numbers)

    @property
    def strata(self) -> Longs:
        """What splits are stratified by, int64 [texts].

        The class; in a multi-label corpus each text's rarest class, the first of several, or
        `len(classes)` for a text without any.
        """
        if not self.multi_label:
            return self.targets.astype(np.int64, copy=False)
        rarest_first = np.argsort(self.count_texts(), kind="stable")
        strata = np.full(len(self), len(self.classes), np.int64)
        for start in range(0, len(self) if self.classes else 0, _BLOCK_ROWS):
            has = self.targets[start : start + _BLOCK_ROWS, rarest_first]
            rows = start + np.flatnonzero(has.any(axis=1))
            strata[rows] = rarest_first[has.argmax(axis=1)[rows - start]]
        return strata

    def count_texts(self) -> Longs:
        """Return how many texts each class has, int64 [classes]."""
        return count_targets(self.targets, len(self.classes))

    def rows_of(self, number: int) -> Longs:
        """Return the rows of the texts of a class."""
        if self.multi_label:
            return np.flatnonzero(self.targets[:, number])
        return np.flatnonzero(self.targets == number)

    @property
    def duplicates(self) -> int:
        """How many texts are exact copies of an earlier one."""
        return len(self) - len(np.unique(self.hashes))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of texts and labels in order, in hexadecimal."""
        digest = hashlib.sha256("\0".join(self.classes).encode("utf-8", "surrogatepass"))
        digest.update(self.hashes.tobytes())
        targets = np.packbits(self.targets) if self.multi_label else self.targets
        digest.update(targets.tobytes())
        if self.soft is not None:
            digest.update(self.soft.probabilities.tobytes() + self.soft.weights.tobytes())
        return digest.hexdigest()

    def where(self, row: int) -> str:
        """Return where a text comes from: file and line, or its own file."""
        origin = self.origins[int(self.origin_numbers[row])]
        return origin.where(int(self.lines[row]))

    def place(self, row: int) -> Place:
        """Return a text's source and line for files that may be shared: without private paths.

        A text that is a file has that file, below the folder, and no line.
        """
        origin = self.origins[int(self.origin_numbers[row])]
        return origin.place(int(self.lines[row]))

    def rows_by_source(self) -> dict[str, Longs]:
        """Return the rows of each source's texts, for the sources that have any."""
        sources = [origin.source for origin in self.origins]
        rows = {name: np.flatnonzero(self.is_from({name})) for name in dict.fromkeys(sources)}
        return {name: found for name, found in rows.items() if len(found)}

    def is_from(self, sources: Collection[str]) -> Bools:
        """Return which texts are from these sources, bool [texts]."""
        wanted = np.array([origin.source in sources for origin in self.origins], np.bool_)
        from_them: Bools = wanted[self.origin_numbers]
        return from_them

    def with_classes(self, classes: tuple[str, ...]) -> Corpus:
        """Return the corpus with its classes numbered by `classes`, which holds them all."""
        if classes == self.classes:
            return self
        number_of = {label: number for number, label in enumerate(classes)}
        numbers = np.array([number_of[label] for label in self.classes], np.int64)
        soft = None if self.soft is None else self.soft.renumber(numbers, len(classes))
        if not self.multi_label:
            return replace(self, targets=numbers[self.targets], classes=classes, soft=soft)
        check_size(self.name, len(self), len(classes))
        targets = np.zeros((len(self), len(classes)), np.bool_)
        targets[:, numbers] = self.targets
        return replace(self, targets=targets, classes=classes, soft=soft)

    def as_multi_label(self) -> Corpus:
        """Return the corpus as a multi-label one; each text of a single-label one has one class."""
        if self.multi_label:
            return self
        check_size(self.name, len(self), len(self.classes))
        targets = np.zeros((len(self), len(self.classes)), np.bool_)
        targets[np.arange(len(self)), self.targets] = True
        return replace(self, targets=targets)

    def count_distinct_texts(self) -> Longs:
        """Return how many different texts each class has, int64 [classes].

        Of copies with different labels, the first counts.
        """
        _, first = np.unique(self.hashes, return_index=True)
        return count_targets(self.targets[first], len(self.classes))

    def without_labels(self, dropped: Collection[str]) -> Corpus:
        """Return the corpus without these labels, and without the texts that have only one.

        The texts of a multi-label corpus stay.
        """
        kept = np.array([label not in dropped for label in self.classes], np.bool_)
        classes = tuple(label for label in self.classes if label not in dropped)
        if self.multi_label:
            return replace(self, targets=self.targets[:, kept], classes=classes)
        numbers = np.cumsum(kept) - 1
        left = self.select(np.flatnonzero(kept[self.targets]))
        return replace(left, targets=numbers[left.targets], classes=classes)

    def select(self, rows: npt.ArrayLike) -> Corpus:
        """Return the corpus of these rows, in this order; the classes stay."""
        rows = np.asarray(rows, np.int64)
        return replace(
            self,
            texts=self.texts.select(rows),
            targets=self.targets[rows],
            hashes=self.hashes[rows],
            origin_numbers=self.origin_numbers[rows],
            lines=self.lines[rows],
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
            soft=None if self.soft is None else self.soft.select(rows),
        )

    def select_parts(self, parts: Longs) -> tuple[Corpus, Corpus, Corpus]:
        """Return training, dev and test text, from the part of each text: 0, 1 or 2."""
        train, dev, test = (self.select(np.flatnonzero(parts == part)) for part in range(3))
        return train, dev, test


def count_targets(targets: Classes, classes: int) -> Longs:
    """Return how many texts each class has, int64 [classes], from `Corpus.targets`."""
    counts: Longs
    if targets.ndim == 2:
        counts = np.count_nonzero(targets, axis=0).astype(np.int64)
    else:
        counts = np.bincount(targets, minlength=classes)
    return counts


def check_size(name: str, texts: int, classes: int) -> None:
    """Raise DataError if training on a multi-label corpus of this size takes too much memory."""
    if texts * classes > MAX_TARGETS:
        raise DataError(
            f"{name}: {texts:,} texts with {classes:,} labels: expected at most {MAX_TARGETS:,} "
            "texts times labels in multi-label text: give fewer texts, or remove rare labels from "
            "the file"
        )
