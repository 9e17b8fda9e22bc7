"""On-device text classification: a TFLite interpreter, numpy and a pure-Python tokenizer."""

from .classifier import Classifier, Prediction
from .errors import (
    BundleDamagedError,
    BundleError,
    BundleMissingError,
    BundleVersionError,
    GloveliteError,
    InputError,
    InterpreterError,
    SelfTestError,
)

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
]
