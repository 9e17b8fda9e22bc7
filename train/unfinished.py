"""Unfinished work beside a run folder: the same command resumes from it.

Each file is replaced atomically and holds the identity of its work: text, vectors, options and
versions. Work of another identity is not resumed; the log says what differs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from glovelite.data.array_archive import read_arrays
from glovelite.data.regular_files import read_regular_text
from glovelite.evaluation.scores import HEADLINES
from glovelite.runtime.files.output import atomic_file, partial_path

logger = logging.getLogger(__name__)

MAX_SHOWN_DIFFERENCES = 3
MAX_TRIALS_BYTES = 1 << 25
SHOWN_HASH = 8  # characters of one
#: Dotted name -> number, string, list or None, as JSON returns them.
Identity = dict[str, Any]
Arrays = list[npt.NDArray[Any]]
#: `loss`, `accuracy`, `val_loss`, `val_accuracy`, a value per epoch; `micro_f1` and `val_micro_f1`
#: instead of accuracy for multi-label text.
History = dict[str, list[float]]
Trial = TypeVar("Trial")
_TEXT_NAMES = ("corpus.fingerprints.", "corpus.texts", "corpus.sources.")
_UNREADABLE = (OSError, ValueError, RecursionError)


def make_identity(parts: Mapping[str, Any]) -> Identity:
    """Flatten what a run depends on, plain JSON types, to dotted names."""
    return dict(_flatten(json.loads(json.dumps(parts)), ""))


def hash_identity(*parts: Any) -> str:
    """Hash what a training run depends on (plain JSON types) into hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def describe_difference(saved: Identity, current: Identity) -> str:
    """Describe how saved work differs from the current run, such as `"epochs 60, not 10"`.

    What follows from other differences, such as the vocabulary, is not shown.
    """
    names = [name for name in {**current, **saved} if saved.get(name) != current.get(name)]
    follows = _names_that_follow(names)
    names = [name for name in names if not name.startswith(follows)]
    differences = [
        f"{shown} {_show(name, saved)}, not {_show(name, current)}"
        for name in names
        if (shown := _shown_name(name))
    ]
    if any(name.startswith("corpus.") for name in names):
        differences.insert(0, "other text")
    hidden = len(differences) - MAX_SHOWN_DIFFERENCES
    more = f" and {hidden} more differences" if hidden > 0 else ""
    return f"{'; '.join(differences[:MAX_SHOWN_DIFFERENCES]) or 'other vectors'}{more}"


def _shown_name(name: str) -> str | None:
    section, _, rest = name.partition(".")
    if section == "split":
        return f"split {rest}"
    if section == "initial_run":
        return "initial run" if rest == "name" else f"{rest} of the initial run"
    return rest if section in ("configuration", "versions") else None


def _names_that_follow(names: Collection[str]) -> tuple[str, ...]:
    """Return the beginnings of names that differ because the same text is split in another way."""
    if "initial_run.name" in names:
        return ("initial_run.weights", *_TEXT_NAMES)
    # Both of these may drop copies.
    if any(name.startswith(("split.", "initial_run.")) for name in names):
        return _TEXT_NAMES
    return ("corpus.fingerprints.",) if "configuration.seed" in names else ()


def _flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _flatten(inner, f"{name}.{key}" if name else key)


def _show(name: str, identity: Identity) -> str:
    value = identity.get(name)
    if value is None:  # an option that is not set
        return "none" if name.startswith("initial_run.") else "default"
    if name == "initial_run.weights":
        return str(value)[:SHOWN_HASH]
    return str(value) if isinstance(value, str) else json.dumps(value)


def find_metric(history: Collection[str]) -> tuple[str, str]:
    """Return the name of the metric in a history besides the loss, and its name in messages."""
    return next((name, shown) for name, shown in HEADLINES.items() if name in history)


@dataclass(frozen=True)
class SavedWork(ABC):
    """A file with unfinished work and its identity.

    Attributes:
        path: the file.
        identity: everything that the work depends on.
    """

    path: Path
    identity: Identity
    progress: ClassVar[str]  # name of what is saved besides the identity

    def describe_other(self) -> str | None:
        """Return why the saved work cannot be resumed, such as `"had epochs 60, not 10"`.

        None if it can be, or nothing is saved.
        """
        if not self.path.exists():
            return None
        saved = self._read()
        if saved is None:
            return "cannot be read"
        if not isinstance(saved["identity"], dict):
            return "was saved by another version of glovelite"
        if saved["identity"] == self.identity:
            return None
        return f"had {describe_difference(saved['identity'], self.identity)}"

    def remove(self) -> None:
        """Delete the saved work."""
        self.path.unlink(missing_ok=True)
        partial_path(self.path).unlink(missing_ok=True)

    @abstractmethod
    def _read_json(self) -> str:
        """Return identity and progress as JSON."""

    def _read(self) -> dict[str, Any] | None:
        """Return the identity and the progress of any work, or None if they cannot be read."""
        try:
            saved = json.loads(self._read_json())
        except _UNREADABLE:
            return None
        complete = isinstance(saved, dict) and {"identity", self.progress} <= {*saved}
        return saved if complete else None

    def _read_same(self) -> dict[str, Any] | None:
        """Return the identity and the progress of this work, or None."""
        saved = self._read()
        return saved if saved is not None and saved["identity"] == self.identity else None


