"""Text to tokens: the same few lines in training, conversion and on the device.

The whole of it: Unicode NFC, lower case, the typographic apostrophe made plain, then the runs of
word characters with apostrophes only inside them. Punctuation is not a token.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

PATTERN = r"\w+(?:'\w+)*"

#: What the vocabulary file says of the tokenizer, so that a port in another language can obey it.
SPECIFICATION = {"normalize": "NFC", "lowercase": True, "replace": {"’": "'"}, "pattern": PATTERN}

CHARACTERS_PER_TOKEN = 6  # with the space; only what `tokenize_start` tries first depends on it
MUCH = 1 << 16  # characters; up to there findall is faster and no burden
_token = re.compile(PATTERN)

# ASCII's word characters in lower case, the apostrophe, and a space for all else.
_ASCII = (
    "".join(chr(code).lower() if re.match(r"[\w']", chr(code)) else " " for code in range(128))
    .encode()
    .ljust(256)
)

# Composition takes time that grows with the square of a run of combining marks: minutes for a
# megabyte of them. No script writes a run this long, and marks left over are part of no token, so
# the rest of one may go.
MOST_MARKS = 1024
_long_run = re.compile(rf"([^\w\x00-\x7f’]{{{MOST_MARKS}}})[^\w\x00-\x7f’]+")


def normalize(text: str) -> str:
    """Bring text to the one spelling that tokens are cut from.

    Args:
        text: any text.

    Returns:
        The text in NFC, lower case and with plain apostrophes: `"Don’t"` → `"don't"`.
    """
    if text.isascii():
        return text.lower()
    if any(map(unicodedata.combining, text[MOST_MARKS::MOST_MARKS])):  # as there are in every run
        text = _long_run.sub(r"\1", text)
    return unicodedata.normalize("NFC", text).lower().replace("’", "'")


def tokenize(text: str) -> list[str]:
    """Cut text into tokens.

    Args:
        text: any text, lone surrogates and NUL characters included.

    Returns:
        The tokens in order: `"It’s 'fine', Renée!"` → `["it's", "fine", "renée"]`.
    """
    return _cut_ascii(text) if text.isascii() else _token.findall(normalize(text))


def _cut_ascii(text: str) -> list[str]:
    """Cut a text of ASCII as the pattern does, three times as fast: one table, one split."""
    text = text.encode().translate(_ASCII).decode()
    if "'" in text:  # only those between two word characters are part of a token
        text = f" {text} ".replace("''", "  ").replace(" '", " ").replace("' ", " ")
    return text.split()


def tokenize_start(text: str, count: int) -> list[str]:
    """Cut only as much of a text as its first tokens need.

    A document of ten thousand words costs as little as its first page. The answer is exactly that
    of `tokenize(text)[:count]`, because the text is parted at spaces, and neither composition
    (NFC), nor lower case (the final sigma), nor a token reaches across one.

    Args:
        text: any text.
        count: how many tokens are wanted, 1 or more.

    Returns:
        The first `count` tokens, or all where there are fewer.
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
        tokens += _first_tokens(text[start:end], count)
        start = end
    return tokens[:count]


def _first_tokens(text: str, count: int) -> list[str]:
    """Cut text into tokens, of one that no space parts no more than are wanted."""
    if len(text) <= MUCH:
        return tokenize(text)
    return [found[0] for found in islice(_token.finditer(normalize(text)), count)]
