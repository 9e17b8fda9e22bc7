r"""Splits text into tokens: the same code in training, conversion and on the device.

This is the tokenizer of `vocab.json` format 4; `older_tokenizer.py` has that of formats 1 to 3.
Every implementation uses the characters of one Unicode version, whatever its platform has. In this
order it

1. replaces zero-width spaces between two characters of Thai, Lao, Khmer or Burmese by a space, and
   so code points that the version does not assign, except in the blocks of emoji,
2. removes invisible characters: soft hyphens, word joiners, directional marks, variation selectors
   and other zero-width spaces,
3. shortens runs of more than `MAX_MARKS` marks,
4. composes (NFC), lowers the case of each character by itself, drops the dot that this adds to the
   i of `İ`, replaces `ς` by `σ` and `’` by `'`, and composes again,
5. takes the matches of a pattern: a letter of a script without spaces between words (Han, kana,
   Thai, Lao, Khmer, Burmese) with its marks, or a word.

A word is a run of letters, numbers, and the marks and joiners that follow them, with apostrophes
and underscores only inside. Punctuation is not a token, except that a model can be trained with
`!`, `?` and emoji as tokens of their own.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from .unicode_table import LETTERS, MARKS, UNASSIGNED, UNICODE_VERSION, UNSPACED

UNICODE_VOCABULARY = 4

#: Miscellaneous symbols and dingbats, the star, and the blocks of pictographs and faces, without
#: the signs that only vary a gesture or a person: female (U+2640), male (U+2642) and the five skin
#: tones (U+1F3FB to U+1F3FF). Characters, not escapes, because languages differ in their escapes.
EMOJI = "\u2600-\u263f\u2641\u2643-\u27bf\u2b50\U0001f300-\U0001f3fa\U0001f400-\U0001faff"

#: The ASCII punctuation that can be tokens. Others say little about a text's class: full stops and
#: commas are in most texts, several in a sentence, and each token costs time and input length.
PUNCTUATION = "!?"

#: Removed from text: they are not seen, and occur inside words.
INVISIBLE = (
    "\u00ad\u034f\u061c\u180b-\u180d\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
    "\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
)
JOINERS = "\u200c\u200d"
_SEPARATED = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
#: Zero-width spaces in the blocks of Thai, Lao, Burmese and Khmer, where they separate words.
SEPARATOR = f"(?<=[{_SEPARATED}])\u200b+(?=[{_SEPARATED}])"
REPLACEMENTS = {"i\u0307": "i", "ς": "σ", "’": "'"}

# Composition takes time quadratic in the length of a run of marks: minutes for a megabyte. No
# script has runs this long.
MAX_MARKS = 1024

CHARACTERS_PER_TOKEN = 6  # with the space; how much text `tokenize_start` looks at first

# Each character has a class, and tokens are matches in the string of these classes. A regular
# expression with the sets of characters themselves would be twenty times slower.
LETTER, UNSPACED_LETTER, MARK, JOINER, SYMBOL = "LUMJ!"
UNASSIGNED_CODE, INVISIBLE_CHARACTER, OTHER = "X~ "
_INSIDE = f"[{LETTER}{MARK}{JOINER}]"
_WORD = f"{LETTER}{_INSIDE}*(?:_+{_INSIDE}+)*"
WORD_CLASSES = f"{UNSPACED_LETTER}[{MARK}{JOINER}]*|{_WORD}(?:'{_WORD})*"
_words = re.compile(WORD_CLASSES)
_words_and_symbols = re.compile(f"{WORD_CLASSES}|{SYMBOL}")
_long_run = re.compile(f"(?<={MARK * MAX_MARKS}){MARK}+")
_separator = re.compile(SEPARATOR)
LARGEST_CACHED = 0xFFFF  # beyond, a hostile text could fill the cache with a million entries


class _Classes(dict[int, str]):
    """Code point -> class, for `str.translate`; filled as characters occur."""

    def __init__(self) -> None:
        changes = {0: OTHER}
        for class_, encoded in (
            (LETTER, LETTERS),
            (UNSPACED_LETTER, UNSPACED),
            (MARK, MARKS),
            (UNASSIGNED_CODE, UNASSIGNED),
        ):
            for first, last in read_ranges(encoded):
                changes[first] = class_
                changes.setdefault(last + 1, OTHER)
        self._starts = sorted(changes)
        self._classes = [changes[start] for start in self._starts]
        for class_, pattern in ((INVISIBLE_CHARACTER, INVISIBLE), (SYMBOL, PUNCTUATION + EMOJI)):
            for first, last in _read_class(pattern):
                for code in range(first, last + 1):
                    if class_ is INVISIBLE_CHARACTER or self[code] != LETTER:
                        self[code] = class_
        self.update(dict.fromkeys(map(ord, "'’"), "'"))
        self.update(dict.fromkeys(map(ord, JOINERS), JOINER))
        self[ord("_")] = "_"

    def __missing__(self, code: int) -> str:
        class_ = self._classes[bisect_right(self._starts, code) - 1]
        if code <= LARGEST_CACHED:
            self[code] = class_
        return class_


class _SpacedCharacters(dict[int, str]):
    """Code point -> itself if it is a letter, else a space; NUL if only the pattern will do."""

    def __init__(self, punctuation: bool) -> None:
        self._symbol = " {} " if punctuation else " "

    def __missing__(self, code: int) -> str:
        class_, character = _classes()[code], chr(code)
        replacements = {LETTER: character, "'": "'", OTHER: " ", SYMBOL: self._symbol}
        replacement = replacements.get(class_, "\0").format(character)
        if code <= LARGEST_CACHED:
            self[code] = replacement
        return replacement


@lru_cache(1)
def _classes() -> _Classes:  # made when used: it takes milliseconds
    return _Classes()


_spaced_characters = lru_cache(2)(_SpacedCharacters)


def classify(text: str) -> str:
    """Return the class of each character: `"Don’t, Émile!"` -> `"LLL'L  LLLLL!"`."""
    return text.translate(_classes())


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
    def vocabulary_format(self) -> int:
        """The newest format of `vocab.json` that has this tokenizer."""
        return UNICODE_VOCABULARY

    @property
    def takes_parts(self) -> bool:
        """Whether an unknown word with apostrophes takes the id of its longest known part."""
        return self.vocabulary_format >= UNICODE_VOCABULARY

    @property
    def specification(self) -> dict[str, Any]:
        """The entry in the vocabulary file; this module's docstring has the steps."""
        marks = r"\p{Mn}\p{Mc}" + JOINERS
        word = rf"[\p{{Letter}}][\p{{Letter}}{marks}]*(?:_+[\p{{Letter}}{marks}]+)*"
        symbols = f"|[{PUNCTUATION}{EMOJI}]" if self.punctuation else ""
        return {
            "unicode": UNICODE_VERSION,
            "separate": SEPARATOR,
            "remove": f"[{INVISIBLE}]",
            "normalize": "NFC",
            "lowercase": True,
            "replace": REPLACEMENTS,
            "unspaced": ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"],
            "pattern": rf"\p{{Unspaced}}[{marks}]*|{word}(?:'{word})*{symbols}",
            "unknown": "longest known part between apostrophes",
        }

    def normalize(self, text: str) -> str:
        """Normalize text before it is split: `"Don’t, İyi"` -> `"don't, iyi"`."""
        if text.isascii():
            return text.lower()
        normalized = _compose(text)
        classes = classify(normalized)
        if INVISIBLE_CHARACTER in classes or UNASSIGNED_CODE in classes:
            return _compose(_clean(text))
        return normalized

    def tokenize(self, text: str) -> list[str]:
        """Split text into tokens: `"It’s 'fine', Renée!"` -> `["it's", "fine", "renée"]`.

        With punctuation the last token is `"!"`. Accepts any string, including lone surrogates and
        NUL characters.
        """
        if text.isascii() and "_" not in text:
            return self._split_ascii(text)
        spaced = _compose(text).translate(_spaced_characters(self.punctuation))
        return [*self._iterate(text)] if "\0" in spaced else _split_words(spaced)

    def tokenize_start(self, text: str, count: int) -> list[str]:
        """Return `tokenize(text)[:count]` without tokenizing the rest of a long text.

        The text is cut only at spaces. Neither composition (NFC) nor a token reaches across a
        space, so the result is exact.
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
            tokens += islice(self._iterate(text[start:end]), count)
            start = end
        return tokens[:count]

    def find_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each token in text as it is written.

        Tokens that hold a character which is removed, or whose marks are not composed, are found in
        pieces.
        """
        return (match.span() for match in self._pattern.finditer(classify(text)))

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _words_and_symbols if self.punctuation else _words

    def _iterate(self, text: str) -> Iterator[str]:
        """Yield the tokens of a text."""
        text = self.normalize(text)
        for match in self._pattern.finditer(classify(text)):
            yield text[match.start() : match.end()]

    def _split_ascii(self, text: str) -> list[str]:
        """Split ASCII text as the pattern does, three times as fast: one table, one split."""
        content = text.encode().translate(self._ascii_table)
        for mark, spaced in self._spaced_marks:
            content = content.replace(mark, spaced)
        return _split_words(content.decode())


