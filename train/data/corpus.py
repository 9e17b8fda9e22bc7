"""A corpus: labelled texts on disk, with what is to be said of them."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError
from runtime.io.labelled_text import BadRow, Row
from runtime.io.packages import Say

from .text_store import Texts, TextStore

Longs = npt.NDArray[np.int64]
SHOWN = 5  # bad rows named in a message; all are counted
_PROGRESS_ROWS = 250_000


@dataclass(frozen=True)
class Corpus:
    """Labelled texts in the order of their source.

    Attributes:
        name: what the user calls it.
        texts: the texts.
        targets: int64 [texts], place of each text's class in `classes`.
        classes: class names, sorted.
        hashes: uint64 [texts], equal for equal texts.
        lines: int64 [texts], line in the source, or place in `files`.
        files: the files of a folder, a text each; empty for others.
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
    def repeated(self) -> int:
        """How many texts say again, to the letter, what another said."""
        return len(self) - len(np.unique(self.hashes))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over texts and labels in order, in hexadecimal."""
        digest = hashlib.sha256("\0".join(self.classes).encode("utf-8", "surrogatepass"))
        digest.update(self.hashes.tobytes() + self.targets.tobytes())
        return digest.hexdigest()

    def where(self, row: int) -> str:
        """Say where a text comes from: file and line, or its own file."""
        line = int(self.lines[row])
        return self.files[line] if self.files else f"{self.name}, line {line}"

    def select(self, rows: npt.ArrayLike) -> Corpus:
        """Give the corpus of these rows, in this order; the classes stay."""
        rows = np.asarray(rows, np.int64)
        return replace(
            self,
            texts=self.texts.select(rows),
            targets=self.targets[rows],
            hashes=self.hashes[rows],
            lines=self.lines[rows],
        )


def build_corpus(
    name: str,
    rows: Iterable[Row | BadRow],
    say: Say,
    skip_bad_rows: bool = False,
    files: Sequence[str] = (),
) -> Corpus:
    """Store rows as a corpus, holding none of their text in memory.

    Args:
        name: what to call it.
        rows: rows, and bad rows.
        say: told of what is skipped, and how far a long read has come.
        skip_bad_rows: leave bad rows out and say so, instead of refusing the corpus.
        files: the files of a folder; a row's line is a place in it.

    Returns:
        The corpus.

    Raises:
        DataError: there are bad rows, and they are not to be skipped.
    """
    store, targets, hashes, lines = TextStore(), array("q"), array("Q"), array("q")
    number: dict[str, int] = {}
    bad: list[BadRow] = []
    bad_count = 0
    for row in rows:
        if isinstance(row, BadRow):
            bad_count += 1
            if bad_count <= SHOWN:
                bad.append(row)
            continue
        content = store.add(row.text)
        targets.append(number.setdefault(row.label, len(number)))
        hashes.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
        lines.append(row.line)
        if len(targets) % _PROGRESS_ROWS == 0:
            say(f"{name}: {len(targets):,} rows read")
    if bad_count:
        told = _tell_bad_rows(name, bad, bad_count, files)
        if not skip_bad_rows:
            raise DataError(f"{told}; mend them, or leave them out with --skip-bad-rows")
        say(f"left out: {told}")
    classes = tuple(sorted(number))
    order = np.argsort([classes.index(label) for label in number]) if number else np.zeros(0)
    places = np.argsort(order).astype(np.int64)
    return Corpus(
        name,
        store.finish(),
        places[np.array(targets, np.int64)],
        classes,
        np.array(hashes, np.uint64),
        np.array(lines, np.int64),
        files,
    )


def check_corpus(corpus: Corpus, least: int = 3) -> Corpus:
    """Refuse a corpus that no classifier can be trained on.

    Args:
        corpus: the corpus.
        least: how many different texts a class needs.

    Returns:
        The same corpus.

    Raises:
        DataError: fewer than two classes, or a class with too few different texts.
    """
    if len(corpus.classes) < 2:
        raise DataError(
            f"{corpus.name}: expected two classes or more, found {list(corpus.classes)}"
        )
    _, first = np.unique(corpus.hashes, return_index=True)
    counts = np.bincount(corpus.targets[first], minlength=len(corpus.classes))
    target = int(counts.argmin())
    if counts[target] < least:
        rows = np.flatnonzero(corpus.targets == target)
        where = f" ({corpus.where(int(rows[0]))})" if len(rows) else ""
        raise DataError(
            f"{corpus.name}: label {corpus.classes[target]!r} has {counts[target]} different "
            f"text(s){where}; it needs {least}: add some, or leave the label out"
        )
    return corpus


def contradiction(corpus: Corpus) -> str | None:
    """Say how many texts stand under two labels, and where the first does; None if none do."""
    order = np.argsort(corpus.hashes, kind="stable")
    hashes, targets = corpus.hashes[order], corpus.targets[order]
    differs = (hashes[1:] == hashes[:-1]) & (targets[1:] != targets[:-1])
    if not differs.any():
        return None
    row = int(order[1:][differs].min())
    return (
        f"{len(np.unique(hashes[1:][differs])):,} texts stand under two labels, the first at "
        f"{corpus.where(row)}; all are kept"
    )


def _tell_bad_rows(name: str, bad: Sequence[BadRow], count: int, files: Sequence[str]) -> str:
    shown = [f"{files[row.line] if files else f'line {row.line}'}: {row.reason}" for row in bad]
    more = f" … and {count - len(shown):,} more" if count > len(shown) else ""
    rows = "1 row" if count == 1 else f"{count:,} rows"
    return f"{name}: {rows} cannot be used: {'; '.join(shown)}{more}"
