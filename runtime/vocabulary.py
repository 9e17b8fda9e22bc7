r"""The vocabulary file: everything that turns text into the ids a model was trained on.

`vocab.json` is one JSON object. Position in `tokens` is the id; 0 is padding, 1 the unknown word:

    {"format": 1,
     "tokenizer": {"normalize": "NFC", "lowercase": true, "replace": {"’": "'"},
                   "pattern": "\\w+(?:'\\w+)*"},
     "max_tokens": 400, "trailing_padding": 5,
     "labels": ["negative", "positive"],
     "tokens": ["<PAD>", "<UNKNOWN>", "the", "and", …]}

Ids of a text: its tokens, cut to the first `max_tokens`, looked up; then at least
`trailing_padding` zeros, so that one window of the convolution always lies wholly in padding and
any further padding changes nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import repeat
from typing import NamedTuple

from .errors import BundleDamagedError, BundleVersionError
from .strict_json import is_count, parse_json
from .tokenizer import SPECIFICATION, tokenize_start

FORMAT = 1
PADDING, UNKNOWN = 0, 1
SPECIAL_TOKENS = ("<PAD>", "<UNKNOWN>")

# Bounds on what a damaged file can ask for, far above any real model: a text of that many tokens
# costs an interpreter tens of megabytes, and so does that much padding after every text.
MOST_TOKENS, MOST_PADDING = 1 << 16, 1 << 10

#: What no name holds: control characters, line ends and marks of direction, which could write
#: over a terminal's screen or turn its text round, and halves of surrogate pairs.
CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Encoded(NamedTuple):
    """The ids of one text.

    Attributes:
        ids: token ids without padding, at most `max_tokens`.
        truncated: whether the text went on after them.
    """

    ids: list[int]
    truncated: bool

    @property
    def known(self) -> float:
        """The share of the ids that are not the unknown word's, 0 to 1; 0 where there are none."""
        return 1 - self.ids.count(UNKNOWN) / len(self.ids) if self.ids else 0.0


@dataclass(frozen=True)
class Vocabulary:
    """Tokens, labels and lengths of one model.

    Attributes:
        tokens: position = id; the first two are `<PAD>` and `<UNKNOWN>`.
        labels: class names in the order of the model's output.
        max_tokens: how many tokens of a text are looked at.
        trailing_padding: how many padding ids follow at the least.
    """

    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    max_tokens: int
    trailing_padding: int
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the look-up once."""
        object.__setattr__(self, "_ids", {token: id_ for id_, token in enumerate(self.tokens)})

    def encode(self, text: str) -> Encoded:
        """Turn text into ids.

        Args:
            text: any text.

        Returns:
            Its ids, unpadded: `"The zyx!"` → `Encoded(ids=[2, 1], truncated=False)`.
        """
        tokens = tokenize_start(text, self.max_tokens + 1)
        truncated = len(tokens) > self.max_tokens
        if truncated:
            tokens.pop()
        return Encoded(list(map(self._ids.get, tokens, repeat(UNKNOWN))), truncated)

    def to_json(self) -> str:
        """Write the vocabulary file.

        Returns:
            The text of `vocab.json`; the same vocabulary always gives the same text.
        """
        content = {
            "format": FORMAT,
            "tokenizer": SPECIFICATION,
            "max_tokens": self.max_tokens,
            "trailing_padding": self.trailing_padding,
            "labels": self.labels,
            "tokens": self.tokens,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def parse_vocabulary(text: str, source: str = "vocab.json") -> Vocabulary:
    """Read a vocabulary file, believing nothing.

    Args:
        text: the content of `vocab.json`.
        source: what to call the file in an error.

    Returns:
        The vocabulary.

    Raises:
        BundleDamagedError: it is not a vocabulary file; the message says what is wrong with it.
        BundleVersionError: it was written for a newer runtime.
    """
    content = parse_json(text, source)

    def expect(condition: bool, what: str) -> None:
        if not condition:
            raise BundleDamagedError(f"{source} is not a vocabulary file: {what}")

    expect(isinstance(content, dict), "expected one JSON object")
    version = content.get("format")
    expect(is_count(version, 1 << 31), "'format' should be a whole number")
    if version > FORMAT:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {FORMAT}: update glovelite"
        )
    expect(
        content.get("tokenizer") == SPECIFICATION,
        f"'tokenizer' should be {json.dumps(SPECIFICATION, ensure_ascii=False)}",
    )
    tokens, labels = content.get("tokens"), content.get("labels")
    for name, value in (("tokens", tokens), ("labels", labels)):
        expect(_are_unique_strings(value), f"'{name}' should be a list of different strings")
        expect(not CONTROLS.search("".join(value)), f"'{name}' hold a control character")
    expect(tuple(tokens[:2]) == SPECIAL_TOKENS, f"'tokens' should begin {list(SPECIAL_TOKENS)}")
    expect(len(labels) >= 2, "'labels' should name two classes or more")
    max_tokens, padding = content.get("max_tokens"), content.get("trailing_padding")
    for name, value, most in (
        ("max_tokens", max_tokens, MOST_TOKENS),
        ("trailing_padding", padding, MOST_PADDING),
    ):
        found = value if isinstance(value, (int, float)) else type(value).__name__
        expect(
            is_count(value, most),
            f"'{name}' should be a whole number from 1 to {most}, found {found}",
        )
    return Vocabulary(tuple(tokens), tuple(labels), max_tokens, padding)


def _are_unique_strings(value: object) -> bool:
    return (
        isinstance(value, list) and set(map(type, value)) <= {str} and len(set(value)) == len(value)
    )
