"""Writes folders and files that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError


def check_output_folder(
    target: Path, overwrite: bool, marker: str, known_names: frozenset[str]
) -> Path:
    """Refuse an output folder before any work is spent on it.

    Args:
        target: the folder to write.
        overwrite: whether an existing output may be replaced.
        marker: the file that every complete output of this kind holds.
        known_names: the names that such an output may hold; a folder with any other name in it is
            never replaced.

    Returns:
        The target with links and dots resolved.

    Raises:
        OutputError: something is there that must not be replaced, or the parent is not writable.
    """
    try:
        target = target.resolve()
        if target == Path.cwd() or target in Path.cwd().parents:
            raise OutputError(
                f"{target} is the current folder or one of its parents: choose another folder"
            )
        if target.exists():
            _check_replaceable(target, overwrite, marker, known_names)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent):
            pass
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from None
    return target


@contextmanager
def atomic_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder beside the target that is renamed to it if the block succeeds.

    The folder is removed if the block fails.

    Args:
        target: the folder to write.
        overwrite: replace a folder that exists by then.

    Raises:
        OutputError: the file system refuses (full disk, no permission), or a folder that must not
            be replaced appeared meanwhile.
    """
    staging = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, target, overwrite)
    except OSError as error:
        failed = error.filename or target
        raise OutputError(f"{target} not written: {failed}: {error.strerror or error}") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces the target, on disk, if the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def partial_path(target: Path) -> Path:
    """Return where a file lies while it is incomplete: `a/b.json` -> `a/b.json.partial`."""
    return target.with_name(target.name + ".partial")


def _check_replaceable(
    target: Path, overwrite: bool, marker: str, known_names: frozenset[str]
) -> None:
    names = {path.name for path in target.iterdir()} if target.is_dir() else {"a file"}
    if not names:
        return
    if marker not in names:
        raise OutputError(f"{target} exists and holds no {marker}: choose another folder")
    if unknown := sorted(names - known_names):
        raise OutputError(
            f"{target} holds {unknown[0]!r}, which glovelite did not write: choose another folder"
        )
    if not overwrite:
        raise OutputError(f"{target} exists: choose another folder, or --overwrite it")


def _replace(staging: Path, target: Path, overwrite: bool) -> None:
    """Rename the staging folder, keeping the old folder until the new one is in place."""
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
