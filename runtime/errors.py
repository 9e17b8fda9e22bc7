"""The exceptions of glovelite: every one that it raises on purpose is a `GloveliteError`."""

from __future__ import annotations


class GloveliteError(Exception):
    """Base of every error that glovelite raises on purpose; the message is one line."""


class BundleError(GloveliteError):
    """A bundle cannot be used."""


class BundleMissingError(BundleError):
    """A file of the bundle is missing or cannot be read."""


class BundleDamagedError(BundleError):
    """A file of the bundle is not what the manifest or the format says it is."""


class BundleVersionError(BundleError):
    """The bundle was written for a newer runtime than this one."""


class InterpreterError(GloveliteError):
    """The selected interpreter is missing or cannot run, or an interpreter rejects the model."""


class SelfTestError(GloveliteError):
    """The golden texts get other ids or probabilities here than where the bundle was exported."""


class ClusterError(GloveliteError):
    """A Ray cluster cannot be reached, or failed."""


class ServerError(GloveliteError):
    """The HTTP server cannot start: the address is unavailable or a dependency is missing."""


class InputError(GloveliteError):
    """The input to classify is not text."""


class DataError(GloveliteError):
    """Labelled text cannot be used; the message names the file, the row and how to fix it."""


class DownloadError(GloveliteError):
    """A package or file cannot be fetched."""


class OutputError(GloveliteError):
    """An output folder cannot be written, or must not be replaced."""


class VectorsError(GloveliteError):
    """Word vectors cannot be found or read."""


class OptionsError(GloveliteError):
    """Options are invalid or contradict each other."""


class RunFolderError(GloveliteError):
    """A run folder cannot be converted; the message names the file and what was expected."""


class ConversionError(GloveliteError):
    """TensorFlow's converter failed or crashed its process, or the options are contradictory."""


class FidelityError(GloveliteError):
    """A bundle lost more accuracy, labels or probability than its recipe allows."""


class BudgetError(GloveliteError):
    """No bundle is within the size and latency allowed; the message names the closest."""


class DeviceError(GloveliteError):
    """The device interpreter failed on the converted model."""


class EngineError(GloveliteError):
    """A bundle's model cannot run on the engines in C and JavaScript, which read `model.bin`."""
