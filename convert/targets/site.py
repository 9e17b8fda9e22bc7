"""Writes a static page that runs a bundle in the browser.

index.html, service-worker.js   the page, and its cache for offline use
page/                           the page's code
engine/                         LiteRT.js, from its npm packages
bundle/                         the bundle's files, unchanged
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.data.packages import Package, check_package, fetch_package
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import DEVICE_FILES, MODEL_CARD_FILE, Bundle, read_bundle
from glovelite.runtime.errors import DownloadError, SiteError

UTILITIES = "@litertjs/wasm-utils"
WEB_FOLDER = Path(__file__).parent / "web"
SERVICE_WORKER = "service-worker.js"
SITE_FILES = frozenset(("index.html", SERVICE_WORKER, "page", "engine", "bundle"))


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

    The packages are in a folder, or in the cache, into which they are downloaded.

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


@dataclass(frozen=True)
class SiteResult:
    """A site that was written.

    Attributes:
        path: its folder.
        page_bytes: size of the page's own files.
        bundle_bytes: size of the files that a device needs.
        engine_bytes: what a browser loads of the engine: one of its two builds.
    """

    path: Path
    page_bytes: int
    bundle_bytes: int
    engine_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def write_site(
    bundle: PathLike, out: PathLike, *, engine: PathLike | None = None, overwrite: bool = False
) -> SiteResult:
    """Write the site of a bundle.

    `engine` is a folder with the engine's npm packages; None downloads them.

    Raises:
        BundleError: the bundle is missing or damaged.
        SiteError: a browser cannot run it.
        DownloadError: the engine cannot be fetched.
        OutputError: the site exists or cannot be written.
    """
    with reserve_output_folder(Path(out), overwrite, SERVICE_WORKER, SITE_FILES) as target:
        source = read_bundle(bundle)
        _check_output_type(source)
        files = load_engine(None if engine is None else Path(engine))
        return _write_files(source, files, target, overwrite)


def _write_files(
    source: Bundle, files: dict[str, bytes], target: Path, overwrite: bool
) -> SiteResult:
    with atomic_folder(target, overwrite) as staging:
        shutil.copytree(WEB_FOLDER, staging, dirs_exist_ok=True)
        (staging / "bundle").mkdir()
        for name in (*DEVICE_FILES, MODEL_CARD_FILE):
            if (source.path / name).is_file():
                shutil.copyfile(source.path / name, staging / "bundle" / name)
        for name, content in files.items():
            (staging / "engine" / name).write_bytes(content)
        packages = "\n".join(f"    {p.package.name} {p.package.version}" for p in ENGINE)
        _replace_text(staging / "engine" / "NOTICE.txt", "PACKAGES", packages)
        _replace_text(staging / SERVICE_WORKER, "VERSION", _hash_folder(staging))
        return _measure(target, staging)


def _check_output_type(bundle: Bundle) -> None:
    output = bundle.manifest.get("output", {})
    if isinstance(output, dict) and output.get("dtype", "float32") != "float32":
        raise SiteError(
            f"{bundle.path} has {output['dtype']} output: export it without --integer-output"
        )


def _hash_folder(folder: Path) -> str:
    """Hash the content of a folder, so that browsers notice a change."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _replace_text(path: Path, name: str, value: str) -> None:
    path.write_text(path.read_text("utf-8").replace(name, value), "utf-8")


def _measure(target: Path, staging: Path) -> SiteResult:
    def size(*paths: Path) -> int:
        return sum(path.stat().st_size for path in paths if path.is_file())

    page = size(staging / "index.html", staging / SERVICE_WORKER, *(staging / "page").iterdir())
    bundle = size(*(staging / "bundle" / name for name in DEVICE_FILES))
    loaded = [path for path in (staging / "engine").iterdir() if "_compat_" not in path.name]
    return SiteResult(target, page, bundle, size(*loaded))