def _split_words(text: str) -> list[str]:
    """Split text that holds only letters, apostrophes, symbols between spaces, and spaces."""
    if "'" in text:  # only apostrophes between two letters are part of a token
        text = f" {text} ".replace("''", "  ").replace(" '", " ").replace("' ", " ")
    return text.split()


def _compose(text: str) -> str:
    """Compose text and lower its case, each character by itself."""
    if MARK in classify(text[MAX_MARKS::MAX_MARKS]):  # any longer run has one of these characters
        classes = classify(text)
        kept, end = [], 0
        for run in _long_run.finditer(classes):
            kept.append(text[end : run.start()])
            end = run.end()
        text = "".join([*kept, text[end:]])
    text = unicodedata.normalize("NFC", text).lower()
    for old, new in REPLACEMENTS.items():
        text = text.replace(old, new)
    return unicodedata.normalize("NFC", text)


def _clean(text: str) -> str:
    """Replace characters that are not assigned, and remove those that are not seen."""
    text = _separator.sub(" ", text)
    return "".join(
        " " if class_ == UNASSIGNED_CODE else character
        for character, class_ in zip(text, classify(text))
        if class_ != INVISIBLE_CHARACTER
    )


def _make_ascii_table(marks: str) -> bytes:
    """Return the table that maps ASCII word characters to lower case, and the rest to a space.

    Apostrophes and these marks stay.
    """
    kept = re.compile(rf"[\w'{marks}]")
    characters = map(chr, range(128))
    table = "".join(char.lower() if kept.match(char) else " " for char in characters)
    return table.encode().ljust(256)


def read_ranges(encoded: str) -> Iterator[tuple[int, int]]:
    """Yield the first and last code point of each range of a set in `unicode_table.py`."""
    end = 0
    for part in encoded.split():
        gap, _, length = part.partition("-")
        first = end + int(gap, 36)
        end = first + (int(length, 36) if length else 1)
        yield first, end - 1


def _read_class(pattern: str) -> Iterator[tuple[int, int]]:
    """Yield the first and last code point of each range in a regular expression's class."""
    for first, last in re.findall("(.)(?:-(.))?", pattern, re.DOTALL):
        yield ord(first), ord(last or first)


#: The tokenizer of models that read only words: the default of training.
WORDS = Tokenizer()
#: That of models that were trained with `!`, `?` and emoji as tokens.
WORDS_AND_PUNCTUATION = Tokenizer(punctuation=True)
