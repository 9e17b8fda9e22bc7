"""Writes files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import GloveliteError, OutputError
from .locks import LockHeldError, hold_lock, lock_path

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def reserve_output(target: Path, kind: str) -> Iterator[None]:
    """Keep an output for this process until the block ends.

    Args:
        target: the file or folder to write.
        kind: what it is, in the message.

    Raises:
        OutputError: another process is writing it.
        OSError: the lock file cannot be created.
    """
    try:
        with hold_lock(lock_path(target)):
            yield
    except LockHeldError as error:
        raise OutputError(
            f"{target} is being written by {error}: wait for it to end, or choose another {kind}"
        ) from None


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces the target, on disk, if the block succeeds.

    Raises:
        OutputError: the file system refuses (full disk, no permission).
    """
    partial = partial_path(target)
    with name_refused_file(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def partial_path(target: Path) -> Path:
    """Return where a file lies while it is incomplete: `a/b.json` -> `a/b.json.partial`."""
    return target.with_name(target.name + ".partial")


@contextmanager
def name_refused_file(target: Path) -> Iterator[None]:
    """Raise OutputError, which names the target, if the file system refuses to write in the block.

    Libraries raise errors of their own for a full disk; these are recognized too.
    """
    try:
        yield
    except GloveliteError:
        raise
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        file = getattr(error, "filename", None)
        where = f"{file}: " if file and str(file) != str(target) else ""
        raise OutputError(f"{target} not written: {where}{reason}") from error


def refusal(error: BaseException) -> str | None:
    """Return why the file system refused, or None if an error has another reason."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    for reason in map(os.strerror, DISK_IS_FULL):
        if reason in str(error):  # libraries put it into long messages of their own
            return reason
    return " ".join(str(error).split()) if isinstance(error, OSError) else None


def full_temporary_folder(error: OSError) -> OutputError:
    """Return the error for an unnamed temporary file that cannot be written."""
    return OutputError(
        f"{tempfile.gettempdir()}: temporary files cannot be written: {refusal(error)}: free some "
        "space, or set TMPDIR to another folder"
    )
