"""The exceptions of `train`, a branch of `runtime.errors.GloveliteError`.

GloveliteError
├── GloveError     word vectors that cannot be found or read
└── SettingsError  settings that do not go together
"""

from __future__ import annotations

from runtime.errors import GloveliteError


class GloveError(GloveliteError):
    """Word vectors that cannot be found or read."""


class SettingsError(GloveliteError):
    """Settings that do not go together."""
