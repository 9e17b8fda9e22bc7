"""Trains GloVe-initialised convolutional text classifiers; writes run folders for `convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import DataError, DownloadError
from runtime.io.labelled_text import Source

from .errors import GloveError, SettingsError
from .options import Settings

if TYPE_CHECKING:
    from .trainer import Request, train_classifier

__all__ = [
    "DataError",
    "DownloadError",
    "GloveError",
    "Request",
    "Settings",
    "SettingsError",
    "Source",
    "train_classifier",
]


def __getattr__(name: str) -> Any:
    """Import the training itself when it is first asked for: it needs the [train] extra."""
    if name not in __all__:
        raise AttributeError(f"module 'train' has no attribute {name!r}")
    try:
        from . import trainer
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'glovelite[train]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    return getattr(trainer, name)
