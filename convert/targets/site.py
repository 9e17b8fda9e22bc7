"""Writes a static page that runs a bundle in the browser, or its code as a JavaScript module.

A site:

index.html           the page
service-worker.js    keeps one version of the site for use without a network
files/VERSION/       the page's code, its modules joined to app.js, and in `bundle/` model.bin,
                     manifest.json and MODEL_CARD.md

VERSION is a hash of everything else, so a browser gets all of one version or an error, also while a
site is replaced by another under the same address.

A module:

glovelite.js, …      the code that the page uses, with types for TypeScript
bundle/              model.bin and MODEL_CARD.md
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.data.regular_files import read_regular_file
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import (
    DEVICE_FILES,
    MANIFEST_FILE,
    MAX_BYTES,
    MODEL_CARD_FILE,
    Bundle,
    read_bundle,
)
from glovelite.runtime.errors import OutputError
from glovelite.runtime.self_test import GoldenText, read_golden_texts
from glovelite.runtime.text.vocabulary import UNKNOWN_ID, Vocabulary

from ..model_bin.model_file import build_model_file

WEB_FOLDER = Path(__file__).parent / "web"
CODE_FOLDER = WEB_FOLDER / "page"
INDEX, SERVICE_WORKER = "index.html", "service-worker.js"
BUNDLE_FOLDER, MODEL_FILE = "bundle", "model.bin"
PAGE_ENTRY, MODULE_ENTRY = "app.js", "glovelite.js"
#: Of the files in `CODE_FOLDER` those that only a site has, and those that only a module has.
PAGE_FILES = frozenset((PAGE_ENTRY, "self-test.js", "old-browser.js", "style.css"))
MODULE_FILES = frozenset(("glovelite.d.ts", "package.json"))
#: What a site may hold, of this version and of earlier ones.
SITE_NAMES = frozenset((INDEX, SERVICE_WORKER, "files", "page", "engine", BUNDLE_FOLDER))
#: What a browser need not load: indentation, and comments on lines of their own.
UNUSED = re.compile(rb"^ *(?:(?://[^\n]*|/\*\*.*?\*/)\n)?", re.DOTALL | re.MULTILINE)
IMPORT = re.compile(rb'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(rb"^export (?:\{[^}]*\};\n)?", re.MULTILINE)
MAX_TITLE_LABELS = 4
MIN_SAMPLE_TOKENS, MIN_SAMPLE_KNOWN = 3, 0.5


@dataclass(frozen=True)
class SiteResult:
    """A site or a module that was written.

    Attributes:
        path: its folder.
        code_bytes: size of what is not the bundle's.
        model_bytes: size of `model.bin`.
    """

    path: Path
    code_bytes: int
    model_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def write_site(
    bundle: PathLike,
    out: PathLike,
    *,
    title: str | None = None,
    sample: str | None = None,
    overwrite: bool = False,
) -> SiteResult:
    """Write the site of a bundle.

    Args:
        title: of the page; None names the labels.
        sample: the text that the page shows first; None takes one of the golden texts.

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: a browser cannot run its model; the message says why.
        OutputError: the site exists or cannot be written, or a file of the bundle is a link.
    """
    with reserve_output_folder(Path(out), overwrite, SERVICE_WORKER, SITE_NAMES) as target:
        source = read_bundle(bundle)
        published = _read_published(source)
        code = _read_code(MODULE_FILES)
        files = {PAGE_ENTRY: join_modules(code, PAGE_ENTRY)}
        files |= {name: code[name] for name in ("old-browser.js", "style.css")}
        files |= _in_bundle_folder(published)
        values = {
            "TITLE": html.escape(title or name_labels(source.vocabulary)),
            "SAMPLE": html.escape(choose_sample(source) if sample is None else sample),
        }
        pages = _fill_pages(values, files)
        return _write(target, overwrite, pages, published)


def write_module(bundle: PathLike, out: PathLike, *, overwrite: bool = False) -> SiteResult:
    """Write the code that classifies as a JavaScript module, with the model of a bundle.

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: the code cannot run its model; the message says why.
        OutputError: the folder exists or cannot be written, or a file of the bundle is a link.
    """
    code = _read_code(PAGE_FILES)
    names = frozenset((*code, BUNDLE_FOLDER))
    with reserve_output_folder(Path(out), overwrite, MODULE_ENTRY, names) as target:
        published = _read_published(read_bundle(bundle))
        del published[MANIFEST_FILE]
        return _write(target, overwrite, code | _in_bundle_folder(published), published)


def join_modules(code: Mapping[str, bytes], entry: str) -> bytes:
    """Return a module with all that it imports as one, which a browser gets in one request.

    The modules import by name, rename nothing, and have no two names in common.

    Args:
        code: name of a file -> content.
        entry: name of the module.
    """
    joined: dict[str, bytes] = {}

    def join(name: str) -> None:
        for imported in IMPORT.findall(code[name]):
            if imported.decode() not in joined:
                join(imported.decode())
        joined[name] = EXPORT.sub(b"", IMPORT.sub(b"", code[name]))

    join(entry)
    return b"".join(joined.values())


def name_labels(vocabulary: Vocabulary) -> str:
    """Return the title of a page: `"negative or positive?"`."""
    labels = vocabulary.labels
    if len(labels) > MAX_TITLE_LABELS:
        return "Text classifier"
    return f"{(', ' if vocabulary.multi_label else ' or ').join(labels)}?"


def choose_sample(bundle: Bundle) -> str:
    """Return the golden text that a page shows first, or "" if too few tokens of each are known."""
    best = max(read_golden_texts(bundle), key=_rank_sample)
    return best.text if any(_rank_sample(best)) else ""


def _rank_sample(golden: GoldenText) -> tuple[bool, float, float]:
    """Rank a sentence before a list of words, then known words, then a sure prediction."""
    known = 1 - golden.ids.count(UNKNOWN_ID) / max(1, len(golden.ids))
    if len(golden.ids) < MIN_SAMPLE_TOKENS or known < MIN_SAMPLE_KNOWN or golden.truncated:
        return False, 0.0, 0.0
    is_sentence = golden.text[0].isalpha() and golden.text[-1] in ".!?"
    return is_sentence, known, max(golden.probabilities)


def _read_published(bundle: Bundle) -> dict[str, bytes]:
    """Return the files of a bundle that a browser gets, after a check that none is a link."""
    content = {
        name: _read_to_publish(bundle.path / name)
        for name in (*DEVICE_FILES, MODEL_CARD_FILE)
        if os.path.lexists(bundle.path / name)
    }
    published = {MODEL_FILE: build_model_file(bundle).content}
    published |= {
        name: content[name] for name in (MANIFEST_FILE, MODEL_CARD_FILE) if name in content
    }
    return published


def _read_to_publish(path: Path) -> bytes:
    try:
        return read_regular_file(path, MAX_BYTES[path.name])
    except ValueError as error:
        raise OutputError(
            f"{path} {error} and would be published: put the file itself there"
        ) from None


def _read_code(unwanted: frozenset[str]) -> dict[str, bytes]:
    paths = sorted(path for path in CODE_FOLDER.iterdir() if path.name not in unwanted)
    return {path.name: path.read_bytes() for path in paths}


def _in_bundle_folder(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{BUNDLE_FOLDER}/{name}": content for name, content in files.items()}


def _fill_pages(values: dict[str, str], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return all files of a site: the page and its service worker, filled, and their files."""
    templates = {name: (WEB_FOLDER / name).read_text("utf-8") for name in (INDEX, SERVICE_WORKER)}
    digest = hashlib.sha256(json.dumps([values, templates], sort_keys=True).encode())
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    version = digest.hexdigest()[:16]
    folder = f"files/{version}"
    values |= {
        "FILES": folder,
        "VERSION": version,
        "NAMES": json.dumps([*files]),
    }
    filled = {
        name: re.sub("__([A-Z]+)__", lambda place: values[place[1]], template).encode(
            errors="replace"  # a title that was no UTF-8 on the command line
        )
        for name, template in templates.items()
    }
    filled |= {f"{folder}/{name}": content for name, content in files.items()}
    return {
        name: UNUSED.sub(b"", content) if name.endswith(".js") else content
        for name, content in filled.items()
    }


def _write(
    target: Path, overwrite: bool, files: Mapping[str, bytes], published: Mapping[str, bytes]
) -> SiteResult:
    with atomic_folder(target, overwrite) as staging:
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
    code_bytes = sum(map(len, files.values())) - sum(map(len, published.values()))
    return SiteResult(target, code_bytes, len(published[MODEL_FILE]))
