"""Reads files on servers: whole, into a file, or as a stream."""

from __future__ import annotations

import http
import http.client
import io
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

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
    """A file of word vectors on a server.

    Attributes:
        md5: its MD5 in hexadecimal, as published, or None.
        member: what to read of a zip file; None for its only file.
        rows: how many rows are read, the first ones; None for all.
    """

    url: str
    md5: str | None = None
    member: str | None = None
    rows: int | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


class _ChangedError(DownloadError):
    """The server has another file than before."""


class RemoteFile(io.RawIOBase):
    """A file on a server, read once, forwards; it reconnects where a connection broke.

    Attributes:
        position: bytes read or skipped so far.
        size: the whole file's bytes, as the server announced them; None before the first read, or
            if it did not.
    """

    def __init__(self, url: str, position: int = 0) -> None:
        """Start at a position.

        Reading raises DownloadError if the server cannot be reached, keeps failing, or has another
        file than before.
        """
        super().__init__()
        self.position = position
        self.size: int | None = None
        self._url = url
        self._response: http.client.HTTPResponse | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, as many as have arrived; 0 at the end of the file."""
        for failures in range(1, MAX_FAILURES + 1):
            try:
                response = self._response or self._connect()
                count = 0 if response is None else response.readinto(buffer)
                self.position += count
                if count or self.size is None or self.position >= self.size:
                    return count
                reason = "the server sent fewer bytes than announced"
            except urllib.error.HTTPError as error:
                raise DownloadError(f"{self._url}: HTTP {error.code} {error.reason}") from None
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            self._disconnect()
            if not self.position or failures == MAX_FAILURES:
                break
            time.sleep(WAIT * 2 ** (failures - 1))
        raise DownloadError(f"{self._url}: {reason}")

    def close(self) -> None:
        """Disconnect."""
        self._disconnect()
        super().close()

    def _disconnect(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _connect(self) -> http.client.HTTPResponse | None:
        """Connect, so that the response continues at the position; return None at the end."""
        request = urllib.request.Request(self._url, headers={"User-Agent": "glovelite"})
        if self.position:
            request.add_header("Range", f"bytes={self.position}-")
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            self._check_size(_parse_size(error.headers, 0))
            return None
        self._response = response
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        self._check_size(_parse_size(response.headers, self.position if resumed else 0))
        skipped = self.position if resumed else 0
        while skipped < self.position:  # the server cannot resume and sends everything
            piece = response.read(min(PIECE_BYTES, self.position - skipped))
            if not piece:
                raise http.client.IncompleteRead(b"")
            skipped += len(piece)
        return response

    def _check_size(self, size: int | None) -> None:
        """Store the announced size; raise if another one was announced before."""
        known = size if self.size is None else self.size
        if known is not None and (known != (size or known) or known < self.position):
            raise _ChangedError(f"{self._url}: the file has changed on the server")
        self.size = known


def _parse_size(headers: Message, start: int) -> int | None:
    """Return the size of a file of which a response holds what follows `start`, if announced."""
    total = headers.get("Content-Range", "").rpartition("/")[2]
    if total.isdigit():
        return int(total)
    length = headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def download(wanted: Download, target: Path) -> None:
    """Download a file, continuing a partial download of an earlier attempt.

    The target appears complete and verified, or not at all.

    Raises:
        DownloadError: the server cannot be reached or keeps failing (the partial file stays for
            the next time), or the content is wrong (it is deleted).
        OutputError: the disk is full (the partial file stays for the next time).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        _append(wanted, partial)
    except _ChangedError:
        partial.unlink()
        _append(wanted, partial)
    if wanted.md5 and (md5 := hash_file(partial, "md5")) != wanted.md5:
        partial.unlink()
        raise DownloadError(f"{wanted.url}: the file has MD5 {md5}, expected {wanted.md5}")
    partial.replace(target)


def _append(wanted: Download, partial: Path) -> None:
    """Append what follows the end of a partial file, or start it."""
    position = partial.stat().st_size if partial.exists() else 0
    with RemoteFile(wanted.url, position) as remote:
        piece = remote.read(PIECE_BYTES)
        try:
            with partial.open("ab") as file, _show_progress(wanted.name, remote.size) as progress:
                while piece:
                    file.write(piece)
                    progress.update(remote.position - progress.n)
                    piece = remote.read(PIECE_BYTES)
        except OSError as error:
            if error.errno not in DISK_IS_FULL:
                raise
            raise OutputError(
                f"{partial} not written: {refusal(error)}: free some space and repeat the "
                "command, which continues the download"
            ) from None


def _show_progress(name: str, size: int | None) -> tqdm[None]:
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=None, leave=False)
