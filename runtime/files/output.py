"""Writes files that appear complete or not at all; locks files and folders of a running process.

The sign that a file belongs to a process is a lock of the operating system, which ends with the
process however it dies. So a later process can tell what a killed one left behind. Where nothing
can be locked (Windows, some network file systems), nothing is refused and nothing is taken for left
behind.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Callable

from ..errors import GloveliteError, OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Remove = Callable[[Path], None]
SCRATCH_PREFIX = "glovelite-"
_RANDOM_CHARACTERS = 8  # that `tempfile.mkdtemp` appends
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LockHeldError(Exception):
    """Another process holds the lock; the message names it."""


def lock_path(target: Path) -> Path:
    """Return the lock file of an output: `a/b` -> `a/.b.lock`."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def hold_lock(path: Path, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock file until the block ends; it then disappears.

    Args:
        wait: receives the name of the process that holds the lock, which is then waited for; None
            raises instead.

    Raises:
        LockHeldError: another process, or another thread, holds it.
        OSError: the file cannot be created.
    """
    descriptor = _open_locked(path, wait)
    try:
        with suppress(OSError):  # the disk is full: the lock holds without a name
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Delete a folder as far as possible."""
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked_folder(parent: Path, prefix: str, remove: Remove = remove_tree) -> Iterator[Path]:
    """Yield a new folder that is removed when the block ends, or by a later call if it is killed.

    Args:
        parent: where to make it; leftovers of dead processes there are removed first.
    """
    remove_leftovers(parent, prefix, remove)
    path, descriptor = _make_locked(parent, prefix)
    try:
        yield path
    finally:
        remove(path)
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a `locked_folder` in the system's folder of temporary files."""
    with locked_folder(Path(tempfile.gettempdir()), SCRATCH_PREFIX) as folder:
        yield folder


def remove_leftovers(parent: Path, prefix: str, remove: Remove = remove_tree) -> None:
    """Remove the folders of this user that `locked_folder` made in processes that died."""
    for path in list(parent.iterdir()):
        if path.name.startswith(prefix) and len(path.name) == len(prefix) + _RANDOM_CHARACTERS:
            descriptor = _open_folder(path)
            if descriptor is None:
                continue
            try:
                if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor):
                    remove(path)
            finally:
                os.close(descriptor)


def _open_locked(path: Path, wait: Callable[[str], None] | None) -> int:
    """Open and lock a file; start again if its last holder deleted it meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _lock(descriptor) is False:
                holder = _describe_holder(descriptor)
                if wait is None:
                    raise LockHeldError(holder)
                wait(holder)
                _lock(descriptor, wait=True)
            if _is_open_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _make_locked(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Make and lock a folder; start again if another process took it for a leftover meanwhile."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        descriptor = _open_folder(path)
        if descriptor is None:
            if path.exists():
                return path, None
            continue
        if _lock(descriptor) is not False and _is_open_at(descriptor, path):
            return path, descriptor
        os.close(descriptor)


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Lock an open file or folder.

    Returns:
        True if it is locked now, False if it was already, None if it cannot be locked.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _open_folder(path: Path) -> int | None:
    """Open a folder, not through a link; None if it is gone or folders cannot be opened."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (OSError, AttributeError):  # Windows has none of these flags
        return None


def _is_open_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _describe_holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0).decode("ascii", "replace")
    return f"process {number}" if number.isdecimal() else "another process"


@contextmanager
def reserve_output(target: Path, kind: str) -> Iterator[None]:
    """Keep an output for this process until the block ends.

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
