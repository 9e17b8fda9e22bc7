"""The index of hashed words: words that are not listed and share the id of a listed word.

`hashed_words.bin` holds a hash and an id per word, 6 bytes, instead of the word itself. All numbers
are little-endian:

| offset   | type       | content                                                              |
|----------|------------|----------------------------------------------------------------------|
| 0        | 4 bytes    | `GLHW`                                                               |
| 4        | uint32     | format version, 1                                                    |
| 8        | uint32     | n, the number of words                                               |
| 12       | uint32 [n] | CRC-32 of each word in UTF-8 (zlib's and PNG's), strictly ascending  |
| 12 + 4 n | uint16 [n] | the id of each word, from 2 to the number of listed tokens minus 1   |

A token that `vocab.json` does not list and whose CRC-32 is in the index gets that id; any other
token is the unknown word. With 100,000 hashed words, about one unknown word in 43,000 is mistaken
for one of them.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from operator import lt
from struct import Struct
from zlib import crc32

from ..errors import BundleDamagedError, BundleVersionError

INDEX_MAGIC = b"GLHW"
INDEX_VERSION = 1
MAX_ID = (1 << 16) - 1
BYTES_PER_WORD = 6
_HEADER = Struct("<4sII")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class HashedWords:
    """An index of hashed words.

    Attributes:
        keys: uint32, CRC-32 of each word, strictly ascending.
        ids: uint16, the id of each word.
    """

    keys: array[int]
    ids: array[int]

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, token: str, default: int) -> int:
        """Return the id of a token, or the default if it is not in the index."""
        key = crc32(token.encode("utf-8", "surrogatepass"))
        position = bisect_left(self.keys, key)
        if position < len(self.keys) and self.keys[position] == key:
            return self.ids[position]
        return default

    def to_bytes(self) -> bytes:
        """Return the content of `hashed_words.bin`; equal indexes give equal bytes."""
        header = _HEADER.pack(INDEX_MAGIC, INDEX_VERSION, len(self))
        return header + _little_endian(self.keys).tobytes() + _little_endian(self.ids).tobytes()


def build_hashed_words(words: Mapping[str, int]) -> HashedWords:
    """Build an index; of words with the same CRC-32 the first is kept.

    Args:
        words: word -> id, most valuable first.
    """
    by_key: dict[int, int] = {}
    for word, id_ in words.items():
        by_key.setdefault(crc32(word.encode()), id_)
    keys = sorted(by_key)
    return HashedWords(array("I", keys), array("H", [by_key[key] for key in keys]))


def parse_hashed_words(content: bytes, listed: int, source: str) -> HashedWords:
    """Parse an index, validating every field.

    Args:
        listed: number of tokens in the vocabulary file.

    Raises:
        BundleDamagedError: it is not an index, its keys are not ascending, or an id is out of
            range.
        BundleVersionError: it was written for a newer runtime.
    """
    if len(content) < HEADER_BYTES or not content.startswith(INDEX_MAGIC):
        raise BundleDamagedError(f"{source} is not an index of hashed words")
    _, version, count = _HEADER.unpack_from(content)
    if version > INDEX_VERSION:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {INDEX_VERSION}: "
            "update glovelite"
        )
    if version < 1:
        raise BundleDamagedError(f"{source} has format {version}")
    expected = HEADER_BYTES + BYTES_PER_WORD * count
    if len(content) != expected:
        raise BundleDamagedError(
            f"{source} has {len(content)} bytes, {count} words should have {expected}"
        )
    split = HEADER_BYTES + 4 * count
    keys, ids = array("I", content[HEADER_BYTES:split]), array("H", content[split:])
    keys, ids = _little_endian(keys), _little_endian(ids)
    if not all(map(lt, keys, keys[1:])):
        raise BundleDamagedError(f"{source}: the keys are not strictly ascending")
    if count and not (min(ids) >= 2 and max(ids) < listed):
        raise BundleDamagedError(f"{source}: an id is not from 2 to {listed - 1}")
    return HashedWords(keys, ids)


def _little_endian(values: array[int]) -> array[int]:
    """Convert between the machine's and the file's byte order."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values
