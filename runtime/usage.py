"""Counts what a classifier has classified, so that a service shows when its input changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Protocol

from .text.vocabulary import UNKNOWN_ID, Encoded


class _Judged(Protocol):
    @property
    def abstained(self) -> bool: ...
    @property
    def unfamiliar(self) -> bool: ...


@dataclass(frozen=True)
class Usage:
    """What a classifier has classified since it was loaded; no number ever decreases.

    Attributes:
        texts: texts classified.
        abstained: those whose prediction should not be relied on.
        unfamiliar: those with too few known words.
        tokens: tokens of the texts, as far as the model reads them.
        unknown_tokens: those that are neither listed nor hashed words.
    """

    texts: int = 0
    abstained: int = 0
    unfamiliar: int = 0
    tokens: int = 0
    unknown_tokens: int = 0


class UsageCounter:
    """Counts for any number of threads.

    Each thread has a count of its own, so no lock is needed, which a fork could copy while it is
    held.
    """

    def __init__(self) -> None:
        self._by_thread: dict[int, Usage] = {}

    def add(self, texts: Sequence[Encoded], predictions: Sequence[_Judged]) -> None:
        """Count texts and their predictions."""
        before = self._by_thread.get(get_ident(), Usage())
        self._by_thread[get_ident()] = Usage(
            before.texts + len(texts),
            before.abstained + sum(each.abstained for each in predictions),
            before.unfamiliar + sum(each.unfamiliar for each in predictions),
            before.tokens + sum(len(text.ids) for text in texts),
            before.unknown_tokens + sum(text.ids.count(UNKNOWN_ID) for text in texts),
        )

    def total(self) -> Usage:
        """Return the counts of all threads."""
        counts = list(self._by_thread.values())
        return Usage(
            sum(each.texts for each in counts),
            sum(each.abstained for each in counts),
            sum(each.unfamiliar for each in counts),
            sum(each.tokens for each in counts),
            sum(each.unknown_tokens for each in counts),
        )
