"""Converts run folders into bundles, verified with the TFLite interpreter that devices use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import DataError, DownloadError, OutputError
from runtime.extras import load_public_name
from runtime.version import __version__

from .errors import (
    BudgetError,
    ConversionError,
    DeviceError,
    FidelityError,
    RunFolderError,
    SiteError,
)
from .options import ExportOptions, ExportResult

if TYPE_CHECKING:
    from .evaluation.evaluate import evaluate_bundle
    from .evaluation.evaluation import Evaluation
    from .export import export_bundle
    from .search.budget import Budget
    from .search.candidates import Candidate
    from .search.search import SearchSpace
    from .search.selection import export_within_budget
    from .targets.site import write_site
    from .verify.inspection import compare_bundles, inspect_bundle, verify_bundle

__all__ = [
    "Budget",
    "BudgetError",
    "Candidate",
    "ConversionError",
    "DataError",
    "DeviceError",
    "DownloadError",
    "Evaluation",
    "ExportOptions",
    "ExportResult",
    "FidelityError",
    "OutputError",
    "RunFolderError",
    "SearchSpace",
    "SiteError",
    "__version__",
    "compare_bundles",
    "evaluate_bundle",
    "export_bundle",
    "export_within_budget",
    "inspect_bundle",
    "verify_bundle",
    "write_site",
]
#: Names that need the [convert] extra -> the module that defines them.
_MODULES = {
    "Budget": "search.budget",
    "Candidate": "search.candidates",
    "Evaluation": "evaluation.evaluation",
    "SearchSpace": "search.search",
    "compare_bundles": "verify.inspection",
    "evaluate_bundle": "evaluation.evaluate",
    "export_bundle": "export",
    "export_within_budget": "search.selection",
    "inspect_bundle": "verify.inspection",
    "verify_bundle": "verify.inspection",
    "write_site": "targets.site",
}


def __getattr__(name: str) -> Any:
    """Import a name that needs the [convert] extra when it is first used."""
    return load_public_name(__name__, _MODULES, name, extra="convert")


def __dir__() -> list[str]:
    """List the public names, for `dir` and `help`."""
    return sorted(__all__)
