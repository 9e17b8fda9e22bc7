"""Writes a static page that runs a bundle in the browser, unchanged, and needs no server of ours.

index.html, service-worker.js   what a browser opens, and what keeps it for offline use
page/                           the page's own code
engine/                         LiteRT.js, from its npm packages
bundle/                         the bundle's files, byte for byte
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.bundle import MODEL_CARD_FILE, Bundle, read_bundle
from runtime.io.output_folder import atomic_folder, check_output_folder

from ..errors import SiteError
from ..export import DEVICE_FILES
from .engine import PACKAGES, fetch_engine

WEB = Path(__file__).parent / "web"
MARKER = "service-worker.js"
SITE_FILES = frozenset(("index.html", MARKER, "page", "engine", "bundle"))


@dataclass(frozen=True)
class Site:
    """A site that was written.

    Attributes:
        path: its folder.
        page_bytes: the page's own files.
        bundle_bytes: model, vocabulary and manifest.
        engine_bytes: what a browser loads of the engine: one of its two builds.
    """

    path: Path
    page_bytes: int
    bundle_bytes: int
    engine_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Give the site as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def write_site(
    bundle: Path, out: Path, say: Callable[[str], None], engine: Path | None, overwrite: bool
) -> Site:
    """Write the site.

    Args:
        bundle: the bundle's folder.
        out: the site's folder.
        say: called with a line before anything slow.
        engine: where the engine's npm packages lie; None fetches them.
        overwrite: replace a site that is there.

    Returns:
        What was written.

    Raises:
        BundleError: the bundle is missing or damaged.
        SiteError: a browser cannot run it.
        DownloadError: the engine cannot be had.
        OutputError: the target is in the way or cannot be written.
    """
    target = check_output_folder(out, overwrite, MARKER, SITE_FILES)
    read = read_bundle(bundle)
    _check(read)
    files = fetch_engine(engine, say)
    with atomic_folder(target, overwrite) as staging:
        shutil.copytree(WEB, staging, dirs_exist_ok=True)
        (staging / "bundle").mkdir()
        for name in (*DEVICE_FILES, MODEL_CARD_FILE):
            if (read.path / name).is_file():
                shutil.copyfile(read.path / name, staging / "bundle" / name)
        for name, content in files.items():
            (staging / "engine" / name).write_bytes(content)
        _fill(staging / "engine" / "NOTICE.txt", "PACKAGES", _name_packages())
        _fill(staging / MARKER, "VERSION", _hash(staging))
        return _weigh(target, staging)


def _check(bundle: Bundle) -> None:
    output = bundle.manifest.get("output", {})
    if isinstance(output, dict) and output.get("dtype", "float32") != "float32":
        raise SiteError(
            f"{bundle.path} answers in {output['dtype']}: export it without --integer-output"
        )


def _name_packages() -> str:
    return "\n".join(f"    {each.name} {each.version}" for each in PACKAGES)


def _hash(folder: Path) -> str:
    """Name the content of a folder, so that a browser sees when it is another."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _fill(path: Path, name: str, value: str) -> None:
    path.write_text(path.read_text("utf-8").replace(name, value), "utf-8")


def _weigh(target: Path, staging: Path) -> Site:
    def size(*paths: Path) -> int:
        return sum(path.stat().st_size for path in paths if path.is_file())

    page = size(staging / "index.html", staging / MARKER, *(staging / "page").iterdir())
    bundle = size(*(staging / "bundle" / name for name in DEVICE_FILES))
    loaded = [each for each in (staging / "engine").iterdir() if "_compat_" not in each.name]
    return Site(target, page, bundle, size(*loaded))
