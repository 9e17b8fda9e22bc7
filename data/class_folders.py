"""Reads a folder with a folder per class and a `.txt` file per text."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.kinds import find_kind, is_companion
from glovelite.runtime.files.records import BadRow, check_value
from glovelite.runtime.files.text_lines import (
    MAX_LINE,
    UTF8,
    Survey,
    describe_encoding,
    detect_encoding,
    encoding_of_mark,
    find_nul,
    is_mostly_ascii,
)

from .regular_files import read_regular_file
from .rows import Row, Rows, read_label

logger = logging.getLogger(__name__)
UNLABELLED_FOLDERS = ("unsup",)  # aclImdb's reviews without a label
#: A file and its label.
LabelledFile = tuple[Path, str]


def list_class_files(folder: Path) -> list[LabelledFile]:
    """List the texts of a folder with a folder per class, logging what is not read.

    Hidden folders, and what macOS and Windows add to folders, are left out without a word.

    Raises:
        DataError: there are none, or a class has none.
    """
    classes = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".") and not is_companion(path.name)
    }
    for name in UNLABELLED_FOLDERS:
        if classes.pop(name, None):
            logger.info(f"ignored: {folder / name}, which has no labels")
    files: list[LabelledFile] = []
    empty = []
    for name, class_folder in classes.items():
        paths = [path for path in sorted(class_folder.iterdir()) if not is_companion(path.name)]
        texts = [path for path in paths if path.suffix.lower() == ".txt" and path.is_file()]
        files += [(path, name.strip()) for path in texts]
        empty += [] if texts else [class_folder]
        if len(texts) < len(paths):
            logger.info(
                f"ignored: {len(paths) - len(texts):,} entries of {class_folder} not named *.txt"
            )
    if not files:
        raise DataError(
            f"{folder} holds no files of labelled text and no class folders with .txt files"
        )
    if empty:
        raise DataError(f"{empty[0]} holds no .txt files: add some, or remove the folder")
    return files


def read_class_files(files: Sequence[LabelledFile], encoding: str | None, name: str) -> Rows:
    """Yield the text of each file; its encoding is decided for each file if none is given.

    Args:
        name: of their folder, in messages.
    """
    encodings = _find_encodings(files, name) if encoding is None else {}
    for index, (path, label) in enumerate(files):
        try:
            content = _read(path)
            if reason := _refuse(content, encoding):
                yield BadRow(index, reason)
                continue
            known = encoding_of_mark(content) or encoding or encodings.get(index, UTF8)
            text = content.decode(known, "surrogateescape")
            text = check_value(text.removeprefix("\ufeff").strip(), "text")
            yield Row(text, (_read_label(label),), index)
        except UnicodeError as error:
            yield BadRow(index, f"cannot be read: {error}")
        except ValueError as error:
            yield BadRow(index, str(error))


def _read_label(folder: str) -> str:
    try:
        return read_label(folder)
    except ValueError as error:
        raise ValueError(f"the name of its folder is no label: {error}") from None


def _read(path: Path) -> bytes:
    """Read a text, or raise ValueError as `read_regular_file` does."""
    return read_regular_file(path, MAX_LINE, follow_links=True)


def _refuse(content: bytes, encoding: str | None) -> str | None:
    """Say what a file is that is no text; None if it may be one."""
    kind = find_kind(io.BytesIO(content))
    if kind is not None and not kind.is_text:
        return kind.refuse("the file")
    if encoding is None and encoding_of_mark(content) is None and (reason := find_nul(content)):
        return f"the file {reason}"
    return None


def _find_encodings(files: Sequence[LabelledFile], name: str) -> Mapping[int, str]:
    """Find the encodings of the files that are not UTF-8, by their index.

    One text may be too short to tell its encoding. So those that are mostly ASCII are judged
    together, as Western European text is, and all others together.
    """
    found: dict[int, str] = {}
    groups: dict[bool, tuple[Survey, list[int]]] = {}
    for index, (path, _) in enumerate(files):
        survey = _survey(path)
        settled = survey.settle()
        if settled is None:
            merged, indices = groups.setdefault(is_mostly_ascii(survey.sample), (Survey(), []))
            indices.append(index)
            merged.merge(survey)
        elif settled != UTF8:
            found[index] = settled
            logger.info(f"{path} is not UTF-8: {describe_encoding(settled, survey.escaped)}")
    for merged, indices in groups.values():
        count = "1 file" if len(indices) == 1 else f"{len(indices):,} files"
        where = f"{name} ({count}, the first {files[indices[0]][0]})"
        encoding = detect_encoding(merged, where)
        logger.info(f"{where} is not UTF-8: {describe_encoding(encoding, merged.sample)}")
        found.update(dict.fromkeys(indices, encoding))
    return found


def _survey(path: Path) -> Survey:
    """Return what tells a file's encoding; nothing if it is no text or cannot be read."""
    survey = Survey()
    try:
        content = _read(path)
    except ValueError:  # reported when it is read
        return survey
    if encoding_of_mark(content) is None and _refuse(content, None) is None:
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            survey.add(line, number)
    return survey
