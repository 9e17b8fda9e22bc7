"""Sources of several files: a folder with a file a text, or tables in a folder or by a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Optional

from glovelite.runtime.files.records import choose_format

#: A file, and a line in it or None.
Place = tuple[str, Optional[int]]
_LINE_BITS = 40  # of a number that holds file and line


@dataclass(frozen=True)
class FileList:
    """The files of a source, and the numbers of its rows.

    Attributes:
        paths: the files, in order.
        folder: their names in shared files start below it.
        tables: whether each has rows; otherwise each is a text.
    """

    paths: Sequence[str]
    folder: Path
    tables: bool

    def number(self, file: int, line: int) -> int:
        """Return the number of a row of a table, from the index of its file and its line there."""
        return file << _LINE_BITS | line

    def find(self, number: int) -> Place:
        """Return the file of a row, and its line if it has one."""
        if not self.tables:
            return self.paths[number], None
        return self.paths[number >> _LINE_BITS], number & ((1 << _LINE_BITS) - 1)

    def find_below(self, number: int) -> Place:
        """Return the same, with the file's name below the folder: without private paths."""
        file, line = self.find(number)
        return Path(file).relative_to(self.folder).as_posix(), line


def find_tables(path: str) -> FileList | None:
    """Find the tables of a folder or a pattern such as `texts/*.parquet`, in order of their names.

    Files whose name starts with `.` or `_` are left out.

    Returns:
        None if the path is a file or has no tables, or is a folder with a folder a class.
    """
    given = Path(path)
    if given.is_dir():
        if any(given.glob("*/*.txt")):
            return None
        files, folder = list(given.rglob("*")), given.parent
    elif _is_pattern(path) and not given.exists():
        files = list(map(Path, glob(path, recursive=True)))  # noqa: PTH207 - pathlib has no absolute ones
        folder = next(each for each in given.parents if not _is_pattern(str(each)))
    else:
        return None
    tables = sorted(
        str(each)
        for each in files
        if each.is_file() and choose_format(str(each)) and not each.name.startswith((".", "_"))
    )
    return FileList(tables, folder, tables=True) if tables else None


def _is_pattern(path: str) -> bool:
    return any(each in path for each in "*?[")
