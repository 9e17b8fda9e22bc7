"""How a foreign model turns text into ids: what its files say, and the ids of a `Tokenizer`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.runtime.aliases import Ids
from glovelite.runtime.errors import DataError

from ..model.weights import Weights

PADDING_WORDS = ("", "[PAD]", "<PAD>", "<pad>")
PADDINGS = ("pre", "post")  # of Keras's pad_sequences; the first is its default


@dataclass(frozen=True)
class Vectorizer:
    """How a foreign model turns text into ids.

    Attributes:
        words: by id; the first is padding.
        unknown: id of unknown words; None if they are left out.
        strips: whether punctuation is removed inside words, which makes "dont" of "don't".
        length: ids of a text; None if it has any number.
        tokenizer: configuration of a `Tokenizer` that was saved as JSON; None for the
            TextVectorization layer.
    """

    words: tuple[str, ...]
    unknown: int | None
    strips: bool = False
    length: int | None = None
    tokenizer: Mapping[str, Any] | None = None

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the ids of texts as a `Tokenizer` does."""
        assert self.tokenizer is not None
        split, lower = self.tokenizer["split"], self.tokenizer["lower"]
        filters = str.maketrans(dict.fromkeys(self.tokenizer["filters"], split))
        known = {word: id_ for id_, word in enumerate(self.words) if word}
        rows = []
        for text in texts:
            words = (text.lower() if lower else text).translate(filters).split(split)
            ids = (known.get(word, self.unknown) for word in words if word)
            rows.append([id_ for id_ in ids if id_ is not None])
        return rows


@dataclass(frozen=True)
class ForeignModel:
    """A foreign model.

    Attributes:
        vectorizer: its TextVectorization layer, or None.
        length: ids that it takes; None for any number.
    """

    weights: Weights
    vectorizer: Vectorizer | None
    length: int | None


def read_words(file: Path) -> Vectorizer:
    """Read a `Tokenizer` in JSON, or a word list.

    Raises:
        DataError: the file cannot be read, or is neither.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}") from None
    if not text.lstrip().startswith(("{", '"')):
        words = tuple(line.strip() for line in text.splitlines())
        if not words or words[0] not in PADDING_WORDS:
            words = ("", "[UNK]", *words)
        return Vectorizer(words, 1, strips=True)
    try:
        content = json.loads(text)
        content = json.loads(content) if isinstance(content, str) else content
        return _parse_tokenizer(content["config"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{file}: expected the JSON of a Tokenizer (to_json), or a word a line: {error!r:.80}"
        ) from None


def _parse_tokenizer(config: Mapping[str, Any]) -> Vectorizer:
    """Return what a `Tokenizer` does; ValueError, KeyError or TypeError if the entry is none."""
    if config["char_level"]:
        raise ValueError("char_level: its tokens are characters")
    index = config["word_index"]
    index = json.loads(index) if isinstance(index, str) else index
    limit = config["num_words"] or len(index) + 1
    words = [""] * min(limit, len(index) + 1)
    for word, id_ in index.items():
        if 0 < id_ < len(words):
            words[id_] = word
    unknown = index.get(config["oov_token"])
    settings = {name: config[name] for name in ("filters", "lower", "split")}
    return Vectorizer(tuple(words), unknown, tokenizer=settings)


def pad(rows: Sequence[Sequence[int]], length: int, padding: str) -> Ids:
    """Pad and cut ids on one side, int32 [texts, length]."""
    padded = np.zeros((len(rows), length), np.int32)
    for target, ids in zip(padded, rows):
        if padding == "post":
            target[: len(ids)] = ids[:length]
        elif ids:
            target[-len(ids) :] = ids[-length:]
    return padded
