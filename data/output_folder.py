"""Writes folders that appear complete or not at all, and tables as CSV."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from glovelite.runtime.errors import OutputError
from glovelite.runtime.files.output import (
    Remove,
    locked_folder,
    name_refused_file,
    remove_leftovers,
    remove_tree,
    reserve_output,
)

JOB_FILE = "_job.json"  # of the output folder of a job that can be continued


@contextmanager
def reserve_output_folder(
    target: Path, overwrite: bool, marker: str, known_names: frozenset[str]
) -> Iterator[Path]:
    """Keep an output folder for this process before any work is spent on it.

    What killed processes left of earlier attempts is removed. A folder that one of them had set
    aside to replace it is put back.

    Args:
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
def atomic_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder beside the target that is renamed to it if the block succeeds.

    The folder is removed if the block fails. If the process is killed, the next call removes it.

    Raises:
        OutputError: the file system refuses (full disk, no permission), or a folder that must not
            be replaced appeared meanwhile.
    """
    prefix = _staging_prefix(target)
    with name_refused_file(target), locked_folder(target.parent, prefix) as staging:
        staging.chmod(0o777 & ~_umask())
        yield staging
        _replace(staging, target, overwrite)


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


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as UTF-8; characters that UTF-8 cannot encode are escaped."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
