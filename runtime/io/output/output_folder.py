"""Writes folders and files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ...errors import GloveliteError, OutputError
from .locks import (
    LockHeldError,
    Remove,
    hold_lock,
    lock_path,
    locked_folder,
    remove_leftovers,
    remove_tree,
)

JOB_FILE = "_job.json"  # of the output folder of a job that can be continued
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def reserve_output_folder(
    target: Path, overwrite: bool, marker: str, known_names: frozenset[str]
) -> Iterator[Path]:
    """Keep an output folder for this process before any work is spent on it.

    What killed processes left of earlier attempts is removed. A folder that one of them had set
    aside to replace it is put back.

    Args:
        target: the folder to write.
        overwrite: whether an existing output may be replaced.
        marker: the file that every complete output of this kind holds.
        known_names: the names that such an output may hold; a folder with any other name in it is
            never replaced.

    Yields:
        The target with links and dots resolved.

    Raises:
        OutputError: something is there that must not be replaced, another process is writing it, or
            the parent is not writable.
    """
    with ExitStack() as reserved:
        try:
            target = target.resolve()
            if target == Path.cwd() or target in Path.cwd().parents:
                raise OutputError(
                    f"{target} is the current folder or one of its parents: choose another folder"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            reserved.enter_context(reserve_output(target, "folder"))
            remove_leftovers(target.parent, _staging_prefix(target))
            remove_leftovers(target.parent, _aside_prefix(target), _put_back(target))
            if target.exists():
                _check_replaceable(target, overwrite, marker, known_names)
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror}") from None
        yield target


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
def atomic_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder beside the target that is renamed to it if the block succeeds.

    The folder is removed if the block fails. If the process is killed, the next call removes it.

    Args:
        target: the folder to write.
        overwrite: replace a folder that exists by then.

    Raises:
        OutputError: the file system refuses (full disk, no permission), or a folder that must not
            be replaced appeared meanwhile.
    """
    prefix = _staging_prefix(target)
    with name_refused_file(target), locked_folder(target.parent, prefix) as staging:
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, target, overwrite)


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
    with locked_folder(target.parent, _aside_prefix(target), _put_back(target)) as aside:
        target.rename(aside / target.name)
        staging.rename(target)


def _put_back(target: Path) -> Remove:
    """Return what removes the folder that the old target was set aside in.

    If there is no new target, the old one is moved back first.
    """

    def remove(aside: Path) -> None:
        old = aside / target.name
        with suppress(OSError):  # then the old one stays where it is
            if old.exists() and not target.exists():
                old.rename(target)
        if target.exists() or not old.exists():
            remove_tree(aside)

    return remove


def _staging_prefix(target: Path) -> str:
    return f".{target.name}.partial-"


def _aside_prefix(target: Path) -> str:
    return f".{target.name}.replaced-"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
