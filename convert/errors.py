"""The exceptions of `convert`, a branch of `runtime.errors.GloveliteError`.

GloveliteError
├── RunFolderError   a run folder that cannot be converted
├── ConversionError  TensorFlow's converter failed or died
└── DeviceError      the device interpreter failed on the converted model
"""

from __future__ import annotations

from runtime.errors import GloveliteError


class RunFolderError(GloveliteError):
    """A run folder that cannot be converted; the message names the file and what was expected."""


class ConversionError(GloveliteError):
    """TensorFlow's converter failed, or took its process down."""


class DeviceError(GloveliteError):
    """The device interpreter failed on the converted model."""
