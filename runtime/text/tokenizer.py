"""Splits text into tokens: the same code in training, conversion and on the device.

Unicode NFC, lower case, typographic apostrophes replaced by plain ones, then runs of word
characters with apostrophes only between them. Punctuation is not a token, except that a model can
be trained with `!`, `?` and emoji as tokens of their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

WORD_PATTERN = r"\w+(?:'\w+)*"

#: Miscellaneous symbols and dingbats, the star, and the blocks of pictographs and faces, without
#: the signs that only vary a gesture or a person: female (U+2640), male (U+2642) and the five skin
#: tones (U+1F3FB to U+1F3FF). Characters, not escapes, because languages differ in their escapes.
EMOJI = "\u2600-\u263f\u2641\u2643-\u27bf\u2b50\U0001f300-\U0001f3fa\U0001f400-\U0001faff"

#: The ASCII punctuation that can be tokens. Others say little about a text's class: full stops and
#: commas are in most texts, several in a sentence, and each token costs time and input length.
PUNCTUATION = "!?"
PUNCTUATION_PATTERN = f"{WORD_PATTERN}|[{PUNCTUATION}{EMOJI}]"

CHARACTERS_PER_TOKEN = 6  # with the space; how much text `tokenize_start` looks at first
FINDALL_CHARACTERS = 1 << 16  # up to here findall is faster than finditer, and memory is no problem

# Composition takes time quadratic in the length of a run of combining marks: minutes for a
# megabyte. No script has runs this long, and marks that do not compose are part of no token, so the
# rest of such a run is dropped. Emoji end a run, for composition too.
MAX_COMBINING_MARKS = 1024
_mark = rf"[^\w\x00-\x7f’{EMOJI}]"
_long_run = re.compile(rf"({_mark}{{{MAX_COMBINING_MARKS}}}){_mark}+")


def normalize(text: str) -> str:
    """Normalize text to NFC, lower case and plain apostrophes: `"Don’t"` -> `"don't"`."""
    if text.isascii():
        return text.lower()
    # Any run longer than the limit holds one of these characters.
    if any(map(unicodedata.combining, text[MAX_COMBINING_MARKS::MAX_COMBINING_MARKS])):
        text = _long_run.sub(r"\1", text)
    return unicodedata.normalize("NFC", text).lower().replace("’", "'")


@dataclass(frozen=True)
class Tokenizer:
    """A way to split text into tokens.

    Attributes:
        punctuation: whether `!`, `?` and emoji are tokens too, one for each character; else only
            words are.
    """

    punctuation: bool = False
    _ascii_table: bytes = field(init=False, repr=False, compare=False)
    _spaced_marks: tuple[tuple[bytes, bytes], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        marks = PUNCTUATION if self.punctuation else ""
        spaced = tuple((mark.encode(), f" {mark} ".encode()) for mark in marks)
        object.__setattr__(self, "_ascii_table", _make_ascii_table(marks))
        object.__setattr__(self, "_spaced_marks", spaced)

    @property
    def pattern(self) -> str:
        """The regular expression whose matches in normalized text are the tokens."""
        return PUNCTUATION_PATTERN if self.punctuation else WORD_PATTERN

    @cached_property
    def _token(self) -> re.Pattern[str]:  # compiled when used: it takes milliseconds
        return re.compile(self.pattern)

    @property
    def specification(self) -> dict[str, Any]:
        """The entry in the vocabulary file, from which a port can reimplement the tokenizer."""
        return {
            "normalize": "NFC",
            "lowercase": True,
            "replace": {"’": "'"},
            "pattern": self.pattern,
        }

    def tokenize(self, text: str) -> list[str]:
        """Split text into tokens: `"It’s 'fine', Renée!"` -> `["it's", "fine", "renée"]`.

        With punctuation the last token is `"!"`. Accepts any string, including lone surrogates and
        NUL characters.
        """
        if text.isascii():
            return self._split_ascii(text)
        return self._token.findall(normalize(text))

    def tokenize_start(self, text: str, count: int) -> list[str]:
        """Return `tokenize(text)[:count]` without tokenizing the rest of a long text.

        The text is cut only at spaces. Neither composition (NFC) nor lower case (the final sigma)
        nor a token reaches across a space, so the result is exact.
        """
        if len(text) <= CHARACTERS_PER_TOKEN * count:
            return self.tokenize(text)[:count]
        tokens: list[str] = []
        start, size = 0, len(text)
        while start < size and len(tokens) < count:
            end = start + CHARACTERS_PER_TOKEN * (count - len(tokens)) + 1
            if end < size:
                end = text.find(" ", end)
            if end < 0 or end > size:
                end = size
            tokens += self._tokenize_piece(text[start:end], count)
            start = end
        return tokens[:count]

    def _split_ascii(self, text: str) -> list[str]:
        """Split ASCII text as the pattern does, three times as fast: one table, one split."""
        content = text.encode().translate(self._ascii_table)
        for mark, spaced in self._spaced_marks:
            content = content.replace(mark, spaced)
        text = content.decode()
        if "'" in text:  # only apostrophes between two word characters are part of a token
            text = f" {text} ".replace("''", "  ").replace(" '", " ").replace("' ", " ")
        return text.split()

    def _tokenize_piece(self, text: str, count: int) -> list[str]:
        """Tokenize a piece of text; of one without spaces, only the first `count` tokens."""
        if len(text) <= FINDALL_CHARACTERS:
            return self.tokenize(text)
        return [match[0] for match in islice(self._token.finditer(normalize(text)), count)]


def _make_ascii_table(marks: str) -> bytes:
    """Return the table that maps ASCII word characters to lower case, and the rest to a space.

    Apostrophes and these marks stay.
    """
    kept = re.compile(rf"[\w'{marks}]")
    characters = map(chr, range(128))
    table = "".join(char.lower() if kept.match(char) else " " for char in characters)
    return table.encode().ljust(256)


#: The tokenizer of models that read only words: the default of training.
WORDS = Tokenizer()
#: That of models that were trained with `!`, `?` and emoji as tokens.
WORDS_AND_PUNCTUATION = Tokenizer(punctuation=True)
TOKENIZERS = (WORDS, WORDS_AND_PUNCTUATION)
