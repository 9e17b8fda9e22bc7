"""Reads files of word vectors, of any of the usual formats and compressions."""

from __future__ import annotations

import hashlib
import logging
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from glovelite.runtime.errors import DataError, VectorsError
from glovelite.runtime.files.binary_files import name_damage, open_binary
from glovelite.runtime.files.kinds import (
    MAX_SHOWN_MEMBERS,
    WORD2VEC_BINARY,
    find_kind,
    is_companion,
)

from .cache import Block, Contents, WordVectors, open_cached
from .names import NAMES, find_nearest
from .parsing import HashedFile, parse_text, parse_word2vec

logger = logging.getLogger(__name__)


def open_file(path: str) -> WordVectors:
    """Open a file of word vectors, through the cache.

    Args:
        path: a text file of `word value value …` lines or one in word2vec's binary format, the same
            compressed with gzip, bzip2 or xz, or a file in a zip file
            (`glove.6B.zip:glove.6B.100d.txt`; its name may be omitted if there is only one).
    """
    file, _, member = path.partition(".zip:")
    source = Path(file + ".zip" if member else path)
    if not source.is_file():
        advice = "give the file's path as --vectors; a run records its name without the folder"
        if nearest := find_nearest(path):
            advice = f"did you mean --vectors {nearest}?"
        raise VectorsError(
            f"{path} is neither a file nor the name of known vectors ({NAMES}): {advice}"
        )
    status = source.stat()
    identity = f"{source.resolve()}\0{member}\0{status.st_size}\0{status.st_mtime_ns}"
    key = f"{source.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    name = Path(member or source.name).name

    def load() -> Contents:
        logger.info(f"parsing {path} (once)")
        return read_file(source, member or None, name)

    return open_cached(key, name, load)


def read_file(path: Path, member: str | None, name: str) -> Contents:
    """Read a file of word vectors, plain, compressed or a member of a zip file.

    Taking the blocks raises VectorsError if the file is damaged, malformed or of another kind.
    """
    digest = hashlib.sha256()
    return Contents(name, _read_blocks(path, member, digest.update), digest.hexdigest)


def _read_blocks(
    path: Path, member: str | None, update: Callable[[bytes], None]
) -> Iterator[Block]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, member)) as file:
                yield from _parse(file, f"{path}:{file.name}", update)
        else:
            with open_binary(str(path)) as file, name_damage(file, str(path)):
                yield from _parse(file, str(path), update)
    except DataError as error:
        raise VectorsError(str(error)) from None
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise VectorsError(f"{path} is damaged: {error}") from None


def _parse(file: IO[bytes], source: str, update: Callable[[bytes], None]) -> Iterator[Block]:
    """Parse an opened file, or raise VectorsError if it is of no kind that is read."""
    kind = find_kind(file)
    if kind not in (None, WORD2VEC_BINARY):
        raise VectorsError(kind.refuse(source))
    parse = parse_word2vec if kind else parse_text
    yield from parse(HashedFile(file, update), source)


def _member(archive: zipfile.ZipFile, requested: str | None) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    names = [name for name in names if not is_companion(name)]
    if requested is not None and requested in names:
        return requested
    if requested is None and len(names) == 1:
        return names[0]
    members = ", ".join(names[:MAX_SHOWN_MEMBERS]) or "it has none"
    raise VectorsError(
        f"{archive.filename}: name one of its members, as in {archive.filename}:NAME ({members})"
    )
