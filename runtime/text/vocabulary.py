"""The vocabulary file: what turns text into the ids that a model was trained on.

`vocab.json` is one JSON object. The position in `tokens` is the id; 0 is padding, 1 the unknown
word:

    {"format": 4,
     "tokenizer": {"unicode": "13.0.0", "normalize": "NFC", "lowercase": true, …},
     "max_tokens": 400, "trailing_padding": 5,
     "labels": ["negative", "positive"],
     "tokens": ["<PAD>", "<UNKNOWN>", "the", "and", …],
     "familiarity": {"listed": "0089…", "hashed": 2.31},
     "spelling": {"letters": "abc…", "shortest": 4}}

`multi_label` is true if the model gives a text any number of labels. `familiarity` is optional;
older files lack it. Each listed word has a level from 0 to 15, a hexadecimal digit: how much more
frequent it is in training text than in general text, on a logarithmic scale. The familiarity of a
text is the mean level of its tokens.

The tokens of a model that was trained without word vectors are pieces of words (`pieces.py`), and
its `tokenizer` has other steps.

A bundle may have an index of further, hashed words (`hashed_words.py`). A token that is neither
listed nor hashed but has apostrophes takes the id of its longest part that is. If `spelling` is
given, the first `MAX_CORRECTIONS` tokens of a text that are still unknown take the id of their
nearest spelling (`spelling.py`). The ids of a text are those of its first `max_tokens` tokens,
followed by at least `trailing_padding` zeros. One window of the convolution then lies entirely in
padding, and more padding changes nothing.

Formats 1 to 3 have an older tokenizer (`older_tokenizer.py`) and never look at parts of a word:
format 1 has one label for each text, format 2 any number of them, format 3 takes `!`, `?` and emoji
as tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from ..errors import BundleDamagedError, BundleVersionError
from ..strict_json import is_count, parse_json
from .hashed_words import HashedWords
from .older_tokenizer import OLDER_WORDS, OLDER_WORDS_AND_PUNCTUATION
from .pieces import PIECES_SPECIFICATION, PieceTokenizer, make_pieces
from .spelling import NearestSpelling, Spelling, parse_spelling
from .tokenizer import UNICODE_VOCABULARY, WORDS, WORDS_AND_PUNCTUATION, Tokenizer

MAX_LEVEL = 15
_DIGITS = "0123456789abcdef"
SINGLE_LABEL_VOCABULARY, MULTI_LABEL_VOCABULARY, PUNCTUATION_VOCABULARY = 1, 2, 3
TOKENIZERS = (WORDS, WORDS_AND_PUNCTUATION, OLDER_WORDS, OLDER_WORDS_AND_PUNCTUATION)
PADDING_ID, UNKNOWN_ID = 0, 1
SPECIAL_TOKENS = ("<PAD>", "<UNKNOWN>")
# Far above any real model: a damaged file that asked for more would cost tens of megabytes.
MAX_TOKENS, MAX_PADDING = 1 << 16, 1 << 10
MAX_CORRECTIONS = 64  # unknown tokens of a text that are looked up by spelling: bounds its time
#: Characters that no token or label may hold: control characters, line separators and directional
#: marks, which could overwrite or reverse text on a terminal, and lone surrogates.
CONTROL_CHARACTERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True)
class WordFamiliarity:
    """The levels of a vocabulary's words.

    Attributes:
        listed: a level from 0 to `MAX_LEVEL` for each id; the unknown word's is that of all
            tokens that are neither listed nor hashed.
        hashed: the mean level of the hashed words.
    """

    listed: tuple[int, ...]
    hashed: float = 0.0

    def sum_levels(self, ids: Sequence[int]) -> int:
        """Return the sum of the levels of ids, none of which is a hashed word's."""
        if len(ids) < 2:  # itemgetter returns a tuple only of several
            return sum(self.listed[id_] for id_ in ids)
        return sum(itemgetter(*ids)(self.listed))  # a third of the time of a loop

    def as_json(self) -> dict[str, Any]:
        """Return the content of the vocabulary file's `familiarity`."""
        return {"listed": "".join(map(_DIGITS.__getitem__, self.listed)), "hashed": self.hashed}


def parse_familiarity(content: object, tokens: int) -> WordFamiliarity:
    """Parse the vocabulary file's `familiarity`.

    Raises:
        ValueError: it is malformed; the message says what was expected.
    """
    if not isinstance(content, dict):
        raise ValueError("'familiarity' should be an object")
    listed: Any = content.get("listed")
    hashed: Any = content.get("hashed")
    if not isinstance(listed, str) or not re.fullmatch(f"[{_DIGITS}]{{{tokens}}}", listed):
        raise ValueError(
            f"'familiarity.listed' should be {tokens} hexadecimal digits, one for each token"
        )
    if type(hashed) not in (int, float) or not 0 <= hashed <= MAX_LEVEL:  # True is an int
        raise ValueError(f"'familiarity.hashed' should be a number from 0 to {MAX_LEVEL}")
    return WordFamiliarity(tuple(map(_DIGITS.index, listed)), float(hashed))


