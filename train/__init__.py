"""Trains GloVe-initialised convolutional text classifiers; writes run folders for `convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glovelite.data.labelled_text import TextSource
from glovelite.runtime.errors import (
    DataError,
    DownloadError,
    OptionsError,
    OutputError,
    VectorsError,
)
from glovelite.runtime.extras import load_public_name
from glovelite.runtime.version import __version__

from .config import TrainingConfig, read_config
from .options import PRESETS, TrainingOptions, make_options

if TYPE_CHECKING:
    from .request import TrainingRequest, UnlabelledTexts
    from .trainer import TrainingResult, run_training, train_classifier

__all__ = [
    "PRESETS",
    "DataError",
    "DownloadError",
    "OptionsError",
    "OutputError",
    "TextSource",
    "TrainingConfig",
    "TrainingOptions",
    "TrainingRequest",
    "TrainingResult",
    "UnlabelledTexts",
    "VectorsError",
    "__version__",
    "make_options",
    "read_config",
    "run_training",
    "train_classifier",
]
#: Names that need the [train] extra -> the module that defines them.
_MODULES = {
    "TrainingRequest": "request",
    "TrainingResult": "trainer",
    "UnlabelledTexts": "request",
    "run_training": "trainer",
    "train_classifier": "trainer",
}


def __getattr__(name: str) -> Any:
    """Import a name that needs the [train] extra when it is first used."""
    return load_public_name(__name__, _MODULES, name, extra="train")


def __dir__() -> list[str]:
    """List the public names, for `dir` and `help`."""
    return sorted(__all__)
