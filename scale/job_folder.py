"""The output folder of a job: continued if the job was killed, kept from other jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pyarrow import fs

from glovelite.data.output_folder import JOB_FILE
from glovelite.runtime.errors import OutputError

from .files import InputFile, Location


def open_job_folder(folder: Location, identity: Mapping[str, str], overwrite: bool) -> set[str]:
    """Make the output folder of a job, or continue in it.

    Args:
        folder: the folder.
        identity: what the output depends on; the names are those of a message about what changed.
        overwrite: replace the results of another job.

    Returns:
        The names of the files and folders that are there.

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
        with job.open_atomic() as file:
            file.write(json.dumps(dict(identity)).encode())
    return names


def check_outside(folder: Location, files: Iterable[InputFile]) -> None:
    """Raise OutputError if an input is in the output folder."""
    for each in files:
        if each.location.path.startswith(f"{folder.path}/"):
            raise OutputError(
                f"{folder.name} holds the input {each.location.name}: choose another output"
            )


def list_names(folder: Location) -> list[str]:
    """Return the names in a folder; none if there is no folder.

    Raises:
        OutputError: it is a file.
    """
    if folder.type == fs.FileType.NotFound:
        return []
    if folder.type == fs.FileType.File:
        raise OutputError(f"{folder.name} is a file: choose another output folder")
    return [each.base_name for each in folder.system.get_file_info(fs.FileSelector(folder.path))]


def _compare(job: Location, identity: Mapping[str, str]) -> str:
    """Return what differs from the job whose results are there."""
    try:
        with job.system.open_input_stream(job.path) as file:
            found = json.loads(file.read())
        return " and ".join(name for name in identity if found.get(name) != identity[name])
    except (ValueError, AttributeError):
        return "everything"
