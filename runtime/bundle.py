"""The bundle on disk.

A folder of `model.tflite`, `vocab.json`, `manifest.json`, `MODEL_CARD.md` and, where words are
hashed, `hashed_words.bin`, where character n-grams are read, `ngrams.bin`.

Every byte is checked against the manifest before the interpreter sees it, because a damaged
flatbuffer can crash the process. This protects against accidents only. Load bundles only from
sources you trust: whoever writes a bundle also writes its hashes.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .aliases import PathLike
from .decision import AbstentionRule, parse_abstention, parse_thresholds
from .errors import BundleDamagedError, BundleMissingError, BundleVersionError
from .strict_json import is_count, parse_json
from .text.hashed_words import parse_hashed_words
from .text.vocabulary import MAX_PADDING, MAX_TOKENS, Vocabulary, parse_vocabulary
from .trained_text import TrainedText, parse_trained_text

if TYPE_CHECKING:
    from .ngrams import NgramWeights

PLAIN_BUNDLE, HASHED_BUNDLE, MULTI_LABEL_BUNDLE, NGRAM_BUNDLE = 1, 2, 3, 4
BUNDLE_FORMAT = NGRAM_BUNDLE  # the newest that this runtime reads
MODEL_FILE = "model.tflite"
VOCABULARY_FILE = "vocab.json"
HASHED_WORDS_FILE = "hashed_words.bin"
NGRAMS_FILE = "ngrams.bin"
MANIFEST_FILE = "manifest.json"
MODEL_CARD_FILE = "MODEL_CARD.md"
KERAS_FILE, METRICS_FILE = "model.keras", "metrics.json"  # of a run folder, given by mistake
#: The files that only some bundles have.
OPTIONAL_FILES = (HASHED_WORDS_FILE, NGRAMS_FILE)
#: What a device needs.
DEVICE_FILES = (MODEL_FILE, VOCABULARY_FILE, *OPTIONAL_FILES, MANIFEST_FILE)

#: Maximum file sizes in bytes, so that reading a damaged bundle takes bounded memory. A flatbuffer
#: cannot be larger; all 400,000 words of GloVe have 4 MB listed, 2.4 MB hashed.
MAX_BYTES = {
    MODEL_FILE: (1 << 31) - 1,
    VOCABULARY_FILE: 1 << 23,
    HASHED_WORDS_FILE: 1 << 22,
    NGRAMS_FILE: 1 << 24,
    MANIFEST_FILE: 1 << 22,
    MODEL_CARD_FILE: 1 << 20,
}


@dataclass(frozen=True)
class Bundle:
    """A bundle read into memory, its hashes checked.

    Attributes:
        vocabulary: the content of `vocab.json`, and the index of hashed words.
        model: the flatbuffer.
        ngrams: weights of character n-grams, which are added to the model's logits, or None.
    """

    path: Path
    manifest: dict[str, Any]
    vocabulary: Vocabulary
    model: bytes
    ngrams: NgramWeights | None = None

    def __repr__(self) -> str:
        vocabulary = self.vocabulary
        words = len(vocabulary.tokens) + vocabulary.hashed_count
        return (
            f"<Bundle {self.path}: {len(vocabulary.labels):,} labels, {words:,} words, model of "
            f"{len(self.model):,} bytes>"
        )

    @property
    def fixed_length(self) -> int | None:
        """The only input length of the model, or None if it takes any."""
        length = self.manifest["input"]["length"]
        return None if length is None else int(length)

    @property
    def abstention(self) -> AbstentionRule:
        """When a prediction should not be relied on."""
        return parse_abstention(self.manifest.get("abstention", {}))

    @property
    def thresholds(self) -> tuple[float, ...]:
        """For each label the probability from which a text gets it; empty if single-label."""
        if not self.vocabulary.multi_label:
            return ()
        return parse_thresholds(self.manifest.get("thresholds", {}), self.vocabulary.labels)

    @property
    def text(self) -> TrainedText:
        """What training read as the text of a record."""
        return parse_trained_text(self.manifest.get("text"))


def read_bundle(path: PathLike) -> Bundle:
    """Read a bundle folder and check every file that the runtime uses.

    Raises:
        BundleMissingError: the folder or a file is missing or unreadable.
        BundleDamagedError: a file differs from the manifest, or is malformed.
        BundleVersionError: the bundle needs a newer runtime.
    """
    folder = Path(path)
    _check_folder(folder)
    manifest = _parse_manifest(_read(folder / MANIFEST_FILE), str(folder / MANIFEST_FILE))
    content = _read_checked(folder / VOCABULARY_FILE, manifest["files"][VOCABULARY_FILE])
    source = str(folder / VOCABULARY_FILE)
    vocabulary = parse_vocabulary(_decode(content, source), source)
    if HASHED_WORDS_FILE in manifest["files"]:
        path = folder / HASHED_WORDS_FILE
        index = _read_checked(path, manifest["files"][HASHED_WORDS_FILE])
        hashed = parse_hashed_words(index, len(vocabulary.tokens), str(path))
        vocabulary = replace(vocabulary, hashed=hashed)
    ngrams = None
    if NGRAMS_FILE in manifest["files"]:
        from .ngrams import parse_ngrams  # imported late for a fast cold start

        content = _read_checked(folder / NGRAMS_FILE, manifest["files"][NGRAMS_FILE])
        ngrams = parse_ngrams(content, vocabulary.outputs, str(folder / NGRAMS_FILE))
    _check_labels(manifest, vocabulary, str(folder / MANIFEST_FILE))
    # Read last: the model reuses the memory that parsing JSON freed.
    model = _read_checked(folder / MODEL_FILE, manifest["files"][MODEL_FILE])
    bundle = Bundle(folder, manifest, vocabulary, model, ngrams)
    if bundle.fixed_length is not None and bundle.fixed_length < vocabulary.max_tokens:
        raise BundleDamagedError(
            f"{folder / MANIFEST_FILE}: an input of {bundle.fixed_length} ids cannot hold the "
            f"vocabulary's {vocabulary.max_tokens} tokens"
        )
    return bundle


def _check_folder(folder: Path) -> None:
    """Raise BundleMissingError if a path is recognizably something else than a bundle."""
    try:
        if (folder / MANIFEST_FILE).exists():
            return
        problem = _explain_path(folder)
    except OSError as error:
        problem = f"{folder} cannot be accessed ({error.strerror}): give the folder of a bundle"
    if problem is not None:
        raise BundleMissingError(problem)


def _explain_path(path: Path) -> str | None:
    """Return what a path without a manifest is, and what to give instead; None if unknown."""
    wanted = "give the folder `glovelite-convert` wrote"
    if not path.exists():
        return f"{path} does not exist: {wanted}"
    if not path.is_dir():
        if (path.parent / MANIFEST_FILE).is_file():
            return f"{path} is a file, not a bundle folder: give its folder {_quote(path.parent)}"
        return f"{path} is a file, not a bundle folder: {wanted}"
    if (path / METRICS_FILE).is_file() and (path / KERAS_FILE).is_file():
        bundle = _quote(Path("bundles") / path.resolve().name)
        return (
            f"{path} is a run folder, not a bundle: make a bundle of it with "
            f"`glovelite-convert export {_quote(path)} --out {bundle}`"
        )
    bundles = sorted(manifest.parent for manifest in path.glob(f"*/{MANIFEST_FILE}"))
    if len(bundles) == 1:
        return f"{path} is not a bundle but holds one: give {_quote(bundles[0])}"
    if bundles:
        shown = ", ".join(map(_quote, bundles[:2]))
        return f"{path} is not a bundle but holds {len(bundles)}: give one of them, such as {shown}"
    return None


def _quote(path: Path) -> str:
    """Return a path as one argument of a shell command."""
    import shlex  # imported late for a fast cold start

    return shlex.quote(str(path))


def describe_file(content: bytes) -> dict[str, Any]:
    """Return a file's entry in the manifest: `{"bytes": size, "sha256": hexadecimal}`."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a pipe would block


