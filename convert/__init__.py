"""Converts run folders into bundles, verified with the TFLite interpreter that devices use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glovelite.runtime.errors import (
    BudgetError,
    ConversionError,
    DataError,
    DeviceError,
    DownloadError,
    EngineError,
    FidelityError,
    OutputError,
    RunFolderError,
)
from glovelite.runtime.extras import load_public_name
from glovelite.runtime.version import __version__

from .options import ExportOptions

if TYPE_CHECKING:
    from .candidates import Budget, Candidate
    from .evaluation import Evaluation, evaluate_bundle
    from .export import ExportResult, export_bundle
    from .foreign.importing import ImportResult, import_keras
    from .inspection import compare_bundles, inspect_bundle, verify_bundle
    from .search.search import SearchSpace
    from .search.selection import export_within_budget
    from .targets.c_engine import CEngineResult, write_c_engine
    from .targets.onnx_model import OnnxResult, write_onnx
    from .targets.site import SiteResult, write_module, write_site

__all__ = [
    "Budget",
    "BudgetError",
    "CEngineResult",
    "Candidate",
    "ConversionError",
    "DataError",
    "DeviceError",
    "DownloadError",
    "EngineError",
    "Evaluation",
    "ExportOptions",
    "ExportResult",
    "FidelityError",
    "ImportResult",
    "OnnxResult",
    "OutputError",
    "RunFolderError",
    "SearchSpace",
    "SiteResult",
    "__version__",
    "compare_bundles",
    "evaluate_bundle",
    "export_bundle",
    "export_within_budget",
    "import_keras",
    "inspect_bundle",
    "verify_bundle",
    "write_c_engine",
    "write_module",
    "write_onnx",
    "write_site",
]
#: Name that needs the [convert] extra -> its module.
_MODULES = {
    "Budget": "candidates",
    "CEngineResult": "targets.c_engine",
    "Candidate": "candidates",
    "Evaluation": "evaluation",
    "ExportResult": "export",
    "ImportResult": "foreign.importing",
    "OnnxResult": "targets.onnx_model",
    "SearchSpace": "search.search",
    "SiteResult": "targets.site",
    "compare_bundles": "inspection",
    "evaluate_bundle": "evaluation",
    "export_bundle": "export",
    "export_within_budget": "search.selection",
    "import_keras": "foreign.importing",
    "inspect_bundle": "inspection",
    "verify_bundle": "inspection",
    "write_c_engine": "targets.c_engine",
    "write_module": "targets.site",
    "write_onnx": "targets.onnx_model",
    "write_site": "targets.site",
}


def __getattr__(name: str) -> Any:
    """Import a name that needs the [convert] extra when it is first used."""
    return load_public_name(__name__, _MODULES, name, extra="convert")


def __dir__() -> list[str]:
    """List the public names, for `dir` and `help`."""
    return sorted(__all__)
