"""What a training that ends early leaves behind, and what it says about that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .fitting.checkpoint import Checkpoint, Identity
from .trials.trial import TrialFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnfinishedSearch:
    """The finished trials of a search for options, beside a run folder.

    Attributes:
        target: the run folder.
        identity: everything that the search depends on, besides its time.
    """

    target: Path
    identity: Identity

    @property
    def trial_file(self) -> TrialFile:
        """The finished trials."""
        return TrialFile(_beside(self.target, "autotune"), self.identity)

    def describe_other(self) -> str | None:
        """Return why a saved search cannot be resumed, or None."""
        reason = self.trial_file.describe_other()
        return reason and f"the unfinished search beside {self.target} {reason}"

    def describe_progress(self) -> str:
        """Describe where the same command resumes after an interruption."""
        trials = self.trial_file.saved_trials()
        if not trials:
            return "before the end of the first trial: nothing is saved yet"
        return f"in the search: the same command resumes after trial {trials}"


@dataclass(frozen=True)
class UnfinishedRun:
    """Files beside a run folder, from which the same command resumes.

    Attributes:
        target: the run folder.
        identity: everything that the run depends on.
        folds: number of folds of the cross-validation, which comes first; 0 for none.
        comparison: whether a comparison with other vectors comes next.
    """

    target: Path
    identity: Identity
    folds: int = 0
    comparison: bool = False

    @property
    def fold_file(self) -> TrialFile:
        """The finished folds of the cross-validation."""
        return TrialFile(self._beside("folds"), self.identity)

    @property
    def trial_file(self) -> TrialFile:
        """The finished trainings of the comparison."""
        return TrialFile(self._beside("scratch"), self.identity)

    @property
    def checkpoint(self) -> Checkpoint:
        """The state of the training of the model that is kept."""
        return Checkpoint(self._beside("training"), self.identity)

    def describe_others(self) -> Iterator[str]:
        """Yield why saved work that this run would continue cannot be resumed."""
        saved: dict[str, TrialFile | Checkpoint] = {"training": self.checkpoint}
        if self.comparison:
            saved["comparison"] = self.trial_file
        if self.folds:
            saved["cross-validation"] = self.fold_file
        for name, file in saved.items():
            if reason := file.describe_other():
                yield f"the unfinished {name} beside {self.target} {reason}"

    def describe_progress(self) -> str:
        """Describe where the same command resumes after an interruption."""
        if epochs := self.checkpoint.saved_epochs():
            return f"in training: the same command resumes after epoch {epochs}"
        if self.comparison and (trials := self.trial_file.saved_trials()):
            return f"in the comparison: the same command resumes after {trials} of its trainings"
        if self.folds and (finished := self.fold_file.saved_trials()):
            where = "in" if finished < self.folds else "after"
            return (
                f"{where} cross-validation: the same command resumes after {finished} of "
                f"{self.folds} folds"
            )
        first = "fold" if self.folds else "epoch"
        return f"before the end of the first {first}: nothing is saved yet"

    def remove(self) -> None:
        """Delete all saved work, also that which this run does not use."""
        search_file = UnfinishedSearch(self.target, self.identity).trial_file
        for file in (self.fold_file, self.trial_file, self.checkpoint, search_file):
            file.remove()

    def _beside(self, suffix: str) -> Path:
        return _beside(self.target, suffix)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{suffix}")


@contextmanager
def report_interruption(describe: Callable[[], str]) -> Iterator[None]:
    """Log a line if the block is ended by Ctrl-C or a signal, which goes on to end the program.

    Args:
        describe: returns the line.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        logger.info(f"interrupted {describe()}")
        raise