def _read(path: Path, expected_size: int | None = None) -> bytes:
    """Read a regular file of the expected size, or of any size up to `MAX_BYTES`."""
    max_size = MAX_BYTES[path.name] if expected_size is None else expected_size
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleMissingError(
                    f"{path} is not a regular file: copy the whole bundle folder again"
                )
            size, content = status.st_size, b""
            if size <= max_size:
                content = file.read(max_size + 1)
                size = len(content)
    except OSError as error:
        raise BundleMissingError(
            f"{path} cannot be read ({error.strerror}): copy the whole bundle folder again"
        ) from None
    except MemoryError:
        raise BundleMissingError(f"{path} does not fit into memory ({size} bytes)") from None
    if expected_size is None and size > max_size:
        raise BundleDamagedError(f"{path} has {size} bytes, the maximum is {max_size}")
    if expected_size is not None and size != expected_size:
        raise BundleDamagedError(
            f"{path} has {size} bytes, the manifest says {expected_size}: copy the bundle again"
        )
    return content


def _read_checked(path: Path, expected: dict[str, Any]) -> bytes:
    content = _read(path, expected["bytes"])
    sha256 = describe_file(content)["sha256"]
    if sha256 != expected["sha256"]:
        raise BundleDamagedError(
            f"{path} is not the file in the manifest (sha256 {sha256[:12]}… instead of "
            f"{expected['sha256'][:12]}…): copy the bundle again"
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
        raise BundleDamagedError(f"{source} is not a manifest: 'format' is not an integer")
    if version > BUNDLE_FORMAT:
        raise BundleVersionError(
            f"{source} has format {version}, this runtime reads up to {BUNDLE_FORMAT}: "
            "update glovelite"
        )
    files, model_input = manifest.get("files"), manifest.get("input")
    optional = [name for name in OPTIONAL_FILES if isinstance(files, dict) and name in files]
    for name in (MODEL_FILE, VOCABULARY_FILE, *optional):
        entry = files.get(name) if isinstance(files, dict) else None
        if not isinstance(entry, dict) or not _is_file_entry(entry, MAX_BYTES[name]):
            raise BundleDamagedError(f"{source} lacks valid bytes and sha256 of {name}")
    if (version == NGRAM_BUNDLE) != (NGRAMS_FILE in optional):
        raise BundleDamagedError(
            f"{source}: format {NGRAM_BUNDLE} is of bundles with {NGRAMS_FILE}, and theirs alone"
        )
    length = model_input.get("length", 0) if isinstance(model_input, dict) else 0
    if length is not None and not is_count(length, MAX_TOKENS + MAX_PADDING):
        raise BundleDamagedError(f"{source} lacks a valid input length (an integer or null)")
    try:
        parse_abstention(manifest.get("abstention", {}))
        parse_trained_text(manifest.get("text"))
    except ValueError as error:
        raise BundleDamagedError(f"{source}: {error}") from None
    return manifest


def _check_labels(manifest: dict[str, Any], vocabulary: Vocabulary, source: str) -> None:
    """Raise BundleDamagedError unless manifest and vocabulary agree on single- or multi-label."""
    multi_label = manifest["format"] == MULTI_LABEL_BUNDLE
    if manifest["format"] == NGRAM_BUNDLE:  # of either kind
        multi_label = vocabulary.multi_label
    if multi_label != vocabulary.multi_label:
        kinds = ("single-label", "multi-label")
        raise BundleDamagedError(
            f"{source} is of a {kinds[multi_label]} bundle, {VOCABULARY_FILE} of a "
            f"{kinds[vocabulary.multi_label]} one: copy the bundle again"
        )
    if "thresholds" in manifest and not multi_label:
        raise BundleDamagedError(f"{source}: only a multi-label bundle has 'thresholds'")
    if multi_label and manifest.get("abstention", {}).get("labels"):
        raise BundleDamagedError(f"{source}: only a single-label bundle has 'abstention.labels'")
    try:
        parse_thresholds(manifest.get("thresholds", {}), vocabulary.labels)
    except ValueError as error:
        raise BundleDamagedError(f"{source}: {error}") from None


def _is_file_entry(entry: dict[str, Any], max_size: int) -> bool:
    digest = entry.get("sha256")
    return (
        is_count(entry.get("bytes"), max_size)
        and isinstance(digest, str)
        and bool(re.fullmatch("[0-9a-f]{64}", digest))
    )
