"""A corpus: labelled texts kept on disk, with its properties."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.aliases import Bools, Classes, Ids, Log, Longs
from runtime.errors import DataError
from runtime.io.labelled_text import Place, TextSource, find_place, locate
from runtime.io.rows import Row
from runtime.io.times import Time

from .labels import (
    MAX_LABELS,
    MAX_SHOWN_LABELS,
    are_implausible,
    ask_for_label_column,
    implausible_labels_error,
    shorten_label,
    shorten_list,
    show_labels,
    sort_labels,
    suggest_separator,
)
from .soft.targets import SoftTargets
from .text_store import Texts, TextStore

Hashes = npt.NDArray[np.uint64]
Times = npt.NDArray[Any]  # float64 or datetime64
MAX_TARGETS = 500_000_000  # texts times labels: training takes 5 to 8 bytes of memory for each
_BLOCK_ROWS = 10_000  # that are copied at a time
_PROGRESS_ROWS = 250_000


@dataclass(frozen=True)
class Origin:
    """A file, folder or stream that texts were read from.

    Attributes:
        name: its name in messages, such as its path.
        source: the source that it belongs to, by the name that reports and `metrics.json` use.
        files: the files of a folder, one text each; empty for other origins.
        text_source: how it was read; None for text from memory.
    """

    name: str
    source: str
    files: Sequence[str] = ()
    text_source: TextSource | None = None


@dataclass(frozen=True)
class Corpus:
    """Labelled texts of one source or several, in their order.

    Attributes:
        texts: the texts.
        targets: int64 [texts], index of each text's class in `classes`; in a multi-label corpus
            bool [texts, classes], which classes each text has.
        classes: class names, sorted by `sort_labels`; those of an initial run in its order.
        hashes: uint64 [texts], equal for equal texts.
        origins: where the texts were read.
        origin_numbers: int32 [texts], index of each text's origin in `origins`.
        lines: int64 [texts], line in the origin, or index in its `files`.
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
            digest.update(self.soft.tobytes())
        return digest.hexdigest()

    def where(self, row: int) -> str:
        """Return where a text comes from: file and line, or its own file."""
        origin = self.origins[self.origin_numbers[row]]
        return locate(origin.name, int(self.lines[row]), origin.files)

    def place(self, row: int) -> Place:
        """Return a text's source and line for files that may be shared: without private paths.

        A text of a folder has its own file below the folder, and no line.
        """
        origin = self.origins[self.origin_numbers[row]]
        file, line = find_place(origin.source, int(self.lines[row]), origin.files)
        if line is None:
            file = str(Path(file).relative_to(Path(origin.name).parent))
        return file, line

    def rows_by_source(self) -> dict[str, Longs]:
        """Return the rows of each source's texts, for the sources that have any."""
        sources = [origin.source for origin in self.origins]
        rows = {name: np.flatnonzero(self.is_from({name})) for name in dict.fromkeys(sources)}
        return {name: each for name, each in rows.items() if len(each)}

    def is_from(self, sources: Collection[str]) -> Bools:
        """Return which texts are from these sources, bool [texts]."""
        wanted = np.array([origin.source in sources for origin in self.origins], np.bool_)
        from_them: Bools = wanted[self.origin_numbers]
        return from_them

    def with_classes(self, classes: tuple[str, ...]) -> Corpus:
        """Return the corpus with its classes numbered by `classes`, which holds them all."""
        number_of = {label: number for number, label in enumerate(classes)}
        if classes == self.classes:
            return self
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


