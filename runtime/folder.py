"""Writes a folder so that it appears whole or not at all; `train` and `convert` share it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import GloveliteError


class TargetError(GloveliteError):
    """An output folder is in the way or cannot be written."""


def check_target(target: Path, overwrite: bool, marker: str) -> None:
    """Refuse a target before any work is spent on it.

    Args:
        target: the folder to write.
        overwrite: whether the user asked to replace what is there.
        marker: a file that only our own outputs hold; a folder without it is never replaced.

    Raises:
        TargetError: something is there that may not be replaced, or the parent is not writable.
    """
    if target.exists() or target.is_symlink():
        ours = target.is_dir() and ((target / marker).exists() or not any(target.iterdir()))
        if not ours:
            raise TargetError(f"{target} exists and holds no {marker}: choose another folder")
        if not overwrite and any(target.iterdir()):
            raise TargetError(f"{target} exists: choose another folder, or --overwrite it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent):
            pass
    except OSError as error:
        raise TargetError(f"{target.parent} cannot be written: {error.strerror}") from None


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a folder beside the target to write into, renamed over the target at the end.

    Args:
        target: the folder that appears if the block succeeds; one that is there is replaced then.

    Yields:
        An empty folder on the same file system. It is removed if the block fails.

    Raises:
        TargetError: the file system refuses (full disk, no permission).
    """
    staging = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, target)
    except OSError as error:
        raise TargetError(f"{target} could not be written: {error.strerror or error}") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, target: Path) -> None:
    """Rename, keeping the old folder until the new one stands."""
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    try:
        staging.rename(target)
    except OSError:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
