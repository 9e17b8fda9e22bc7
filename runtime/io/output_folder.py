"""Writes a folder so that it appears whole or not at all; `train` and `convert` share it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


def check_target(target: Path, overwrite: bool, marker: str, ours: frozenset[str]) -> Path:
    """Refuse a target before any work is spent on it.

    Args:
        target: the folder to write.
        overwrite: whether the user asked to replace what is there.
        marker: the file that every finished output of this kind holds.
        ours: the names such an output may hold; a folder with any other is never replaced.

    Returns:
        The target with links and dots resolved.

    Raises:
        OutputError: something is there that may not be replaced, or the parent is not writable.
    """
    try:
        target = target.resolve()
        if target == Path.cwd() or target in Path.cwd().parents:
            raise OutputError(f"{target} is the folder you are in or above it: choose another")
        if target.exists():
            _check_replaceable(target, overwrite, marker, ours)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent):
            pass
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from None
    return target


def _check_replaceable(target: Path, overwrite: bool, marker: str, ours: frozenset[str]) -> None:
    held = {path.name for path in target.iterdir()} if target.is_dir() else {"a file"}
    if not held:
        return
    if marker not in held:
        raise OutputError(f"{target} exists and holds no {marker}: choose another folder")
    if strange := sorted(held - ours):
        raise OutputError(
            f"{target} holds {strange[0]!r}, which is not ours: choose another folder"
        )
    if not overwrite:
        raise OutputError(f"{target} exists: choose another folder, or --overwrite it")


@contextmanager
def written_whole(target: Path, overwrite: bool) -> Iterator[Path]:
    """Give a folder beside the target to write into, renamed over the target at the end.

    Args:
        target: the folder that appears if the block succeeds.
        overwrite: replace a folder that is there by then.

    Yields:
        An empty folder on the same file system. It is removed if the block fails.

    Raises:
        OutputError: the file system refuses (full disk, no permission), or a folder appeared
            meanwhile that is not to be replaced.
    """
    staging = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, target, overwrite)
    except OSError as error:
        what = error.filename or target
        raise OutputError(f"{target} not written: {what}: {error.strerror or error}") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, target: Path, overwrite: bool) -> None:
    """Rename, keeping the old folder until the new one stands."""
    if not target.exists() or not any(target.iterdir()):
        staging.rename(target)
        return
    if not overwrite:
        raise OutputError(f"{target} appeared meanwhile: choose another folder, or --overwrite it")
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    try:
        staging.rename(target)
    except BaseException:
        (old / target.name).rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
