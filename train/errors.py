"""The exceptions that `train` adds to `runtime.errors`.

GloveliteError
├── VectorsError  word vectors cannot be found or read
└── OptionsError  invalid training options
"""

from __future__ import annotations

from runtime.errors import GloveliteError


class VectorsError(GloveliteError):
    """Word vectors cannot be found or read."""


class OptionsError(GloveliteError):
    """Training options are invalid or contradict each other."""
