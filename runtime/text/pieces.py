"""Splits words into pieces: the tokenizer of models that were trained without word vectors.

Text is normalized as for words, and separated at white space. `▁` (U+2581) is put before each word.
From the left, each token is the longest piece that the rest of the word starts with, or a single
character if none fits, which is then unknown. Punctuation and emoji are part of the words. The
pieces are the tokens of `vocab.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .tokenizer import Tokenizer

WORD_START = "\u2581"
_words = re.compile(r"\S+")


@dataclass(frozen=True)
class PieceTokenizer(Tokenizer):
    """A way to split text into pieces of words.

    Attributes:
        pieces: those that start a word begin with `WORD_START`.
    """

    pieces: frozenset[str] = frozenset()
    _longest: int = field(init=False, repr=False, compare=False, default=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_longest", max(map(len, self.pieces), default=1))

    @property
    def takes_parts(self) -> bool:
        """Whether an unknown word with apostrophes takes the id of its longest known part."""
        return False

    @property
    def specification(self) -> dict[str, Any]:
        """The entry in the vocabulary file; this module's docstring has the steps."""
        steps = super().specification
        kept = ("unicode", "separate", "remove", "normalize", "lowercase", "replace")
        return {
            **{name: steps[name] for name in kept},
            "word_start": WORD_START,
            "segment": "longest token from the left",
        }

    def segment(self, word: str) -> Iterator[str]:
        """Yield the pieces of a normalized word: `"walking"` -> `▁walk`, `ing`."""
        word, start = WORD_START + word, 0
        while start < len(word):
            end = min(start + self._longest, len(word))
            while end > start + 1 and word[start:end] not in self.pieces:
                end -= 1
            yield word[start:end]
            start = end

    def tokenize(self, text: str) -> list[str]:
        """Split text into pieces: `"Walking on"` -> `["▁walk", "ing", "▁on"]`."""
        return [*self._iterate(text)]

    def find_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each token in text as it is written.

        Where normalization changes the length of a word, each of its pieces is found at its end.
        """
        for match in _words.finditer(text):
            start, pieces = match.start(), [*self._iterate(match[0])]
            exact = sum(map(len, pieces)) == len(match[0]) + 1
            for number, piece in enumerate(pieces):
                end = start + len(piece) - (not number) if exact else match.end()
                yield start, end
                start = end

    def _iterate(self, text: str) -> Iterator[str]:
        for word in self.normalize(text).split():
            yield from self.segment(word)


def make_pieces(tokens: Iterable[str]) -> PieceTokenizer:
    """Return the tokenizer of these pieces."""
    return PieceTokenizer(pieces=frozenset(tokens))


#: What is written into vocabulary files, whose tokens are the pieces.
PIECES_SPECIFICATION = PieceTokenizer().specification
