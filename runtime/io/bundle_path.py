"""Says why a path is no bundle, and what to give instead."""

from __future__ import annotations

import shlex
from pathlib import Path

from .run_files import KERAS_FILE, METRICS_FILE


def explain_path(path: Path, manifest: str) -> str | None:
    """Return what a path without a manifest is, and what to give instead; None if unknown.

    Args:
        path: what was given.
        manifest: the name of the file that every bundle holds.

    Raises:
        OSError: it cannot be accessed.
    """
    wanted = "give the folder `glovelite-convert` wrote"
    if not path.exists():
        return f"{path} does not exist: {wanted}"
    if not path.is_dir():
        if (path.parent / manifest).is_file():
            return f"{path} is a file, not a bundle folder: give its folder {_quote(path.parent)}"
        return f"{path} is a file, not a bundle folder: {wanted}"
    if (path / METRICS_FILE).is_file() and (path / KERAS_FILE).is_file():
        bundle = _quote(Path("bundles") / path.resolve().name)
        return (
            f"{path} is a run folder, not a bundle: make a bundle of it with "
            f"`glovelite-convert export {_quote(path)} --out {bundle}`"
        )
    bundles = sorted(each.parent for each in path.glob(f"*/{manifest}"))
    if len(bundles) == 1:
        return f"{path} is not a bundle but holds one: give {_quote(bundles[0])}"
    if bundles:
        shown = ", ".join(map(_quote, bundles[:2]))
        return f"{path} is not a bundle but holds {len(bundles)}: give one of them, such as {shown}"
    return None


def _quote(path: Path) -> str:
    """Return a path as one argument of a shell command."""
    return shlex.quote(str(path))
