"""The exceptions of glovelite.

    GloveliteError               base of every error that glovelite raises on purpose
    ├── BundleError              a bundle cannot be used
    │   ├── BundleMissingError   a file is missing or unreadable
    │   ├── BundleDamagedError   a file is not what the manifest or the format says
    │   └── BundleVersionError   the bundle needs a newer runtime
    ├── InterpreterError         the selected interpreter is missing, or it rejects the model
    ├── SelfTestError            a bundle's predictions differ from where it was exported
    ├── ClusterError             a Ray cluster cannot be reached, or failed
    ├── ServerError              the HTTP server cannot start
    ├── InputError               the input to classify is not text
    ├── DataError                labelled text cannot be used
    ├── DownloadError            a package or file cannot be fetched
    └── OutputError              an output folder cannot be written or must not be replaced

`train.errors` and `convert.errors` add their own subclasses of `GloveliteError`.
"""

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
    """The selected interpreter is not installed, or an interpreter rejects the model."""


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
