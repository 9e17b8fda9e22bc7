"""What a user asks of the search for training options."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Union

from ..errors import OptionsError
from ..options import Range

SECONDS = Range(1, 10_000_000, float)
MAX_BYTES = Range(10_000)  # below this, manifest and vocabulary leave nothing for a model
TRIALS = Range(1, 100_000)
WORKERS = Range(1, 10_000)
#: The options that are searched, unless the user fixes them.
SEARCHED = (
    "learning_rate",
    "epochs",
    "filters",
    "kernel_sizes",
    "dropout",
    "word_dropout",
    "adapter",
    "wide",
    "balanced",
)


@dataclass(frozen=True)
class Autotune:
    """A search for training options.

    Attributes:
        seconds: time for the search and the final training together.
        max_bytes: size of the bundle that will be exported; options whose model would take more
            than half of it without its words are not tried. None for any size.
        fixed: names of options that keep the value they have; the others of `SEARCHED` are
            searched.
        max_trials: end the search after so many trials, even if time is left; None for any number.
        address: of a Ray cluster that runs the trials, such as `auto`; `local` starts Ray on the
            cores of this machine; None runs one trial after the other in this process.
        workers: how many trials run at the same time on Ray; None for one a core.

    Raises:
        OptionsError: a number is out of range, a name is not that of a searched option, or there
            are workers without an address.

    Example:
        >>> search = Autotune(600, max_bytes=500_000, fixed=("kernel_sizes",))
        >>> train_classifier(texts, labels, "runs/mine", autotune=search)
    """

    seconds: float
    max_bytes: int | None = None
    fixed: Collection[str] = ()
    max_trials: int | None = None
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse invalid numbers and names."""
        SECONDS.check("autotune: seconds", self.seconds)
        if self.max_bytes is not None:
            MAX_BYTES.check("autotune: max_bytes", self.max_bytes)
        if self.max_trials is not None:
            TRIALS.check("autotune: max_trials", self.max_trials)
        if self.workers is not None:
            WORKERS.check("autotune: workers", self.workers)
            if self.address is None:
                raise OptionsError(
                    "autotune: workers run on Ray: give an address too, such as local"
                )
        if unknown := sorted(set(self.fixed) - set(SEARCHED)):
            raise OptionsError(
                f"autotune: fixed: expected some of {', '.join(SEARCHED)}, found {unknown[0]!r}"
            )
        if set(self.fixed) == set(SEARCHED):
            raise OptionsError("autotune: all options are fixed: leave one of them to the search")

    def identify(self) -> dict[str, Any]:
        """Return what the trials depend on, as plain JSON types; not how many run, or where."""
        return {
            "configuration.max_size": self.max_bytes,
            "configuration.fixed": sorted(self.fixed),
        }


#: What Python callers may give: a search, or its time, in seconds if it is a number.
AutotuneLike = Union[Autotune, timedelta, float]


def make_autotune(given: AutotuneLike | None) -> Autotune | None:
    """Return a search from its time, or as it is."""
    if given is None or isinstance(given, Autotune):
        return given
    return Autotune(given.total_seconds() if isinstance(given, timedelta) else given)