def build_corpus(
    origin: Origin,
    rows: Iterable[Row],
    log: Log,
    drops_labels: bool = False,
    labels: Sequence[str] = (),
    multi_label: bool = False,
) -> Corpus:
    """Store rows as a corpus, without holding their text in memory.

    It is multi-label if a row is. Then rows without a label are kept.

    Args:
        origin: where the rows are read.
        rows: the rows.
        log: receives the progress of a long read.
        drops_labels: whether rare labels will be dropped, so that there may be any number of them.
        labels: classes that there are in any case.
        multi_label: make it multi-label in any case.

    Raises:
        DataError: there are so many labels that they can hardly be labels, or too many for the
            number of texts.
    """
    store, hashes, lines = TextStore(), array("Q"), array("q")
    groups, times, dated = array("Q"), array("d"), False
    # The classes of all texts, numbered in order of appearance, and how many each text has.
    targets, label_counts = array("q"), array("i")
    numbers = {label: number for number, label in enumerate(labels)}
    for row in rows:
        content = store.add(row.text)
        multi_label = multi_label or row.multi_label
        for label in row.labels:
            targets.append(numbers.setdefault(label, len(numbers)))
        label_counts.append(len(row.labels))
        if not drops_labels and len(numbers) > MAX_LABELS:
            raise implausible_labels_error(origin.name, tuple(numbers), origin.text_source)
        hashes.append(_hash(content))
        lines.append(row.line)
        if row.group is not None:
            groups.append(_hash(row.group.encode("utf-8", "surrogatepass")))
        if row.time is not None:
            dated = isinstance(row.time, datetime)
            times.append(_to_number(row.time))
        if len(lines) % _PROGRESS_ROWS == 0:
            log(f"{origin.name}: {len(lines):,} rows read")
    classes = sort_labels(numbers)
    number_of = {label: number for number, label in enumerate(classes)}
    sorted_index = np.array([number_of[label] for label in numbers], np.int64)
    counts = np.array(label_counts, np.int64)
    labelled = np.flatnonzero(counts)
    of_labels = sorted_index[np.array(targets, np.int64)]  # [labels of all texts]
    corpus = Corpus(
        store.finish(),
        np.zeros(len(counts), np.int64),
        classes,
        np.array(hashes, np.uint64),
        (origin,),
        np.zeros(len(counts), np.int32),
        np.array(lines, np.int64),
        np.array(groups, np.uint64) if groups else None,
        _to_times(times, dated) if times else None,
    )
    if multi_label:
        check_size(origin.name, len(counts), len(classes))
        matrix = np.zeros((len(counts), len(classes)), np.bool_)
        matrix[np.repeat(np.arange(len(counts)), counts), of_labels] = True
        return replace(corpus, targets=matrix)
    if len(labelled) < len(counts):  # bad rows of a file that might have been multi-label
        corpus = corpus.select(labelled)
    return replace(corpus, targets=of_labels)


def count_targets(targets: Classes, classes: int) -> Longs:
    """Return how many texts each class has, int64 [classes], from `Corpus.targets`."""
    counts: Longs
    if targets.ndim == 2:
        counts = np.count_nonzero(targets, axis=0).astype(np.int64)
    else:
        counts = np.bincount(targets, minlength=classes)
    return counts


def check_size(name: str, texts: int, classes: int) -> None:
    """Raise DataError if training on a multi-label corpus of this size would take too much memory.

    Args:
        name: the corpus's name in messages.
        texts: how many texts it has.
        classes: how many labels it has.
    """
    if texts * classes > MAX_TARGETS:
        raise DataError(
            f"{name}: {texts:,} texts with {classes:,} labels: expected at most {MAX_TARGETS:,} "
            "texts times labels in multi-label text: give fewer texts, or remove rare labels from "
            "the file"
        )


def join_corpora(corpora: Sequence[Corpus]) -> Corpus:
    """Join one corpus or more into one, in this order; classes are matched by name.

    The corpus is multi-label if one of them is.

    Groups and times are kept if all of them have some.

    Raises:
        DataError: the times of some are numbers and those of others are dates.
    """
    if len(corpora) == 1:
        return corpora[0]
    store = TextStore()
    for corpus in corpora:
        for text in corpus.texts:
            store.add(text)
    classes = corpora[0].classes  # an initial run's are in its order
    if any(corpus.classes != classes for corpus in corpora):
        classes = sort_labels({label for corpus in corpora for label in corpus.classes})
    if any(corpus.multi_label for corpus in corpora):
        check_size(corpora[0].name, sum(map(len, corpora)), len(classes))
        corpora = [corpus.as_multi_label() for corpus in corpora]
    starts = np.cumsum([0, *(len(corpus.origins) for corpus in corpora)], dtype=np.int32)
    return Corpus(
        store.finish(),
        np.concatenate([corpus.with_classes(classes).targets for corpus in corpora]),
        classes,
        np.concatenate([corpus.hashes for corpus in corpora]),
        tuple(origin for corpus in corpora for origin in corpus.origins),
        np.concatenate([each.origin_numbers + start for each, start in zip(corpora, starts)]),
        np.concatenate([corpus.lines for corpus in corpora]),
        _join_groups(corpora),
        _join_times(corpora),
    )


