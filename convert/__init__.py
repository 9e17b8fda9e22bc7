"""Converts run folders into TFLite bundles, proven on the device's own interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ConversionError, DataError, DeviceError, GateError, RunFolderError

if TYPE_CHECKING:
    from .export import Export, Order, export_bundle
    from .inspection import compare_bundles, inspect_bundle, verify_bundle

__all__ = [
    "ConversionError",
    "DataError",
    "DeviceError",
    "Export",
    "GateError",
    "Order",
    "RunFolderError",
    "compare_bundles",
    "export_bundle",
    "inspect_bundle",
    "verify_bundle",
]


def __getattr__(name: str) -> Any:
    """Import the conversion itself when it is first asked for: it needs the [convert] extra."""
    if name not in __all__:
        raise AttributeError(f"module 'convert' has no attribute {name!r}")
    try:
        from . import export, inspection
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'glovelite[convert]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    return getattr(export, name, None) or getattr(inspection, name)
