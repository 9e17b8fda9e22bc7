"""The tokenizer of `vocab.json` formats 1 to 3, for runs and bundles that have it.

Unicode NFC, lower case, typographic apostrophes replaced by plain ones, then runs of word
characters with apostrophes only between them. Combining marks that NFC does not compose are no word
characters, and the platform's own version of Unicode decides what is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .tokenizer import EMOJI, PUNCTUATION, Tokenizer

WORD_PATTERN = r"\w+(?:'\w+)*"
PUNCTUATION_PATTERN = f"{WORD_PATTERN}|[{PUNCTUATION}{EMOJI}]"

OLDER_VOCABULARIES = 3

# Composition takes time quadratic in the length of a run of combining marks: minutes for a
# megabyte. No script has runs this long, and marks that do not compose are part of no token, so the
# rest of such a run is dropped. Emoji end a run, for composition too.
MAX_COMBINING_MARKS = 1024
_mark = rf"[^\w\x00-\x7f’{EMOJI}]"
_long_run = re.compile(rf"({_mark}{{{MAX_COMBINING_MARKS}}}){_mark}+")


class OlderTokenizer(Tokenizer):
    """A way to split text into tokens, as formats 1 to 3 of `vocab.json` specify it."""

    @property
    def vocabulary_format(self) -> int:
        """The newest format of `vocab.json` that has this tokenizer."""
        return OLDER_VOCABULARIES

    @property
    def specification(self) -> dict[str, Any]:
        """The entry in the vocabulary file, from which a port can reimplement the tokenizer."""
        return {
            "normalize": "NFC",
            "lowercase": True,
            "replace": {"’": "'"},
            "pattern": PUNCTUATION_PATTERN if self.punctuation else WORD_PATTERN,
        }

    def normalize(self, text: str) -> str:
        """Normalize text to NFC, lower case and plain apostrophes: `"Don’t"` -> `"don't"`."""
        if text.isascii():
            return text.lower()
        # Any run longer than the limit holds one of these characters.
        if any(map(unicodedata.combining, text[MAX_COMBINING_MARKS::MAX_COMBINING_MARKS])):
            text = _long_run.sub(r"\1", text)
        return unicodedata.normalize("NFC", text).lower().replace("’", "'")

    def tokenize(self, text: str) -> list[str]:
        """Split text into tokens: `"It’s 'fine', Renée!"` -> `["it's", "fine", "renée"]`."""
        return self._split_ascii(text) if text.isascii() else [*self._iterate(text)]

    def find_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each token in text as it is written."""
        # The typographic apostrophe is replaced before tokens are found.
        return (match.span() for match in self._pattern.finditer(text.replace("’", "'")))

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _compile(PUNCTUATION_PATTERN if self.punctuation else WORD_PATTERN)

    def _iterate(self, text: str) -> Iterator[str]:
        return (match[0] for match in self._pattern.finditer(self.normalize(text)))


@lru_cache(2)
def _compile(pattern: str) -> re.Pattern[str]:  # when used: it takes milliseconds
    return re.compile(pattern)


OLDER_WORDS = OlderTokenizer()
OLDER_WORDS_AND_PUNCTUATION = OlderTokenizer(punctuation=True)
