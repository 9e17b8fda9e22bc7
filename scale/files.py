"""Files and folders on this machine and in object stores, and folders of jobs that can continue."""

from __future__ import annotations

import fnmatch
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from glovelite.data.output_folder import JOB_FILE
from glovelite.runtime.errors import DataError, OutputError
from glovelite.runtime.files.binary_files import is_compressed
from glovelite.runtime.files.kinds import is_companion
from glovelite.runtime.files.records import EXTENSIONS, choose_format

FORMATS = ("parquet", "csv", "tsv", "jsonl")
_ENDINGS = ", ".join(ending for ending, format_ in EXTENSIONS.items() if format_ in FORMATS)
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Location:
    """A path in a file system.

    Attributes:
        path: in the form of the file system.
        name: as the user gave it, for messages.
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
        """Whether it is a file, a folder or nothing."""
        try:
            return self.system.get_file_info(self.path).type
        except (OSError, UnicodeError) as error:
            raise DataError(f"{self.name} cannot be accessed: {error}") from None

    @contextmanager
    def name_errors(self) -> Iterator[None]:
        """Raise DataError that names the file if it cannot be read in the block."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name} cannot be read: {error}") from None

    @contextmanager
    def open_input(self) -> Iterator[pa.NativeFile]:
        """Yield the file for reading."""
        with self.name_errors(), self.system.open_input_file(self.path) as file:
            yield file

    def write(self, content: str) -> None:
        """Write a file of text; see `open_atomic`."""
        with self.open_atomic() as file:
            file.write(content.encode())

    @contextmanager
    def open_atomic(self) -> Iterator[pa.NativeFile]:
        """Yield a file that is renamed to this name if the block succeeds."""
        temporary = f"{self.path}.partial"
        try:
            with self.system.open_output_stream(temporary, compression=None) as file:
                yield file
            self.system.move(temporary, self.path)
        except OSError as error:
            raise OutputError(f"{self.name} cannot be written: {error}") from None


@dataclass(frozen=True)
class InputFile:
    """A file of an input.

    Attributes:
        format: one of the values of `FORMATS`.
        size: in bytes.
        key: path below the given folder, which names its outputs.
        modified: when it was, in nanoseconds; None if its file system does not say.
    """

    location: Location
    format: str
    size: int
    key: str
    modified: int | None

    @property
    def is_compressed(self) -> bool:
        """Whether it is compressed."""
        return is_compressed(self.location.path)

    def check_unchanged(self) -> None:
        """Raise DataError if the file has another size or time than when it was listed."""
        with self.location.name_errors():
            info = self.location.system.get_file_info(self.location.path)
        if (info.size, _read_time(self.location.system, info)) != (self.size, self.modified):
            raise self.changed_error()

    def changed_error(self) -> DataError:
        """Return the error of a file that changed."""
        return DataError(
            f"{self.location.name} has changed since the job began: start it with --overwrite"
        )


def locate(name: str) -> Location:
    """Return the location that a path or a URI such as `s3://bucket/folder` names."""
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
            raise DataError(f"{name} holds no file that ends in {_ENDINGS}")
        found.update((file.location.path, file) for file in files)
    return sorted(found.values(), key=lambda file: (file.key, file.location.path))


def _list_input(name: str) -> list[InputFile]:
    location = locate(name)
    if _WILDCARDS & set(location.path):
        folder = location.path[: min(map(location.path.find, _WILDCARDS & set(location.path)))]
        folder = posixpath.dirname(folder) or "/"
        infos = _list_folder(location.system, folder, name)
        infos = [info for info in infos if fnmatch.fnmatch(info.path, location.path)]
    elif location.type == fs.FileType.Directory:
        folder = location.path
        infos = _list_folder(location.system, folder, name)
    elif location.type == fs.FileType.File:
        folder = posixpath.dirname(location.path)
        infos = [location.system.get_file_info(location.path)]
        if choose_format(location.path) not in FORMATS:
            raise DataError(f"{name}: expected a file name that ends in {_ENDINGS}")
    else:
        raise DataError(f"{name} does not exist")
    files = []
    for info in infos:
        format_ = choose_format(info.path)
        key = posixpath.relpath(info.path, folder)
        hidden = info.base_name.startswith((".", "_")) or is_companion(key)
        if format_ in FORMATS and not hidden:
            shown = name if len(infos) == 1 else key
            files.append(
                InputFile(
                    Location(location.system, info.path, shown),
                    format_,
                    info.size,
                    key,
                    _read_time(location.system, info),
                )
            )
    return files


def _read_time(system: fs.FileSystem, info: fs.FileInfo) -> int | None:
    """Return when a file was modified; object stores list milliseconds, but not for one object."""
    time: int | None = info.mtime_ns
    if time is None or isinstance(system, fs.LocalFileSystem):
        return time
    return time - time % 10**9


def _list_folder(system: fs.FileSystem, folder: str, name: str) -> list[fs.FileInfo]:
    try:
        if isinstance(system, fs.LocalFileSystem):  # pyarrow would follow links, also to parents
            infos = system.get_file_info([str(path) for path in Path(folder).rglob("*")])
        else:
            infos = system.get_file_info(fs.FileSelector(folder, recursive=True))
    except OSError as error:
        raise DataError(f"{name} cannot be listed: {error}") from None
    except UnicodeError:
        raise DataError(f"{name} holds a file whose name is not UTF-8: rename it") from None
    return [info for info in infos if info.type == fs.FileType.File]


def open_job_folder(folder: Location, identity: Mapping[str, str], overwrite: bool) -> set[str]:
    """Create the output folder of a job, or continue in it.

    Args:
        identity: the inputs and options of the job, by the names that messages show.
        overwrite: replace the results of another job.

    Returns:
        The names of existing files and folders.

    Raises:
        OutputError: it holds something else, or the results of another job.
    """
    job = folder.child(JOB_FILE)
    try:
        names = set(list_names(folder))
        changed = _compare(job, identity) if JOB_FILE in names else "everything"
        results = names - {JOB_FILE}
        if results and JOB_FILE not in names:
            raise OutputError(f"{folder.name} is not empty: choose another output folder")
        if results and changed and not overwrite:
            raise OutputError(
                f"{folder.name} holds the results of another job ({changed} changed): choose "
                "another output folder, or --overwrite it"
            )
        if names and changed:
            folder.system.delete_dir_contents(folder.path)
            names = set()
        folder.system.create_dir(folder.path)
    except OSError as error:
        raise OutputError(f"{folder.name} cannot be written: {error}") from None
    if changed:
        job.write(json.dumps(dict(identity)))
    return names


def check_outside(folder: Location, files: Iterable[InputFile]) -> None:
    """Raise OutputError if an input is in the output folder."""
    for file in files:
        if file.location.path.startswith(f"{folder.path}/"):
            raise OutputError(
                f"{folder.name} holds the input {file.location.name}: choose another output"
            )


def list_names(folder: Location) -> list[str]:
    """Return the names in a folder; none if there is no folder."""
    if folder.type == fs.FileType.NotFound:
        return []
    if folder.type == fs.FileType.File:
        raise OutputError(f"{folder.name} is a file: choose another output folder")
    return [info.base_name for info in folder.system.get_file_info(fs.FileSelector(folder.path))]


def _compare(job: Location, identity: Mapping[str, str]) -> str:
    """Return the names of what differs from the job whose results are there."""
    try:
        with job.system.open_input_stream(job.path) as file:
            found = json.loads(file.read())
        return " and ".join(name for name in identity if found.get(name) != identity[name])
    except (ValueError, AttributeError):
        return "everything"
