"""Weights of character n-grams, which are added to the model's logits outside of its graph.

Words are long in some languages and not separated in others, so models without word vectors also
read all runs of one to a few characters. Each has a bucket by its hash, and each bucket a weight
for each label. softmax(log p + z) is the softmax of logits + z, so z, the n-grams' part, is added
to the logarithms of the probabilities and the model stays as it is. For two classes, and for each
label of a multi-label bundle, the same holds for the sigmoid and its logit.

The n-grams of a text are those of its first `max_characters` characters, normalized as before it is
split into tokens. White space separates words, as in `str.split` (U+0009 to U+000D, U+001C to
U+0020, U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000); each
begins and ends with a space, which it shares with its neighbor. An n-gram is any run of up to
`longest` characters of a word, its spaces included, but not a space alone. Its bucket is a 32-bit
FNV-1a hash over its code points (Fowler, Noll and Vo), finished as MurmurHash3 does (Appleby),
modulo the number of buckets.

`ngrams.bin` is little-endian:

| offset     | type                   | content                                                  |
|------------|------------------------|----------------------------------------------------------|
| 0          | 4 bytes                | `GLNG`                                                   |
| 4          | uint32                 | format version, 1                                        |
| 8          | uint32                 | `buckets`, a power of two                                |
| 12         | uint32                 | `longest`, characters of an n-gram                       |
| 16         | uint32                 | `max_characters`                                         |
| 20         | uint32                 | c, columns of a bucket                                   |
| 24         | uint32                 | o, outputs: 1 for two classes, else one for each label   |
| 28         | float32 [o]            | bias of each output                                      |
| …          | float32 [c]            | scale of each column                                     |
| …          | float32 [c, o]         | only if c < o: a matrix that mixes the columns           |
| …          | uint8 [buckets, c / 2] | two columns each, rounded up; the first in the low bits  |

A value q from -7 to 7 is stored as q + 8 and stands for the weight q (|q| + 1) / 2 times the scale:
small weights, which are most, are exact to a 28th of the largest one. The weights of all n-grams of
a text are summed as integers, divided by the root of the number of n-grams and scaled; the bias is
added. A text without n-grams adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from struct import Struct

import numpy as np
import numpy.typing as npt

from .aliases import Floats, Ids, Longs
from .errors import BundleDamagedError, BundleVersionError
from .text.tokenizer import Tokenizer

NGRAMS_MAGIC, NGRAMS_VERSION = b"GLNG", 1
MAX_BUCKETS, MAX_LONGEST, MAX_CHARACTERS = 1 << 20, 8, 1 << 16
MAX_COLUMNS = 16  # more outputs share them
VALUE_OFFSET = 8
#: Value of half a byte -> integer weight.
LEVELS: Ids = np.array(
    [value * (abs(value) + 1) // 2 for value in range(-VALUE_OFFSET, VALUE_OFFSET)], np.int32
)
MIN_PROBABILITY = 1e-12  # keeps logarithms finite
MAX_EXPONENT = 500.0  # keeps exponentials finite
#: A byte of the file -> the integer weights of its two columns.
_PAIRS: Ids = np.stack([np.tile(LEVELS, 16), np.repeat(LEVELS, 16)], axis=1)
_HEADER = Struct("<4sIIIIII")
_SPACE = ord(" ")
_FNV_OFFSET, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
Buckets = npt.NDArray[np.uint32]
Row = list[float]


def split_words(text: str, tokenizer: Tokenizer, max_characters: int) -> list[str]:
    """Return the words whose n-grams are read: `"Où est-il?"` -> `["où", "est-il?"]`."""
    return tokenizer.normalize(text[:max_characters]).split()


def find_ngrams(words: Sequence[str], longest: int) -> Iterator[tuple[int, Longs, Buckets]]:
    """Find the n-grams of words, joined and surrounded by spaces: `" où est-il? "`.

    Yields:
        The size of n-grams, int64 [n-grams] where each starts, in order, and uint32 [n-grams], its
        hash.
    """
    for size, starts, hashes in _hash_runs(words, longest):
        yield size, starts, _finish(hashes)


def _hash_runs(words: Sequence[str], longest: int) -> Iterator[tuple[int, Longs, Buckets]]:
    """Yield what `find_ngrams` does, with hashes that are not finished."""
    content = f" {' '.join(words)} ".encode("utf-32-le", "surrogatepass")
    characters = np.frombuffer(content, "<u4")
    space = characters == _SPACE
    hashes: Buckets = np.full(len(characters), _FNV_OFFSET, np.uint32)
    wanted = np.ones(len(characters), np.bool_)  # no space inside
    for size in range(1, longest + 1):
        count = len(characters) - size + 1
        if count < 1 or not words:
            return
        hashes = (hashes[:count] ^ characters[size - 1 :]) * _FNV_PRIME
        if size > 2:
            wanted = wanted[:count] & ~space[size - 2 : size - 2 + count]
        starts = np.flatnonzero(~space if size == 1 else wanted[:count])
        yield size, starts, hashes[starts]


def hash_ngrams(text: str, tokenizer: Tokenizer, longest: int, max_characters: int) -> Buckets:
    """Return the hash of every n-gram of a text, uint32 [n-grams], the shortest first."""
    words = split_words(text, tokenizer, max_characters)
    found = [hashes for _, _, hashes in _hash_runs(words, longest)]
    return _finish(np.concatenate(found)) if found else np.zeros(0, np.uint32)


def _finish(hashes: Buckets) -> Buckets:
    hashes = (hashes ^ hashes >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ hashes >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    finished: Buckets = hashes ^ hashes >> np.uint32(16)
    return finished


@dataclass(frozen=True)
class NgramWeights:
    """The content of `ngrams.bin`.

    Attributes:
        longest: characters of the longest n-grams.
        max_characters: how many characters of a text are read.
        bias: float32 [outputs].
        scales: float32 [columns].
        mixing: float32 [columns, outputs], or None where each output has a column.
        values: uint8 [buckets, columns / 2], the file's.
    """

    longest: int
    max_characters: int
    bias: Floats
    scales: Floats
    mixing: Floats | None
    values: npt.NDArray[np.uint8]

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return len(self.bias)

    def sum_levels(self, text: str, tokenizer: Tokenizer) -> tuple[Ids, int]:
        """Return the sum of the n-grams' integer weights, int32 [columns], and their number."""
        hashes = hash_ngrams(text, tokenizer, self.longest, self.max_characters)
        sums: Ids = self.levels(hashes).sum(axis=0, dtype=np.int32)
        return sums, len(hashes)

    def levels(self, hashes: Buckets) -> Ids:
        """Return the integer weights of n-grams by their hashes, int32 [n-grams, columns]."""
        packed = self.values[hashes & np.uint32(len(self.values) - 1)]
        both: Ids = _PAIRS[packed].reshape(len(hashes), 2 * packed.shape[1])
        return both[:, : len(self.scales)]

    def scale(self, levels: Ids, count: int) -> Floats:
        """Return logits, float32 […, outputs], of integer weights, int32 […, columns].

        Args:
            count: number of n-grams of the text.
        """
        scaled = levels * self.scales / np.float32(max(1, count) ** 0.5)
        return np.asarray(scaled if self.mixing is None else scaled @ self.mixing, np.float32)

    def logits(self, text: str, tokenizer: Tokenizer) -> Floats:
        """Return what the n-grams of a text add to the logits, float32 [outputs]."""
        levels, count = self.sum_levels(text, tokenizer)
        return self.scale(levels, count) + self.bias * np.float32(count > 0)

    def add_to(
        self,
        probabilities: Sequence[Row],
        texts: Sequence[str],
        tokenizer: Tokenizer,
        multi_label: bool,
    ) -> Floats:
        """Return the probabilities of texts with their n-grams, float32 [texts, classes].

        Args:
            probabilities: the model's for each text.
        """
        combined = [
            combine(row, self.logits(text, tokenizer).tolist(), multi_label)
            for row, text in zip(probabilities, texts)
        ]
        return np.array(combined, np.float32).reshape(len(texts), -1)

    def to_bytes(self) -> bytes:
        """Return the content of `ngrams.bin`; equal weights give equal bytes."""
        columns = len(self.scales)
        header = _HEADER.pack(
            NGRAMS_MAGIC,
            NGRAMS_VERSION,
            len(self.values),
            self.longest,
            self.max_characters,
            columns,
            self.outputs,
        )
        floats = [self.bias, self.scales, *([] if self.mixing is None else [self.mixing])]
        return b"".join([header, *(part.astype("<f4").tobytes() for part in floats)]) + (
            self.values.tobytes()
        )


