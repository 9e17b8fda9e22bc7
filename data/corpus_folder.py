"""A folder that `glovelite-corpus` wrote: parts of the text, and what was counted in them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glovelite.runtime.aliases import Longs
from glovelite.runtime.errors import DataError
from glovelite.runtime.text.older_tokenizer import OLDER_VOCABULARIES
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.trained_text import TrainedText, parse_trained_text

from .output_folder import JOB_FILE
from .regular_files import read_regular_text

SUMMARY_FILE = "corpus.json"
WORDS_FILE = "words.jsonl"  # a token and how often it occurs, a line each
MAX_SUMMARY_BYTES, MAX_WORDS_BYTES = 1 << 25, 1 << 28  # larger files are not used
DEV_SHARE = TEST_SHARE = 0.1  # of the text that they are drawn from

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class CorpusCounts:
    """What is in a corpus folder.

    Attributes:
        rows: of the input that could be used.
        bad_rows: the others, which were skipped.
        copies: rows whose text an earlier one has.
        contradictions: those of them with other labels than the first.
        texts: part -> number of texts, of `train`, `dev` and `test`.
        labels: part -> label -> number of texts.
        multi_label: whether a text may have several labels.
        rare_labels: labels of so few rows that all their texts are in `train`.
        seed: of the split.
        dev_share: probability of a text to be in `dev`.
        test_share: the same for `test`.
        checksum: of the texts in `train`: their hashes, combined by exclusive or.
        punctuation: whether punctuation was counted.
        tokens: tokens in `train`.
        distinct_tokens: different ones; `words.jsonl` lists them.
        lengths: number of tokens -> how many texts in `train` have so many.
        vocabulary_format: of the tokenizer that found the tokens; older folders do not say.
        text: how the texts of the input were read; None in folders of earlier versions.
    """

    rows: int
    bad_rows: int
    copies: int
    contradictions: int
    texts: dict[str, int]
    labels: dict[str, dict[str, int]]
    multi_label: bool
    rare_labels: tuple[str, ...]
    seed: int
    dev_share: float
    test_share: float
    checksum: int
    punctuation: bool
    tokens: int
    distinct_tokens: int
    lengths: dict[int, int]
    vocabulary_format: int = OLDER_VOCABULARIES
    text: dict[str, Any] | None = None

    @classmethod
    def parse(cls, saved: Any) -> CorpusCounts:
        """Return what `as_dict` was made from."""
        lengths = {int(length): int(count) for length, count in saved["lengths"].items()}
        return cls(**{**saved, "lengths": lengths, "rare_labels": tuple(saved["rare_labels"])})

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def hash_text(content: bytes) -> int:
    """Return a hash of a text in UTF-8, 64 bits."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def combine_hashes(hashes: Hashes) -> int:
    """Return a checksum of texts that does not depend on their order."""
    return int(np.bitwise_xor.reduce(hashes, initial=np.uint64(0)))


def check_finished(folder: Path) -> None:
    """Raise DataError if a corpus folder is not complete."""
    if (folder / JOB_FILE).is_file() and not (folder / SUMMARY_FILE).is_file():
        raise DataError(
            f"{folder} is unfinished, {SUMMARY_FILE} is missing: run glovelite-corpus again to "
            "complete it"
        )


def read_trained_text(folder: Path) -> TrainedText | None:
    """Return how the input of a corpus folder was read; None if it is none or does not say."""
    try:
        saved = json.loads(read_regular_text(folder / SUMMARY_FILE, MAX_SUMMARY_BYTES))["text"]
        return None if saved is None else parse_trained_text(saved)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read_counts(
    folder: Path, hashes: Hashes, tokenizer: Tokenizer
) -> tuple[Counter[str], Longs] | None:
    """Return the tokens of training text and the number in each text, if the folder counted them.

    Returns:
        As `count_tokens`, but the texts' numbers of tokens are in another order; None if the folder
        is no corpus folder, or has other texts or tokens.
    """
    try:
        saved = read_regular_text(folder / SUMMARY_FILE, MAX_SUMMARY_BYTES)
        summary = CorpusCounts.parse(json.loads(saved))
        same = (
            (summary.vocabulary_format, summary.punctuation)
            == (tokenizer.vocabulary_format, tokenizer.punctuation)
            and summary.texts["train"] == len(hashes)
            and summary.checksum == combine_hashes(hashes)
        )
        if not same:
            return None
        words = read_regular_text(folder / WORDS_FILE, MAX_WORDS_BYTES)
        counts = Counter(dict(map(json.loads, words.split("\n")[:-1])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if len(counts) != summary.distinct_tokens or counts.total() != summary.tokens:
        return None
    return counts, np.repeat(list(summary.lengths), list(summary.lengths.values()))
