"""Reads files that are to be published."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from glovelite.runtime.errors import OutputError


def read_regular_file(path: Path) -> bytes:
    """Read a file that is no symbolic link, pipe or device.

    In a folder from elsewhere a link may name any file of this machine, which would be published.

    Raises:
        OutputError: it is something else, or cannot be read.
    """
    try:
        with open(path, "rb", opener=_open_unlinked) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
    except OSError as error:
        if not path.is_symlink():
            raise OutputError(f"{path} cannot be read ({error.strerror})") from None
    kind = "a symbolic link" if path.is_symlink() else "not a regular file"
    raise OutputError(f"{path} is {kind} and would be published: put the file itself there")


def _open_unlinked(path: str, flags: int) -> int:
    # Opening a pipe would block. Not every system has both flags.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
