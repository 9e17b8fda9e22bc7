"""Converts run folders into TFLite bundles, proven on the device's own interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import DataError

from .errors import BudgetError, ConversionError, DeviceError, GateError, RunFolderError

if TYPE_CHECKING:
    from .export import export_bundle
    from .options import Export, Order
    from .search.budget import Budget, Candidate
    from .search.search import Field
    from .search.selection import export_within_budget
    from .verify.inspection import compare_bundles, inspect_bundle, verify_bundle

__all__ = [
    "Budget",
    "BudgetError",
    "Candidate",
    "ConversionError",
    "DataError",
    "DeviceError",
    "Export",
    "Field",
    "GateError",
    "Order",
    "RunFolderError",
    "compare_bundles",
    "export_bundle",
    "export_within_budget",
    "inspect_bundle",
    "verify_bundle",
]


def __getattr__(name: str) -> Any:
    """Import the conversion itself when it is first asked for: it needs the [convert] extra."""
    if name not in __all__:
        raise AttributeError(f"module 'convert' has no attribute {name!r}")
    try:
        from .search import selection
        from .verify import inspection
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'glovelite[convert]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    return getattr(selection, name, None) or getattr(inspection, name)
