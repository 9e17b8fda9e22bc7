"""The exceptions of glovelite.

    GloveliteError               everything the library raises on purpose
    ├── BundleError              a bundle cannot be used
    │   ├── BundleMissingError   a file of it is not there or not readable
    │   ├── BundleDamagedError   a file of it is not what the manifest says
    │   └── BundleVersionError   it was written for a newer runtime
    ├── InterpreterError         no TFLite interpreter, or it refuses the model
    ├── SelfTestError            a bundle answers otherwise here than where it was made
    ├── ServerError              the HTTP server cannot start
    ├── InputError               what was given to classify is not text
    ├── DataError                labelled text cannot be used
    ├── DownloadError            a package or file cannot be fetched
    └── OutputError              an output folder cannot be written or must not be replaced

`train` and `convert` hang their own branches under `GloveliteError`.
"""

from __future__ import annotations


class GloveliteError(Exception):
    """Base of every error glovelite raises on purpose; its text is one line for a person."""


class BundleError(GloveliteError):
    """A bundle cannot be used."""


class BundleMissingError(BundleError):
    """A file of the bundle is not there or cannot be read."""


class BundleDamagedError(BundleError):
    """A file of the bundle is not what the manifest or the format says it is."""


class BundleVersionError(BundleError):
    """The bundle was written for a newer runtime than this one."""


class InterpreterError(GloveliteError):
    """There is no TFLite interpreter here, or it refuses the model."""


class SelfTestError(GloveliteError):
    """A bundle's golden texts get other ids or scores here than where it was made."""


class ServerError(GloveliteError):
    """The HTTP server cannot start: no address, or what it needs is not installed."""


class InputError(GloveliteError):
    """What was given to classify is not text."""


class DataError(GloveliteError):
    """Labelled text cannot be used; the message names the file, the row and how to fix it."""


class DownloadError(GloveliteError):
    """A package or file cannot be fetched."""


class OutputError(GloveliteError):
    """An output folder cannot be written, or must not be replaced."""
