r"""The spellings that make MediaPipe's case-sensitive tokenizer agree with ours.

MediaPipe cuts text at the matches of a pattern and looks the pieces up as they stand. It neither
lowers case nor composes accents, but several pieces may share an index: so each token is listed in
the spellings that text holds it in. RE2's `\w` is ASCII, hence Unicode's classes in the pattern.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from runtime.tokenizer import tokenize
from runtime.vocabulary import PADDING_ID, SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

_WORD = r"\p{L}\p{N}\p{M}_"  # marks too: an accent that text holds by itself
#: Where MediaPipe cuts: at what is no word, with the apostrophes about it; at several apostrophes;
#: at those before the first word and after the last.
DELIMITERS = rf"['’]*[^{_WORD}'’][^{_WORD}]*|['’]{{2,}}|^['’]+|['’]+$"


def spell(token: str) -> Iterator[str]:
    """Give the spellings of a token that text is likely to hold.

    Args:
        token: a token of ours, in lower case.

    Yields:
        Different spellings, the token itself first: `"don't"` → don't, Don't, DON'T, don’t, Don’t,
        DON’T; `"café"` → also with the accent as a mark of its own.
    """
    cased = [token, token[:1].upper() + token[1:], token.upper()]
    stem, apostrophe, ending = token.rpartition("'")
    if apostrophe:
        cased.append(stem.upper() + apostrophe + ending)  # DVD's
    if token[1:2] == "'":
        cased.append(token.title())  # O'Brien
    if token.startswith("mc"):
        cased.append("Mc" + token[2:].capitalize())  # McCoy
    for form in ("NFC", "NFD"):
        for each in cased:
            spelling = unicodedata.normalize(form, each)
            yield spelling
            yield spelling.replace("'", "’")


def list_spellings(vocabulary: Vocabulary) -> str:
    """Write MediaPipe's vocabulary file.

    Args:
        vocabulary: the bundle's.

    Returns:
        Lines of a spelling and its index, `<PAD>` and `<UNKNOWN>` among them. A spelling is listed
        once, and only if our tokenizer makes that very token of it.
    """
    indices = {SPECIAL_TOKENS[0]: PADDING_ID, SPECIAL_TOKENS[1]: UNKNOWN_ID}
    for index, token in enumerate(vocabulary.tokens[len(SPECIAL_TOKENS) :], len(SPECIAL_TOKENS)):
        for spelling in spell(token):
            if tokenize(spelling) == [token]:
                indices.setdefault(spelling, index)
    return "".join(f"{spelling} {index}\n" for spelling, index in indices.items())
