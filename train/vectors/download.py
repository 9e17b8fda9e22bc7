"""Downloads a file over HTTP: resumed after an interruption, verified, then renamed into place."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from glovelite.data.packages import hash_file
from glovelite.runtime.errors import DownloadError, OutputError
from glovelite.runtime.files.output import DISK_IS_FULL, partial_path, refusal

PIECE_BYTES = 1 << 18
TIMEOUT = 20.0  # seconds without a byte
MAX_FAILURES = 5  # in a row without a byte; any progress resets the count
WAIT = 1.0  # seconds before the second attempt, doubled for each further one


@dataclass(frozen=True)
class Download:
    """A file to download.

    Attributes:
        url: its address.
        bytes: its exact size.
        md5: its MD5 in hexadecimal, as published, or None: then only the size is checked.
    """

    url: str
    bytes: int
    md5: str | None = None


def download(wanted: Download, target: Path, wait: float = WAIT) -> None:
    """Download a file, continuing a partial download of an earlier attempt.

    Args:
        wanted: what to download.
        target: the file to write; it appears complete and verified, or not at all.
        wait: seconds before the second attempt.

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
