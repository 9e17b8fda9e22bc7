"""The exceptions that `convert` adds to `runtime.errors`.

GloveliteError
├── RunFolderError   a run folder cannot be converted
├── ConversionError  TensorFlow's converter failed or crashed, or the options contradict each other
├── FidelityError    a bundle lost more than its recipe allows
├── BudgetError      no bundle is within the budget
├── DeviceError      the device interpreter failed on the converted model
└── SiteError        the browser page cannot be written
"""

from __future__ import annotations

from runtime.errors import GloveliteError


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


class SiteError(GloveliteError):
    """The browser page cannot be written for a bundle."""
