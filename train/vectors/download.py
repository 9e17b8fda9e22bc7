"""Downloads a file over HTTP: resumed where it broke off, verified, then renamed into place."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import DownloadError
from runtime.io.packages import hash_file

from ..progress import Progress

PIECE = 1 << 18
TIMEOUT = 20.0  # seconds without a byte
ATTEMPTS = 5  # in a row that bring nothing; one that brings bytes starts the count anew
WAIT = 1.0  # seconds before the second attempt, doubled before each further one


@dataclass(frozen=True)
class Download:
    """A file to be had by HTTP.

    Attributes:
        url: where.
        bytes: its exact size.
        md5: its MD5 in hexadecimal as its publisher gives it, or None: then only size and format
            are checked.
    """

    url: str
    bytes: int
    md5: str | None = None


def download(wanted: Download, target: Path, wait: float = WAIT) -> None:
    """Download a file, going on from `target.partial` if an earlier attempt left one.

    Args:
        wanted: what to download.
        target: where to put it; it appears whole and verified, or not at all.
        wait: seconds before the second attempt.

    Raises:
        DownloadError: the server cannot be reached or keeps failing (what came is kept for the
            next time), or what came is not what was wanted (it is removed).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    failures = 0
    with Progress(target.name, wanted.bytes) as progress:
        while _size(partial) < wanted.bytes:
            before = _size(partial)
            try:
                _fetch(wanted, partial, progress)
                reason = "the server sent less than it should"
            except urllib.error.HTTPError as error:
                raise DownloadError(f"{wanted.url}: HTTP {error.code} {error.reason}") from None
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            failures = 0 if _size(partial) > before else failures + 1
            if failures >= ATTEMPTS or (failures and not _size(partial)):
                raise DownloadError(f"{wanted.url}: {reason}")
            if failures:
                time.sleep(wait * 2 ** (failures - 1))
    _verify(wanted, partial)
    partial.replace(target)


def _fetch(wanted: Download, partial: Path, progress: Progress) -> None:
    """Append what the server sends from where the partial file ends."""
    begun = _size(partial)
    request = urllib.request.Request(wanted.url, headers={"User-Agent": "glovelite"})
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if begun and response.status != http.HTTPStatus.PARTIAL_CONTENT:
            begun = 0  # a server that cannot resume sends everything again
        with partial.open("ab" if begun else "wb") as file:
            while piece := response.read(PIECE):
                file.write(piece)
                begun += len(piece)
                progress.reach(begun)


def _verify(wanted: Download, partial: Path) -> None:
    found = _size(partial)
    if found != wanted.bytes:
        partial.unlink()
        raise DownloadError(f"{wanted.url}: {found:,} bytes came, expected {wanted.bytes:,}")
    if wanted.md5 and (md5 := hash_file(partial, "md5")) != wanted.md5:
        partial.unlink()
        raise DownloadError(f"{wanted.url}: what came has MD5 {md5}, expected {wanted.md5}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
