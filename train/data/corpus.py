"""A corpus: labelled texts kept on disk, with its properties."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt

from runtime.aliases import Log, Longs
from runtime.errors import DataError
from runtime.io.labelled_text import Row, locate

_PROGRESS_ROWS = 250_000


class Texts(Sequence[str]):
    """An immutable sequence of strings in an unnamed temporary file, mapped into memory.

    A million rows take memory only for their offsets.
    """

    def __init__(self, data: mmap.mmap | bytes, starts: Longs, rows: Longs) -> None:
        """Wrap stored texts; `TextStore.finish` creates them.

        Args:
            data: all texts in UTF-8 (lone surrogates allowed), concatenated.
            starts: int64 [stored texts + 1], offset of each.
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
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))
        return content

    def finish(self) -> Texts:
        """Close the store and return its texts in the order of `add`."""
        starts = np.array(self._starts, np.int64)
        self._file.flush()
        data: mmap.mmap | bytes = b""
        if starts[-1]:
            data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        return Texts(data, starts, np.arange(len(starts) - 1))


@dataclass(frozen=True)
class Corpus:
    """Labelled texts in the order of their source.

    Attributes:
        name: the source's name in messages.
        texts: the texts.
        targets: int64 [texts], index of each text's class in `classes`.
        classes: class names, sorted.
        hashes: uint64 [texts], equal for equal texts.
        lines: int64 [texts], line in the source, or index in `files`.
        files: the files of a folder, one text each; empty for other sources.
    """

    name: str
    texts: Texts
    targets: Longs
    classes: tuple[str, ...]
    hashes: npt.NDArray[np.uint64]
    lines: Longs
    files: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def labels(self) -> list[str]:
        """The class name of each text."""
        return [self.classes[target] for target in self.targets]

    @property
    def duplicates(self) -> int:
        """How many texts are exact copies of an earlier one."""
        return len(self) - len(np.unique(self.hashes))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of texts and labels in order, in hexadecimal."""
        digest = hashlib.sha256("\0".join(self.classes).encode("utf-8", "surrogatepass"))
        digest.update(self.hashes.tobytes() + self.targets.tobytes())
        return digest.hexdigest()

    def where(self, row: int) -> str:
        """Return where a text comes from: file and line, or its own file."""
        return locate(self.name, int(self.lines[row]), self.files)

    def select(self, rows: npt.ArrayLike) -> Corpus:
        """Return the corpus of these rows, in this order; the classes stay."""
        rows = np.asarray(rows, np.int64)
        return replace(
            self,
            texts=self.texts.select(rows),
            targets=self.targets[rows],
            hashes=self.hashes[rows],
            lines=self.lines[rows],
        )


def build_corpus(name: str, rows: Iterable[Row], log: Log, files: Sequence[str] = ()) -> Corpus:
    """Store rows as a corpus, without holding their text in memory.

    Args:
        name: the source's name in messages.
        rows: the rows.
        log: receives the progress of a long read.
        files: the files of a folder; a row's line is an index into it.
    """
    store, targets, hashes, lines = TextStore(), array("q"), array("Q"), array("q")
    numbers: dict[str, int] = {}  # class -> number in order of appearance
    for row in rows:
        content = store.add(row.text)
        targets.append(numbers.setdefault(row.label, len(numbers)))
        hashes.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
        lines.append(row.line)
        if len(targets) % _PROGRESS_ROWS == 0:
            log(f"{name}: {len(targets):,} rows read")
    classes = tuple(sorted(numbers))
    sorted_index = np.array([classes.index(label) for label in numbers], np.int64)
    return Corpus(
        name,
        store.finish(),
        sorted_index[np.array(targets, np.int64)],
        classes,
        np.array(hashes, np.uint64),
        np.array(lines, np.int64),
        files,
    )


def check_corpus(corpus: Corpus, min_texts: int = 3) -> Corpus:
    """Return the corpus if a classifier can be trained on it.

    Args:
        corpus: the corpus.
        min_texts: how many distinct texts each class needs.

    Raises:
        DataError: fewer than two classes, or a class with too few distinct texts.
    """
    if len(corpus.classes) < 2:
        raise DataError(
            f"{corpus.name}: expected two classes or more, found {list(corpus.classes)}"
        )
    _, first = np.unique(corpus.hashes, return_index=True)
    counts = np.bincount(corpus.targets[first], minlength=len(corpus.classes))
    target = int(counts.argmin())
    if counts[target] < min_texts:
        rows = np.flatnonzero(corpus.targets == target)
        where = f" ({corpus.where(int(rows[0]))})" if len(rows) else ""
        raise DataError(
            f"{corpus.name}: label {corpus.classes[target]!r} has {counts[target]} distinct "
            f"text(s){where}, expected at least {min_texts}: add some, or remove the label"
        )
    return corpus


def describe_contradictions(corpus: Corpus) -> str | None:
    """Return how many texts have two labels, and where the first is; None if none has."""
    order = np.argsort(corpus.hashes, kind="stable")
    hashes, targets = corpus.hashes[order], corpus.targets[order]
    differs = (hashes[1:] == hashes[:-1]) & (targets[1:] != targets[:-1])
    if not differs.any():
        return None
    row = int(order[1:][differs].min())
    return (
        f"{len(np.unique(hashes[1:][differs])):,} texts have two labels, the first at "
        f"{corpus.where(row)}; all are kept"
    )
