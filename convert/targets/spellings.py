r"""The spellings that make MediaPipe's case-sensitive tokenizer agree with ours.

MediaPipe splits text at the matches of a pattern and looks up the pieces unchanged. It neither
lowercases nor composes accents, but several pieces may share an index, so each token is listed in
the spellings that are common in text. RE2's `\w` is ASCII, hence the Unicode classes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from glovelite.runtime.text.vocabulary import PADDING_ID, SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

_WORD = r"\p{L}\p{N}\p{M}_"  # marks: decomposed accents
#: Where MediaPipe splits: at anything that is not a word, with adjacent apostrophes; at several
#: apostrophes; at apostrophes before the first word and after the last.
DELIMITERS = rf"['’]*[^{_WORD}'’][^{_WORD}]*|['’]{{2,}}|^['’]+|['’]+$"


def spell(token: str) -> Iterator[str]:
    """Yield the spellings of a lowercase token that are common in text.

    Yields:
        Spellings, the token itself first: `"don't"` -> don't, Don't, DON'T, don’t, Don’t, DON’T;
        `"café"` -> also with a decomposed accent.
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


def list_spellings(vocabulary: Vocabulary, hashed_tokens: Sequence[str] = ()) -> str:
    """Return MediaPipe's vocabulary file.

    Args:
        vocabulary: of the bundle.
        hashed_tokens: words in its index of hashed words.

    Returns:
        Lines of a spelling and its index, including `<PAD>` and `<UNKNOWN>`. A spelling is listed
        once, and only if our tokenizer turns it into that token.
    """
    indices = {SPECIAL_TOKENS[0]: PADDING_ID, SPECIAL_TOKENS[1]: UNKNOWN_ID}
    tokens = [*vocabulary.tokens[len(SPECIAL_TOKENS) :], *hashed_tokens]
    for token in tokens:
        index = vocabulary.token_id(token)
        for spelling in spell(token):
            if vocabulary.tokenizer.tokenize(spelling) == [token]:
                indices.setdefault(spelling, index)
    return "".join(f"{spelling} {index}\n" for spelling, index in indices.items())
