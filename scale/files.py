"""Files on this machine or in an object store, as pyarrow reads them."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from glovelite.runtime.errors import DataError, OutputError

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_GZIP = ".gz"
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Location:
    """A path in a file system.

    Attributes:
        system: the file system.
        path: a path as it takes them.
        name: what the user gave, for messages.
    """

    system: fs.FileSystem
    path: str
    name: str

    @property
    def base_name(self) -> str:
        """The name without the folders."""
        return posixpath.basename(self.path)

    def child(self, name: str) -> Location:
        """Return a file in this folder."""
        return Location(self.system, posixpath.join(self.path, name), f"{self.name}/{name}")

    @property
    def type(self) -> fs.FileType:
        """Whether it is a file, a folder or nothing.

        Raises:
            DataError: it cannot be accessed.
        """
        try:
            return self.system.get_file_info(self.path).type
        except OSError as error:
            raise DataError(f"{self.name} cannot be accessed: {error}") from None

    @contextmanager
    def open_atomic(self) -> Iterator[pa.NativeFile]:
        """Yield a file that is renamed to this name if the block succeeds.

        Raises:
            OutputError: it cannot be written.
        """
        temporary = f"{self.path}.partial"
        try:
            with self.system.open_output_stream(temporary, compression=None) as file:
                yield file
            self.system.move(temporary, self.path)
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {error}") from None


@dataclass(frozen=True)
class InputFile:
    """A file to score.

    Attributes:
        location: where it is.
        format: one of `FORMATS`.
        size: in bytes.
        key: its path below the given folder, which names its outputs.
    """

    location: Location
    format: str
    size: int
    key: str

    @property
    def is_gzipped(self) -> bool:
        """Whether it is compressed."""
        return self.location.path.lower().endswith(_GZIP)


def locate(name: str) -> Location:
    """Return the location that a path or a URI such as `s3://bucket/folder` names.

    Raises:
        DataError: it is not a path or a URI that pyarrow knows.
    """
    if "://" not in name:
        return Location(fs.LocalFileSystem(), str(Path(name).absolute()), name)
    try:
        system, path = fs.FileSystem.from_uri(name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be accessed: {error}") from None
    return Location(system, path, name)


def list_inputs(names: Sequence[str]) -> list[InputFile]:
    """List the files of paths, folders, patterns and URIs, in order of their names.

    Files whose name starts with `.` or `_` and files of other formats in folders are ignored.

    Raises:
        DataError: a path is missing, or nothing is left.
    """
    found: dict[str, InputFile] = {}
    for name in names:
        files = _list_input(name)
        if not files:
            raise DataError(f"{name} holds no file that ends in {', '.join(FORMATS)}")
        found.update((each.location.path, each) for each in files)
    return sorted(found.values(), key=lambda each: (each.key, each.location.path))


def _list_input(name: str) -> list[InputFile]:
    location = locate(name)
    if _WILDCARDS & set(location.path):
        folder = location.path[: min(map(location.path.find, _WILDCARDS & set(location.path)))]
        folder = posixpath.dirname(folder) or "/"
        infos = _list_folder(location.system, folder, name)
        infos = [each for each in infos if fnmatch.fnmatch(each.path, location.path)]
    elif location.type == fs.FileType.Directory:
        folder = location.path
        infos = _list_folder(location.system, folder, name)
    elif location.type == fs.FileType.File:
        folder = posixpath.dirname(location.path)
        infos = [location.system.get_file_info(location.path)]
        if choose_format(location.path) is None:
            raise DataError(f"{name}: expected a file name that ends in {', '.join(FORMATS)}")
    else:
        raise DataError(f"{name} does not exist")
    files = []
    for info in infos:
        format_ = choose_format(info.path)
        if format_ is not None and not info.base_name.startswith((".", "_")):
            key = posixpath.relpath(info.path, folder)
            shown = name if len(infos) == 1 else key
            files.append(
                InputFile(Location(location.system, info.path, shown), format_, info.size, key)
            )
    return files


def _list_folder(system: fs.FileSystem, folder: str, name: str) -> list[fs.FileInfo]:
    try:
        infos = system.get_file_info(fs.FileSelector(folder, recursive=True))
    except OSError as error:
        raise DataError(f"{name} cannot be listed: {error}") from None
    return [each for each in infos if each.type == fs.FileType.File]


def choose_format(path: str) -> str | None:
    """Return the format that a file's extension names, or None."""
    return FORMATS.get(posixpath.splitext(path.lower().removesuffix(_GZIP))[1])
