"""The exceptions of `train`, a branch of `runtime.errors.GloveliteError`.

GloveliteError
├── DataError      labelled text that cannot be trained on
├── GloveError     word vectors that cannot be found or read
├── DownloadError  a package or file that cannot be fetched
└── SettingsError  settings that do not go together
"""

from __future__ import annotations

from runtime.errors import GloveliteError


class DataError(GloveliteError):
    """Labelled text that cannot be trained on; the message names file, row and mend."""


class GloveError(GloveliteError):
    """Word vectors that cannot be found or read."""


class DownloadError(GloveliteError):
    """A package or file that cannot be fetched."""


class SettingsError(GloveliteError):
    """Settings that do not go together."""
