"""On-device text classification with a TFLite interpreter, numpy and a pure-Python tokenizer."""

from .classifier import Classifier, Prediction
from .errors import (
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
from .version import __version__

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
