"""The bundle on disk: a folder of `model.tflite`, `vocab.json`, `manifest.json`, `MODEL_CARD.md`.

Every byte is checked against the manifest before the interpreter sees it, because a damaged
flatbuffer can take the process down. That guards against accidents. A bundle from a stranger is
code from a stranger.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from .errors import BundleDamagedError, BundleMissingError, BundleVersionError
from .vocabulary import Vocabulary, parse_vocabulary

FORMAT = 1
MODEL, VOCABULARY, MANIFEST, MODEL_CARD = (
    "model.tflite",
    "vocab.json",
    "manifest.json",
    "MODEL_CARD.md",
)
PathLike = Union[str, Path]


@dataclass(frozen=True)
class Bundle:
    """A bundle read into memory, its hashes checked.

    Attributes:
        path: the folder.
        manifest: the content of `manifest.json`.
        vocabulary: the content of `vocab.json`.
        model: the flatbuffer.
    """

    path: Path
    manifest: dict[str, Any]
    vocabulary: Vocabulary
    model: bytes

    @property
    def fixed_length(self) -> int | None:
        """The one input length of the model, or None where it takes any."""
        length = self.manifest["input"]["length"]
        return None if length is None else int(length)

    @property
    def abstention(self) -> tuple[float, float]:
        """The least probability and the least share of known words of an answer, each 0 to 1."""
        stated = self.manifest.get("abstention", {})
        return stated.get("probability", 0.0), stated.get("known", 0.0)


def read_bundle(path: PathLike) -> Bundle:
    """Read a bundle and check every file the runtime uses.

    Args:
        path: the bundle's folder.

    Returns:
        The bundle.

    Raises:
        BundleMissingError: the folder or a file of it is missing or unreadable.
        BundleDamagedError: a file differs from what the manifest says, or is malformed.
        BundleVersionError: the bundle needs a newer runtime.
    """
    folder = Path(path)
    try:
        found = folder.is_dir()
        what = "is a file, not a bundle folder" if folder.exists() else "does not exist"
    except OSError as error:
        found, what = False, f"cannot be looked at ({error.strerror})"
    if not found:
        raise BundleMissingError(f"{folder} {what}: give the folder `glovelite-convert` wrote")
    manifest = _parse_manifest(_read(folder / MANIFEST), str(folder / MANIFEST))
    model = _read_checked(folder / MODEL, manifest["files"][MODEL])
    vocabulary = _read_checked(folder / VOCABULARY, manifest["files"][VOCABULARY])
    text = _decode(vocabulary, str(folder / VOCABULARY))
    return Bundle(folder, manifest, parse_vocabulary(text, str(folder / VOCABULARY)), model)


def describe_file(content: bytes) -> dict[str, Any]:
    """Describe a file as the manifest does.

    Args:
        content: the file's bytes.

    Returns:
        `{"bytes": its size, "sha256": its hash in hexadecimal}`.
    """
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleMissingError(
            f"{path} cannot be read ({error.strerror}): copy the whole bundle folder again"
        ) from None


def _read_checked(path: Path, expected: dict[str, Any]) -> bytes:
    content = _read(path)
    found = describe_file(content)
    if found["bytes"] != expected["bytes"]:
        raise BundleDamagedError(
            f"{path} has {found['bytes']} bytes where the manifest says {expected['bytes']}: "
            "copy the bundle again"
        )
    if found["sha256"] != expected["sha256"]:
        raise BundleDamagedError(
            f"{path} is not the file the manifest describes (sha256 {found['sha256'][:12]}… "
            f"instead of {str(expected['sha256'])[:12]}…): copy the bundle again"
        )
    return content


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleDamagedError(f"{source} is not UTF-8: {error.reason}") from None


def _parse_manifest(content: bytes, source: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_decode(content, source))
    except (ValueError, RecursionError) as error:
        raise BundleDamagedError(f"{source} is not JSON: {error}") from None
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or version < 1:
        raise BundleDamagedError(f"{source} is not a manifest: 'format' is missing")
    if version > FORMAT:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {FORMAT}: update glovelite"
        )
    files, model_input = manifest.get("files"), manifest.get("input")
    for name in (MODEL, VOCABULARY):
        entry = files.get(name) if isinstance(files, dict) else None
        if not isinstance(entry, dict) or not {"bytes", "sha256"} <= entry.keys():
            raise BundleDamagedError(f"{source} does not give bytes and sha256 of {name}")
    length = model_input.get("length", 0) if isinstance(model_input, dict) else 0
    if length is not None and (not isinstance(length, int) or not 0 < length <= 1 << 21):
        raise BundleDamagedError(f"{source} does not give the input's length (a number or null)")
    _check_abstention(manifest.get("abstention", {}), source)
    return manifest


def _check_abstention(stated: object, source: str) -> None:
    values = (
        [stated.get(n, 0.0) for n in ("probability", "known")] if isinstance(stated, dict) else []
    )
    shares = [v for v in values if isinstance(v, (int, float)) and 0 <= v <= 1]
    if len(shares) != 2:
        raise BundleDamagedError(f"{source}: 'abstention' should hold shares from 0 to 1")
