"""LiteRT.js, which runs models in the browser, from its npm packages."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from glovelite.data.packages import Package, check_package, fetch_package
from glovelite.runtime.errors import DownloadError

UTILITIES = "@litertjs/wasm-utils"


@dataclass(frozen=True)
class EnginePackage:
    """A package and what the page needs of it.

    Attributes:
        package: the pinned npm package.
        files: path in the package -> name in the site's folder `engine`.
    """

    package: Package
    files: dict[str, str]


ENGINE = (
    EnginePackage(
        Package(
            client="npm",
            name="@litertjs/core",
            version="2.5.3",
            file="litertjs-core-2.5.3.tgz",
            sha256="a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
            megabytes=8,
        ),
        {
            "dist/index.js": "litert.js",
            "wasm/litert_wasm_internal.js": "litert_wasm_internal.js",
            "wasm/litert_wasm_internal.wasm": "litert_wasm_internal.wasm",
            "wasm/litert_wasm_compat_internal.js": "litert_wasm_compat_internal.js",
            "wasm/litert_wasm_compat_internal.wasm": "litert_wasm_compat_internal.wasm",
        },
    ),
    EnginePackage(
        Package(
            client="npm",
            name=UTILITIES,
            version="2.5.3",
            file="litertjs-wasm-utils-2.5.3.tgz",
            sha256="ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
            megabytes=1,
        ),
        {"dist/index.js": "wasm-utils.js"},
    ),
)


def load_engine(folder: Path | None) -> dict[str, bytes]:
    """Return the engine's files: name in the folder `engine` -> content.

    Args:
        folder: where the packages are; None takes the cache, or fetches them into it.

    Raises:
        DownloadError: a package is missing, cannot be fetched, or is not the pinned one.
    """
    files: dict[str, bytes] = {}
    for part in ENGINE:
        files |= _extract(part, _locate(part.package, folder))
    script = files["litert.js"].decode("utf-8").replace(f'"{UTILITIES}"', '"./wasm-utils.js"')
    files["litert.js"] = script.encode("utf-8")
    for name in ("litert.js", "wasm-utils.js"):
        files[name] = re.sub(rb"//# sourceMappingURL=.*\n?", b"", files[name])
    return files


def _locate(package: Package, folder: Path | None) -> Path:
    if folder is None:
        try:
            return fetch_package(package)
        except DownloadError as error:
            raise DownloadError(
                f"{error}; or fetch it on another machine and pass its folder as --engine"
            ) from None
    path = folder / package.file
    if not path.is_file():
        raise DownloadError(
            f"{path} does not exist: npm pack {package.name}@{package.version} writes it"
        )
    check_package(package, path)
    return path


def _extract(part: EnginePackage, path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        members = {
            name: archive.extractfile(f"package/{inside}") for inside, name in part.files.items()
        }
        return {name: member.read() for name, member in members.items() if member}