def combine(probabilities: Sequence[float], logits: Sequence[float], multi_label: bool) -> Row:
    """Return the probabilities of a text with further logits added.

    In plain Python, because NumPy's calls take longer for a few numbers.

    Args:
        probabilities: of each class.
        logits: of each class, or of two classes that of the second one.
    """
    clipped = [min(max(value, MIN_PROBABILITY), 1.0) for value in probabilities]
    if multi_label:
        return [
            1 / (1 + max(1 - value, MIN_PROBABILITY) / value * exp(min(-logit, MAX_EXPONENT)))
            for value, logit in zip(clipped, logits)
        ]
    if len(logits) == 1:
        logits = (0.0, *logits)
    total = [log(value) + logit for value, logit in zip(clipped, logits)]
    largest = max(total)
    scores = [exp(value - largest) for value in total]
    whole = sum(scores)
    return [score / whole for score in scores]


def parse_ngrams(content: bytes, outputs: int, source: str) -> NgramWeights:
    """Parse `ngrams.bin`, validating every field.

    Args:
        outputs: number of logits of the bundle's labels.

    Raises:
        BundleDamagedError: it is no such file, or of other labels.
        BundleVersionError: it was written for a newer runtime.
    """
    if len(content) < _HEADER.size or not content.startswith(NGRAMS_MAGIC):
        raise BundleDamagedError(f"{source} is not a file of n-gram weights")
    _, version, buckets, longest, characters, columns, found = _HEADER.unpack_from(content)
    if version > NGRAMS_VERSION:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {NGRAMS_VERSION}: "
            "update glovelite"
        )
    for name, value, maximum in (
        ("format", version, NGRAMS_VERSION),
        ("number of buckets", buckets, MAX_BUCKETS),
        ("length of n-grams", longest, MAX_LONGEST),
        ("number of characters", characters, MAX_CHARACTERS),
        ("number of columns", columns, MAX_COLUMNS),
    ):
        if not 1 <= value <= maximum:
            raise BundleDamagedError(f"{source}: the {name} is {value}, not from 1 to {maximum}")
    if buckets & (buckets - 1):
        raise BundleDamagedError(f"{source}: {buckets} buckets are not a power of two")
    if found != outputs or columns > outputs:
        raise BundleDamagedError(
            f"{source} has {columns} columns and {found} outputs, the vocabulary {outputs} outputs"
        )
    mixed = columns * outputs if columns < outputs else 0
    numbers, width = outputs + columns + mixed, (columns + 1) // 2
    start = _HEADER.size + 4 * numbers
    expected = start + buckets * width
    if len(content) != expected:
        raise BundleDamagedError(f"{source} has {len(content)} bytes, expected {expected}")
    floats = np.frombuffer(content, "<f4", numbers, _HEADER.size).astype(np.float32)
    if not np.isfinite(floats).all():
        raise BundleDamagedError(f"{source}: a scale or bias is not a finite number")
    bias, scales, matrix = np.split(floats, [outputs, outputs + columns])
    mixing = matrix.reshape(columns, outputs) if mixed else None
    values = np.frombuffer(content, np.uint8, buckets * width, start).reshape(buckets, width)
    return NgramWeights(longest, characters, bias, scales, mixing, values)