class Encoded(NamedTuple):
    """The ids of one text.

    Attributes:
        ids: token ids without padding, at most `max_tokens`.
        truncated: whether the text had more tokens.
        familiarity: mean level of the tokens, 0 to 15; 0 for an empty text, or if the vocabulary
            has no levels.
        corrected: number of tokens that have the id of their nearest spelling.
    """

    ids: list[int]
    truncated: bool
    familiarity: float = 0.0
    corrected: int = 0

    @property
    def known(self) -> float:
        """Share of the tokens that are not unknown or corrected, 0 to 1; 0 for an empty text."""
        if not self.ids:
            return 0.0
        return 1 - (self.ids.count(UNKNOWN_ID) + self.corrected) / len(self.ids)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens, labels and lengths of one model.

    Attributes:
        tokens: the listed tokens; the position is the id; the first two are `<PAD>` and
            `<UNKNOWN>`.
        labels: class names in the order of the model's output.
        max_tokens: how many tokens of a text the model reads.
        trailing_padding: minimum number of padding ids after each text.
        hashed: the index of words that share the id of a listed word, or None.
        familiarity: how familiar the words are, or None; unlisted words that are known have the
            mean level of hashed words.
        multi_label: whether a text has any number of labels, not exactly one.
        tokenizer: what splits text into tokens.
        spelling: which unknown words are looked up by their nearest spelling, or None.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    max_tokens: int
    trailing_padding: int
    hashed: HashedWords | None = None
    familiarity: WordFamiliarity | None = None
    multi_label: bool = False
    tokenizer: Tokenizer = WORDS
    spelling: Spelling | None = None
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {token: id_ for id_, token in enumerate(self.tokens)})

    @property
    def hashed_count(self) -> int:
        """Number of hashed words."""
        return 0 if self.hashed is None else len(self.hashed)

    @property
    def format(self) -> int:
        """The format of `vocab.json`: the oldest that can express the vocabulary."""
        if self.tokenizer.vocabulary_format == UNICODE_VOCABULARY:
            return UNICODE_VOCABULARY
        if self.tokenizer.punctuation:
            return PUNCTUATION_VOCABULARY
        return MULTI_LABEL_VOCABULARY if self.multi_label else SINGLE_LABEL_VOCABULARY

    @property
    def outputs(self) -> int:
        """Number of the model's logits."""
        return count_outputs(len(self.labels), self.multi_label)

    @property
    def is_of_pieces(self) -> bool:
        """Whether the tokens are pieces of words, of which none can be left out."""
        return isinstance(self.tokenizer, PieceTokenizer)

    @cached_property
    def _nearest(self) -> NearestSpelling | None:  # made when used: it takes milliseconds
        if self.spelling is None:
            return None
        return NearestSpelling(self.spelling, self._ids, self.hashed)

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text that the model reads, at most `max_tokens`."""
        return self.tokenizer.tokenize_start(text, self.max_tokens)

    def encode(self, text: str) -> Encoded:
        """Encode text as unpadded ids: `"The zyx!"` -> `Encoded(ids=[2, 1], truncated=False)`."""
        tokens = self.tokenizer.tokenize_start(text, self.max_tokens + 1)
        truncated = len(tokens) > self.max_tokens
        if truncated:
            tokens.pop()
        ids = list(map(self._ids.get, tokens, repeat(UNKNOWN_ID)))
        level_sum, corrected = 0.0, 0
        if self.familiarity is not None:  # before hashed words get the ids of others
            level_sum = self.familiarity.sum_levels(ids)
        if UNKNOWN_ID in ids:
            found = self._replace_unknown(tokens, ids)
            if self.familiarity is not None:
                unknown_level = self.familiarity.listed[UNKNOWN_ID]
                level_sum += found * (self.familiarity.hashed - unknown_level)
            if self.spelling is not None:
                corrected = self._correct_unknown(tokens, ids)
        return Encoded(ids, truncated, level_sum / len(ids) if ids else 0.0, corrected)

    def token_id(self, token: str) -> int:
        """Return the id of a listed or hashed token, or the unknown word's.

        An unknown word with apostrophes has the id of its longest known part, the last one of
        equally long ones: `"l'amande"` that of `"amande"`. The nearest spelling is not looked up.
        """
        id_ = self._ids.get(token)
        return self._find_unlisted(token) if id_ is None else id_

    def correct(self, token: str) -> int:
        """Return the id of the nearest spelling of an unknown token, or the unknown word's."""
        return UNKNOWN_ID if self._nearest is None else self._nearest.find(token, UNKNOWN_ID)

    def _find_unlisted(self, token: str) -> int:
        if self.hashed is not None:
            id_ = self.hashed.find(token, UNKNOWN_ID)
            if id_ != UNKNOWN_ID:
                return id_
        if "'" not in token or not self.tokenizer.takes_parts:
            return UNKNOWN_ID
        parts = token.split("'")
        parts.reverse()
        ids = map(self.token_id, sorted(parts, key=len, reverse=True))
        return next((id_ for id_ in ids if id_ != UNKNOWN_ID), UNKNOWN_ID)

    def _replace_unknown(self, tokens: list[str], ids: list[int]) -> int:
        """Replace the unknown word's id by that of a token that is known, in place; count them."""
        position, unlisted = -1, ids.count(UNKNOWN_ID)
        for _ in range(unlisted):
            position = ids.index(UNKNOWN_ID, position + 1)
            ids[position] = self._find_unlisted(tokens[position])
        return unlisted - ids.count(UNKNOWN_ID)

    def _correct_unknown(self, tokens: list[str], ids: list[int]) -> int:
        """Replace the unknown word's id by that of the nearest spelling, in place; count them."""
        position, unknown = -1, ids.count(UNKNOWN_ID)
        for _ in range(min(unknown, MAX_CORRECTIONS)):
            position = ids.index(UNKNOWN_ID, position + 1)
            ids[position] = self.correct(tokens[position])
        return unknown - ids.count(UNKNOWN_ID)

    def stand_in(self, token: str, id_: int) -> str | None:
        """Return the listed word whose id a token shares, or None if it is listed or unknown."""
        return None if id_ == UNKNOWN_ID or token in self._ids else self.tokens[id_]

    def to_json(self) -> str:
        """Return the text of `vocab.json`; equal vocabularies give equal text."""
        content: dict[str, object] = {
            "format": self.format,
            "tokenizer": self.tokenizer.specification,
            "max_tokens": self.max_tokens,
            "trailing_padding": self.trailing_padding,
            **({"multi_label": True} if self.multi_label else {}),
            "labels": self.labels,
            "tokens": self.tokens,
        }
        if self.familiarity is not None:
            content["familiarity"] = self.familiarity.as_json()
        if self.spelling is not None:
            content["spelling"] = self.spelling.as_json()
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def count_outputs(classes: int, multi_label: bool) -> int:
    """Return the number of logits: one for two classes, else one for each class or label."""
    return 1 if classes == 2 and not multi_label else classes