def check_corpus(corpus: Corpus, min_texts: int = 3) -> Corpus:
    """Return the corpus if a classifier can be trained on it.

    Args:
        corpus: the corpus.
        min_texts: how many distinct texts each class needs.

    Raises:
        DataError: fewer than two classes, classes with too few distinct texts, labels of every text
            in a multi-label corpus, or so many of them that they can hardly be labels; the message
            names all.
    """
    counts, source = corpus.count_distinct_texts(), corpus.origins[0].text_source
    if are_implausible(counts.tolist()):
        raise implausible_labels_error(corpus.name, corpus.classes, source)
    problems = []
    if len(corpus.classes) < 2:
        problems.append(f"expected two labels or more, found {list(corpus.classes)}")
    if rare := np.flatnonzero(counts < min_texts).tolist():
        problems.append(_describe_rare(corpus, rare, counts, min_texts))
        if question := suggest_separator(corpus.classes, source):
            problems.append(question)
        elif 2 * len(rare) > len(counts) > MAX_SHOWN_LABELS:
            problems.append(ask_for_label_column(source))
    if corpus.multi_label and (everywhere := np.flatnonzero(corpus.targets.all(axis=0)).tolist()):
        problems.append(
            "expected at least one text without each label, found "
            f"{show_labels([corpus.classes[n] for n in everywhere])} in every text: add texts "
            "without, or remove the label"
        )
    if problems:
        raise DataError(f"{corpus.name}: {'; '.join(problems)}")
    return corpus


def _describe_rare(corpus: Corpus, rare: Sequence[int], counts: Longs, min_texts: int) -> str:
    def show(target: int) -> str:
        rows = corpus.rows_of(target)
        where = f", {corpus.where(int(rows[0]))}" if len(rows) else ""
        return f"{shorten_label(corpus.classes[target])!r} ({counts[target]}{where})"

    shown = [show(target) for target in rare[:MAX_SHOWN_LABELS]]
    return (
        f"expected at least {min_texts} distinct texts of each label, found fewer of "
        f"{shorten_list([*shown, *map(str, rare[MAX_SHOWN_LABELS:])])}: add some, or drop these "
        f"labels with --min-texts {min_texts}"
    )


def lacking_labels(corpus: Corpus, rows: Longs) -> tuple[str, ...]:
    """Return the classes of a corpus that none of these rows has."""
    counts = count_targets(corpus.targets[rows], len(corpus.classes))
    return tuple(label for label, count in zip(corpus.classes, counts) if not count)


def describe_contradictions(corpus: Corpus) -> str | None:
    """Return how many texts have copies with other labels, and where the first is; else None."""
    order = np.argsort(corpus.hashes, kind="stable")
    hashes = corpus.hashes[order]
    copies = 1 + np.flatnonzero(hashes[1:] == hashes[:-1])
    differs = corpus.targets[order[copies]] != corpus.targets[order[copies - 1]]
    contradicting = copies[differs.any(axis=1) if corpus.multi_label else differs]
    if not len(contradicting):
        return None
    row = int(order[contradicting].min())
    what = "copies with other labels" if corpus.multi_label else "two labels"
    return (
        f"{len(np.unique(hashes[contradicting])):,} texts have {what}, the first at "
        f"{corpus.where(row)}; all are kept"
    )


def describe_label_sets(corpus: Corpus) -> str:
    """Describe how many labels the texts of a multi-label corpus have."""
    per_text = np.count_nonzero(corpus.targets, axis=1)
    mean, without = per_text.mean(), int((per_text == 0).sum())
    described = (
        f"multi-label: {len(corpus.classes):,} labels, {mean:.2f} a text, {without:,} texts "
        "without any"
    )
    if (per_text == 1).all():
        return (
            f"{described}; every text has exactly one: for single-label training name their column "
            "with --label-column, strings in it and no --label-separator"
        )
    return described


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _to_number(time: Time) -> float:
    return time.replace(tzinfo=timezone.utc).timestamp() if isinstance(time, datetime) else time


def _to_times(numbers: array[float], dated: bool) -> Times:
    times = np.array(numbers, np.float64)
    return np.rint(times * 1e6).astype("datetime64[us]") if dated else times


def _join_groups(corpora: Sequence[Corpus]) -> Hashes | None:
    groups = [corpus.groups for corpus in corpora if corpus.groups is not None]
    return np.concatenate(groups) if len(groups) == len(corpora) else None


def _join_times(corpora: Sequence[Corpus]) -> Times | None:
    times = [corpus.times for corpus in corpora if corpus.times is not None]
    if len(times) < len(corpora):
        return None
    kinds = ["dates" if each.dtype.kind == "M" else "numbers" for each in times]
    for corpus, kind in zip(corpora, kinds):
        if kind != kinds[0]:
            raise DataError(
                f"{corpus.name}: expected {kinds[0]} as the times, like in {corpora[0].name}, "
                f"found {kind}: give times of one kind"
            )
    return np.concatenate(times)
