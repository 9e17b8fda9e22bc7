"""On-device text classification: a TFLite interpreter, numpy and a pure-Python tokenizer."""

from .classifier import Classifier
from .errors import (
    BundleDamagedError,
    BundleError,
    BundleMissingError,
    BundleVersionError,
    GloveliteError,
    InputError,
    InterpreterError,
    SelfTestError,
    ServerError,
)
from .prediction import Prediction

__all__ = [
    "BundleDamagedError",
    "BundleError",
    "BundleMissingError",
    "BundleVersionError",
    "Classifier",
    "GloveliteError",
    "InputError",
    "InterpreterError",
    "Prediction",
    "SelfTestError",
    "ServerError",
]
