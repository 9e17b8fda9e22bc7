"""Text classifiers for edge devices, trained with GloVe and exported to TFLite.

    >>> from glovelite import Classifier
    >>> from glovelite.train import train_classifier
    >>> from glovelite.convert import export_bundle

`import glovelite` needs numpy alone; `glovelite.train`, `glovelite.convert` and `glovelite.scale`
need the extras of the same names.
"""

from .runtime.classifier import Classifier, Prediction
from .runtime.errors import (
    BundleDamagedError,
    BundleError,
    BundleMissingError,
    BundleVersionError,
    DataError,
    DownloadError,
    GloveliteError,
    InputError,
    InterpreterError,
    OutputError,
    SelfTestError,
    ServerError,
)
from .runtime.version import __version__

__all__ = [
    "BundleDamagedError",
    "BundleError",
    "BundleMissingError",
    "BundleVersionError",
    "Classifier",
    "DataError",
    "DownloadError",
    "GloveliteError",
    "InputError",
    "InterpreterError",
    "OutputError",
    "Prediction",
    "SelfTestError",
    "ServerError",
    "__version__",
]
