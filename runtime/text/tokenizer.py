"""Splits text into tokens: the same code in training, conversion and on the device.

Unicode NFC, lower case, typographic apostrophes replaced by plain ones, then runs of word
characters with apostrophes only between them. Punctuation is not a token.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

PATTERN = r"\w+(?:'\w+)*"

#: The tokenizer's entry in the vocabulary file, from which a port can reimplement it.
SPECIFICATION = {"normalize": "NFC", "lowercase": True, "replace": {"’": "'"}, "pattern": PATTERN}

CHARACTERS_PER_TOKEN = 6  # with the space; how much text `tokenize_start` looks at first
FINDALL_CHARACTERS = 1 << 16  # up to here findall is faster than finditer, and memory is no problem
_token = re.compile(PATTERN)

# Maps ASCII word characters to lower case, keeps the apostrophe, and maps the rest to a space.
_ASCII_TABLE = (
    "".join(chr(code).lower() if re.match(r"[\w']", chr(code)) else " " for code in range(128))
    .encode()
    .ljust(256)
)

# Composition takes time quadratic in the length of a run of combining marks: minutes for a
# megabyte. No script has runs this long, and marks that do not compose are part of no token, so the
# rest of such a run is dropped.
MAX_COMBINING_MARKS = 1024
_long_run = re.compile(rf"([^\w\x00-\x7f’]{{{MAX_COMBINING_MARKS}}})[^\w\x00-\x7f’]+")


def normalize(text: str) -> str:
    """Normalize text to NFC, lower case and plain apostrophes: `"Don’t"` -> `"don't"`."""
    if text.isascii():
        return text.lower()
    # Any run longer than the limit holds one of these characters.
    if any(map(unicodedata.combining, text[MAX_COMBINING_MARKS::MAX_COMBINING_MARKS])):
        text = _long_run.sub(r"\1", text)
    return unicodedata.normalize("NFC", text).lower().replace("’", "'")


def tokenize(text: str) -> list[str]:
    """Split text into tokens: `"It’s 'fine', Renée!"` -> `["it's", "fine", "renée"]`.

    Accepts any string, including lone surrogates and NUL characters.
    """
    return _tokenize_ascii(text) if text.isascii() else _token.findall(normalize(text))


def tokenize_start(text: str, count: int) -> list[str]:
    """Return `tokenize(text)[:count]` without tokenizing the rest of a long text.

    The text is cut only at spaces. Neither composition (NFC) nor lower case (the final sigma) nor a
    token reaches across a space, so the result is exact.

    Args:
        text: any text.
        count: how many tokens to return at most, 1 or more.
    """
    if len(text) <= CHARACTERS_PER_TOKEN * count:
        return tokenize(text)[:count]
    tokens: list[str] = []
    start, size = 0, len(text)
    while start < size and len(tokens) < count:
        end = start + CHARACTERS_PER_TOKEN * (count - len(tokens)) + 1
        if end < size:
            end = text.find(" ", end)
        if end < 0 or end > size:
            end = size
        tokens += _tokenize_piece(text[start:end], count)
        start = end
    return tokens[:count]


def _tokenize_ascii(text: str) -> list[str]:
    """Split ASCII text as the pattern does, three times as fast: one table, one split."""
    text = text.encode().translate(_ASCII_TABLE).decode()
    if "'" in text:  # only apostrophes between two word characters are part of a token
        text = f" {text} ".replace("''", "  ").replace(" '", " ").replace("' ", " ")
    return text.split()


def _tokenize_piece(text: str, count: int) -> list[str]:
    """Tokenize a piece of text; of one without spaces, only the first `count` tokens."""
    if len(text) <= FINDALL_CHARACTERS:
        return tokenize(text)
    return [match[0] for match in islice(_token.finditer(normalize(text)), count)]
