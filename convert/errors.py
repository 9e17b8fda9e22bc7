"""The exceptions of `convert`, a branch of `runtime.errors.GloveliteError`.

GloveliteError
├── RunFolderError   a run folder that cannot be converted
├── ConversionError  TensorFlow's converter failed or died
├── GateError        a bundle lost more than its recipe may
├── BudgetError      no bundle is within the budget
├── DeviceError      the device interpreter failed on the converted model
└── SiteError        a browser cannot run the bundle
"""

from __future__ import annotations

from runtime.errors import GloveliteError


class RunFolderError(GloveliteError):
    """A run folder that cannot be converted; the message names the file and what was expected."""


class ConversionError(GloveliteError):
    """TensorFlow's converter failed, or took its process down."""


class GateError(GloveliteError):
    """A bundle lost more accuracy, labels or probability than its recipe may."""


class BudgetError(GloveliteError):
    """No bundle is within the size and the time allowed; the message names the closest."""


class DeviceError(GloveliteError):
    """The device interpreter failed on the converted model."""


class SiteError(GloveliteError):
    """A bundle that a browser cannot run."""
