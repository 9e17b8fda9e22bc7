"""Public names that need an optional extra, imported when they are first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def missing_extra_message(missing: str | None, extra: str) -> str:
    """Return what to tell a user: `"click is not installed: pip install 'glovelite[train]'"`."""
    return f"{missing} is not installed: pip install 'glovelite[{extra}]'"


def load_public_name(package: str, modules: Mapping[str, str], name: str, extra: str) -> Any:
    """Import a public name from the module that defines it; for a package's `__getattr__`.

    Args:
        package: name of the package.
        modules: public name -> module inside the package.
        name: the attribute asked for.
        extra: the extra whose dependencies the modules need.

    Raises:
        AttributeError: the package has no such public name.
        ModuleNotFoundError: a dependency is missing; the message names the pip command.
    """
    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{package}.{modules[name]}"), name)
    except ModuleNotFoundError as error:
        message = missing_extra_message(error.name, extra)
        raise ModuleNotFoundError(message, name=error.name) from None