def parse_vocabulary(text: str, source: str = "vocab.json") -> Vocabulary:
    """Parse a vocabulary file, validating every field.

    Raises:
        BundleDamagedError: it is not a vocabulary file; the message names the field.
        BundleVersionError: it was written for a newer runtime.
    """
    content = parse_json(text, source)

    def expect(condition: bool, problem: str) -> None:
        if not condition:
            raise BundleDamagedError(f"{source} is not a vocabulary file: {problem}")

    expect(isinstance(content, dict), "expected one JSON object")
    version = content.get("format")
    expect(is_count(version, 1 << 31), "'format' should be an integer")
    if version > UNICODE_VOCABULARY:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {UNICODE_VOCABULARY}: "
            "update glovelite"
        )
    multi_label = content.get("multi_label", False)
    expect(isinstance(multi_label, bool), "'multi_label' should be true or false")
    known = [*(tokenizer.specification for tokenizer in TOKENIZERS), PIECES_SPECIFICATION]
    specified = content.get("tokenizer")
    expect(specified in known, "'tokenizer' is none that this runtime has")
    tokens, labels = content.get("tokens"), content.get("labels")
    for name, value in (("tokens", tokens), ("labels", labels)):
        expect(_are_unique_strings(value), f"'{name}' should be a list of unique strings")
        expect(not CONTROL_CHARACTERS.search("".join(value)), f"'{name}' holds a control character")
    expect(
        tuple(tokens[:2]) == SPECIAL_TOKENS, f"'tokens' should start with {list(SPECIAL_TOKENS)}"
    )
    expect(len(labels) >= 2, "'labels' should hold two classes or more")
    max_tokens, padding = content.get("max_tokens"), content.get("trailing_padding")
    for name, value, maximum in (
        ("max_tokens", max_tokens, MAX_TOKENS),
        ("trailing_padding", padding, MAX_PADDING),
    ):
        found = value if isinstance(value, (int, float)) else type(value).__name__
        expect(
            is_count(value, maximum),
            f"'{name}' should be an integer from 1 to {maximum}, found {found}",
        )
    familiarity = spelling = None
    try:
        if "familiarity" in content:
            familiarity = parse_familiarity(content["familiarity"], len(tokens))
        if "spelling" in content:
            spelling = parse_spelling(content["spelling"])
    except ValueError as error:
        expect(False, str(error))
    if specified == PIECES_SPECIFICATION:
        tokenizer: Tokenizer = make_pieces(tokens[len(SPECIAL_TOKENS) :])
    else:
        tokenizer = TOKENIZERS[known.index(specified)]
    vocabulary = Vocabulary(
        tuple(tokens),
        tuple(labels),
        max_tokens,
        padding,
        familiarity=familiarity,
        multi_label=multi_label,
        tokenizer=tokenizer,
        spelling=spelling,
    )
    expect(
        version == vocabulary.format,
        f"'format' should be {vocabulary.format} with this 'tokenizer' and 'multi_label'",
    )
    expect(
        spelling is None or tokenizer.takes_parts,
        f"'spelling' should be in format {UNICODE_VOCABULARY} alone, and not with pieces of words",
    )
    return vocabulary


def _are_unique_strings(value: object) -> bool:
    return (
        isinstance(value, list) and set(map(type, value)) <= {str} and len(set(value)) == len(value)
    )
