"""The bundle on disk: a folder of `model.tflite`, `vocab.json`, `manifest.json`, `MODEL_CARD.md`.

Every byte is checked against the manifest before the interpreter sees it, because a damaged
flatbuffer can take the process down. That guards against accidents. A bundle from a stranger is
code from a stranger.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from .errors import BundleDamagedError, BundleMissingError, BundleVersionError
from .strict_json import is_count, parse_json
from .vocabulary import MOST_PADDING, MOST_TOKENS, Vocabulary, parse_vocabulary

FORMAT = 1
MODEL, VOCABULARY, MANIFEST, MODEL_CARD = (
    "model.tflite",
    "vocab.json",
    "manifest.json",
    "MODEL_CARD.md",
)
PathLike = Union[str, Path]

#: Bytes a file may have, so that reading and parsing what is damaged takes bounded memory. A
#: flatbuffer cannot be larger; a vocabulary of all GloVe's 400,000 words has 4 MB.
MOST_BYTES = {MODEL: (1 << 31) - 1, VOCABULARY: 1 << 23, MANIFEST: 1 << 22}


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
    content = _read_checked(folder / VOCABULARY, manifest["files"][VOCABULARY])
    source = str(folder / VOCABULARY)
    vocabulary = parse_vocabulary(_decode(content, source), source)
    model = _read_checked(folder / MODEL, manifest["files"][MODEL])  # where JSON's memory was
    bundle = Bundle(folder, manifest, vocabulary, model)
    if bundle.fixed_length is not None and bundle.fixed_length < vocabulary.max_tokens:
        raise BundleDamagedError(
            f"{folder / MANIFEST}: an input of {bundle.fixed_length} ids cannot hold the "
            f"vocabulary's {vocabulary.max_tokens} tokens"
        )
    return bundle


def describe_file(content: bytes) -> dict[str, Any]:
    """Describe a file as the manifest does.

    Args:
        content: the file's bytes.

    Returns:
        `{"bytes": its size, "sha256": its hash in hexadecimal}`.
    """
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for a writer


def _read(path: Path, expected: int | None = None) -> bytes:
    """Read a file of the size expected, or of any that is allowed; look at it before reading."""
    most = MOST_BYTES[path.name] if expected is None else expected
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleMissingError(
                    f"{path} is not a file: copy the whole bundle folder again"
                )
            size, content = status.st_size, b""
            if size <= most:
                content = file.read(most + 1)
                size = len(content)
    except OSError as error:
        raise BundleMissingError(
            f"{path} cannot be read ({error.strerror}): copy the whole bundle folder again"
        ) from None
    except MemoryError:
        raise BundleMissingError(f"{path} does not fit into memory ({size} bytes)") from None
    if expected is None and size > most:
        raise BundleDamagedError(f"{path} has {size} bytes, {most} are the most it may have")
    if expected is not None and size != expected:
        raise BundleDamagedError(
            f"{path} has {size} bytes where the manifest says {expected}: copy the bundle again"
        )
    return content


def _read_checked(path: Path, expected: dict[str, Any]) -> bytes:
    content = _read(path, expected["bytes"])
    found = describe_file(content)
    if found["sha256"] != expected["sha256"]:
        raise BundleDamagedError(
            f"{path} is not the file the manifest describes (sha256 {found['sha256'][:12]}… "
            f"instead of {expected['sha256'][:12]}…): copy the bundle again"
        )
    return content


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleDamagedError(f"{source} is not UTF-8: {error.reason}") from None


def _parse_manifest(content: bytes, source: str) -> dict[str, Any]:
    manifest: dict[str, Any] = parse_json(_decode(content, source), source)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not is_count(version, 1 << 31):
        raise BundleDamagedError(f"{source} is not a manifest: 'format' is not a whole number")
    if version > FORMAT:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {FORMAT}: update glovelite"
        )
    files, model_input = manifest.get("files"), manifest.get("input")
    for name in (MODEL, VOCABULARY):
        entry = files.get(name) if isinstance(files, dict) else None
        if not isinstance(entry, dict) or not _is_description(entry, MOST_BYTES[name]):
            raise BundleDamagedError(f"{source} does not give bytes and sha256 of {name}")
    length = model_input.get("length", 0) if isinstance(model_input, dict) else 0
    if length is not None and not is_count(length, MOST_TOKENS + MOST_PADDING):
        raise BundleDamagedError(f"{source} does not give the input's length (a number or null)")
    _check_abstention(manifest.get("abstention", {}), source)
    return manifest


def _is_description(entry: dict[str, Any], most: int) -> bool:
    digest = entry.get("sha256")
    return (
        is_count(entry.get("bytes"), most)
        and isinstance(digest, str)
        and bool(re.fullmatch("[0-9a-f]{64}", digest))
    )


def _check_abstention(stated: object, source: str) -> None:
    values = (
        [stated.get(n, 0.0) for n in ("probability", "known")] if isinstance(stated, dict) else []
    )
    shares = [v for v in values if type(v) in (int, float) and 0 <= v <= 1]  # True is no share
    if len(shares) != 2:
        raise BundleDamagedError(f"{source}: 'abstention' should hold shares from 0 to 1")