class TrialFile(SavedWork):
    """The finished trials among several trainings, as JSON."""

    progress = "trials"

    def load(self, parse: Callable[[Any], Trial]) -> list[Trial]:
        """Return the finished trials of this work.

        Args:
            parse: turns what was saved of a trial into the trial.
        """
        saved = self._read_same()
        try:
            return [parse(trial) for trial in saved["trials"]] if saved else []
        except (ValueError, KeyError, TypeError):
            return []

    def save(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Replace the saved trials, given as plain JSON types."""
        with atomic_file(self.path) as file:
            file.write(json.dumps({"identity": self.identity, "trials": trials}).encode())

    def saved_trials(self) -> int:
        """Return how many finished trials of this work are saved."""
        return len(self.load(lambda trial: trial))

    def _read_json(self) -> str:
        return read_regular_text(self.path, MAX_TRIALS_BYTES)


@dataclass(frozen=True)
class TrainingState:
    """A training run after an epoch.

    Attributes:
        history: see `History`.
        variables: of model and optimizer, in Keras's order, with the random state of dropout.
        best: the model's weights after its best epoch.
        best_epoch: that epoch, from 1; 0 before the first that may be the best.
    """

    history: History
    variables: Arrays
    best: Arrays
    best_epoch: int = 0

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return len(self.history.get("loss", ()))


class Checkpoint(SavedWork):
    """The state of one training, as arrays of numpy."""

    progress = "history"

    def save(self, state: TrainingState) -> None:
        """Replace the saved state."""
        arrays = {f"variable_{n}": value for n, value in enumerate(state.variables)}
        arrays |= {f"best_{n}": value for n, value in enumerate(state.best)}
        about = {"history": state.history, "best_epoch": state.best_epoch}
        with atomic_file(self.path) as file:
            text = json.dumps({"identity": self.identity, **about})
            np.savez(file, about=np.array(text), **arrays)

    def saved_epochs(self) -> int:
        """Return how many completed epochs of this run are saved."""
        about = self._read_same()
        return len(about["history"]["loss"]) if about else 0

    def load(self) -> TrainingState | None:
        """Return the saved state, or None if there is none of this run."""
        about = self._read_same()
        if about is None:
            return None
        arrays = read_arrays(self.path)
        variables, best = (
            [arrays[key] for n in range(len(arrays)) if (key := f"{name}_{n}") in arrays]
            for name in ("variable", "best")
        )
        return TrainingState(about["history"], variables, best, about["best_epoch"])

    def _read(self) -> dict[str, Any] | None:
        about = super()._read()
        damaged = (
            about is not None and isinstance(about["identity"], dict) and not _is_course(about)
        )
        return None if damaged else about

    def _read_json(self) -> str:
        return str(read_arrays(self.path).get("about"))


def _is_course(about: Mapping[str, Any]) -> bool:
    """Return whether a history has one number per epoch of everything, and a best epoch."""
    history, best = about["history"], about.get("best_epoch")
    if not (isinstance(history, dict) and isinstance(history.get("loss"), list)):
        return False
    epochs = len(history["loss"])
    return (
        all(isinstance(values, list) and len(values) == epochs for values in history.values())
        and all(isinstance(value, float) for values in history.values() for value in values)
        and isinstance(best, int)
        and 0 <= best <= epochs
    )


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
        return TrialFile(_beside(self.target, "folds"), self.identity)

    @property
    def trial_file(self) -> TrialFile:
        """The finished trainings of the comparison."""
        return TrialFile(_beside(self.target, "scratch"), self.identity)

    @property
    def checkpoint(self) -> Checkpoint:
        """The state of the training of the model that is kept."""
        return Checkpoint(_beside(self.target, "training"), self.identity)

    def describe_others(self) -> Iterator[str]:
        """Yield why saved work that this run would continue cannot be resumed."""
        saved: dict[str, SavedWork] = {"training": self.checkpoint}
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
        for suffix in ("folds", "scratch", "training"):
            TrialFile(_beside(self.target, suffix), self.identity).remove()  # of any kind


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{suffix}")


@contextmanager
def report_interruption(describe: Callable[[], str]) -> Iterator[None]:
    """Log where a command resumes if Ctrl-C or a signal ends the block, and pass that on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        logger.info(f"interrupted {describe()}")
        raise
