"""Counts what a classifier has classified, so that a service shows when its input changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from threading import get_ident
from typing import Protocol

from .text.vocabulary import UNKNOWN_ID, Encoded


class _Judged(Protocol):
    @property
    def abstained(self) -> bool: ...
    @property
    def unfamiliar(self) -> bool: ...
    @property
    def labels(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Usage:
    """What a classifier has classified since it was loaded; no number ever decreases.

    Attributes:
        texts: texts classified.
        abstained: those whose prediction should not be relied on.
        unfamiliar: those with too few known words.
        tokens: tokens of the texts, as far as the model reads them.
        unknown_tokens: those that are neither listed nor hashed words.
        without_labels: texts to which a multi-label bundle gave no label.
    """

    texts: int = 0
    abstained: int = 0
    unfamiliar: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    without_labels: int = 0


_NOTHING = astuple(Usage())


class UsageCounter:
    """Counts for any number of threads.

    Each thread has a count of its own, so no lock is needed, which a fork could copy while it is
    held. It is replaced as a whole, so that a reader sees one state of it.
    """

    def __init__(self) -> None:
        self._by_thread: dict[int, tuple[int, ...]] = {}  # the fields of `Usage`

    def add(self, texts: Sequence[Encoded], predictions: Sequence[_Judged]) -> None:
        """Count texts and their predictions."""
        thread = get_ident()
        count, abstained, unfamiliar, tokens, unknown, bare = self._by_thread.get(thread, _NOTHING)
        for text, prediction in zip(texts, predictions):
            abstained += prediction.abstained
            unfamiliar += prediction.unfamiliar
            tokens += len(text.ids)
            unknown += text.ids.count(UNKNOWN_ID)
            bare += not prediction.labels
        counts = (count + len(texts), abstained, unfamiliar, tokens, unknown, bare)
        self._by_thread[thread] = counts

    def total(self) -> Usage:
        """Return the counts of all threads."""
        return Usage(*map(sum, zip(_NOTHING, *self._by_thread.copy().values())))
