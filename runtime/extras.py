"""Public names that need an optional extra, imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from .version import __version__


def missing_extra_message(missing: str | None, extra: str) -> str:
    """Return what to tell a user.

    Returns:
        Such as `"click is not installed: pip install 'glovelite-0.2.0-py3-none-any.whl[train]'"`.
    """
    return f"{missing} is not installed: {_install_command(extra)}"


def faster_interpreter_advice() -> str | None:
    """Return how to install an interpreter that takes less time than the numpy engine.

    Returns:
        None where ai-edge-litert has no wheel: with musl, a 32-bit Python or another processor.
    """
    import platform  # imported late: only the self-test asks

    has_wheel = platform.machine() in ("x86_64", "aarch64") and sys.maxsize > 2**32
    if platform.libc_ver()[0] != "glibc" or not has_wheel:
        return None
    return f"ai-edge-litert takes less time than the numpy engine: {_install_command('litert')}"


#: File in the environment of a tool -> what replaces the tool by one with an extra.
_TOOLS = {"uv-receipt.toml": "uv tool install", "pipx_metadata.json": "pipx install"}


def _install_command(extra: str) -> str:
    from pathlib import Path  # imported late: most programs miss nothing

    tools = (command for name, command in _TOOLS.items() if (Path(sys.prefix) / name).is_file())
    tool = next(tools, None)
    command = "pip install" if tool is None else f"{tool} --force"
    return f"{command} '{_installed_from()}[{extra}]'"


def _installed_from() -> str:
    """Return the wheel or folder that glovelite was installed from, else the wheel's file name.

    No index has glovelite, so its name alone would not do.
    """
    import json  # imported late: most programs miss nothing
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        record = distribution("glovelite").read_text("direct_url.json")
        path = Path(url2pathname(urlsplit(json.loads(record or "{}").get("url", "")).path))
    except (PackageNotFoundError, ValueError):
        path = Path()
    source = path.suffix == ".whl" or (path / "pyproject.toml").is_file()
    known = path.is_absolute() and path.exists() and source and "'" not in str(path)
    return str(path) if known else f"glovelite-{__version__}-py3-none-any.whl"


def load_public_name(package: str, modules: Mapping[str, str], name: str, extra: str) -> Any:
    """Import a public name from the module that defines it; for a package's `__getattr__`.

    Args:
        modules: public name -> module inside the package.

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
