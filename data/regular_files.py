"""Reads files from elsewhere: regular ones, of limited size."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_regular_file(path: Path, max_bytes: int, follow_links: bool = False) -> bytes:
    """Read a file that is no pipe or device, and no symbolic link unless those are followed.

    In a folder from elsewhere a link may name any file of this machine.

    Raises:
        ValueError: it is something else, is larger, or cannot be read; the message says so after
            the file's name.
    """
    try:
        if not follow_links and path.is_symlink():
            raise ValueError("is a symbolic link")
        with open(path, "rb", opener=_open_all if follow_links else _open_unlinked) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("is not a regular file")
            content = b"" if status.st_size > max_bytes else file.read(max_bytes + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    if status.st_size > max_bytes or len(content) > max_bytes:  # it may grow
        raise ValueError(f"has more than {max_bytes:,} bytes")
    return content


def read_regular_text(path: Path, max_bytes: int) -> str:
    """Read a file of UTF-8 as `read_regular_file` does; links are followed."""
    try:
        return read_regular_file(path, max_bytes, follow_links=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start:,})") from None


def _open_all(path: str, flags: int) -> int:
    # Opening a pipe would block. Not every system has the flag.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_unlinked(path: str, flags: int) -> int:
    return _open_all(path, flags | getattr(os, "O_NOFOLLOW", 0))
