"""Reads a folder per class with a text file each, as aclImdb's."""

from __future__ import annotations

from pathlib import Path

from .labelled_text import BadRow, Row, Rows


def list_classes(folder: Path) -> dict[str, Path]:
    """Find the class folders of a folder, by class name, sorted."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    return {path.name: path for path in folders if not path.name.startswith(".")}


def list_files(folders: dict[str, Path]) -> tuple[list[tuple[Path, str]], dict[str, int]]:
    """List the texts of class folders, and count what is passed over.

    Args:
        folders: by class name.

    Returns:
        Path and class of each `.txt` file, and how many other things a class folder holds.
    """
    files: list[tuple[Path, str]] = []
    passed_over: dict[str, int] = {}
    for name, folder in folders.items():
        held = sorted(folder.iterdir())
        texts = [path for path in held if path.suffix.lower() == ".txt" and path.is_file()]
        files += [(path, name) for path in texts]
        if len(texts) < len(held):
            passed_over[name] = len(held) - len(texts)
    return files, passed_over


def read_folder(files: list[tuple[Path, str]]) -> Rows:
    """Read a text a file.

    Args:
        files: path and class of each; a row's line is its place in this list.

    Yields:
        Rows, and bad rows with their reason.
    """
    for place, (path, label) in enumerate(files):
        try:
            text = path.read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            yield BadRow(place, f"cannot be read as UTF-8: {error}")
            continue
        yield Row(text, label, place) if text else BadRow(place, "the text is empty")
