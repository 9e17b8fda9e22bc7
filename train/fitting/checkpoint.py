"""The state of an unfinished training run, so that a killed run can resume.

One file, replaced atomically after every epoch: every variable of model and optimizer (including
the random state of dropout layers), the best weights so far, and the history. A checkpoint of other
text, vectors, options or versions is not resumed; it says what differs.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glovelite.evaluation.scores import HEADLINES
from glovelite.runtime.files.output import atomic_file, partial_path

from .identity import Identity, describe_other

Arrays = list[npt.NDArray[Any]]
#: `loss`, `accuracy`, `val_loss`, `val_accuracy`, a value per epoch; `micro_f1` and `val_micro_f1`
#: instead of accuracy for multi-label text.
History = dict[str, list[float]]
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def find_metric(history: Collection[str]) -> tuple[str, str]:
    """Return the name of the metric in a history besides the loss, and how people read it."""
    return next((name, shown) for name, shown in HEADLINES.items() if name in history)


@dataclass(frozen=True)
class TrainingState:
    """A training run after an epoch.

    Attributes:
        history: see `History`.
        variables: of model and optimizer, in Keras's order.
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


@dataclass(frozen=True)
class Checkpoint:
    """A file for the state of one particular training run.

    Attributes:
        path: the file.
        identity: everything that the run depends on.
    """

    path: Path
    identity: Identity

    def save(self, state: TrainingState) -> None:
        """Replace the saved state."""
        arrays = {f"variable_{n}": value for n, value in enumerate(state.variables)}
        arrays |= {f"best_{n}": value for n, value in enumerate(state.best)}
        about = json.dumps(
            {
                "identity": self.identity,
                "history": state.history,
                "best_epoch": state.best_epoch,
            }
        )
        with atomic_file(self.path) as file:
            np.savez(file, about=np.array(about), **arrays)

    def saved_epochs(self) -> int:
        """Return how many completed epochs of this run are saved."""
        about = self._read_about()
        if about is None or about["identity"] != self.identity:
            return 0
        return TrainingState(about["history"], [], []).epochs

    def describe_other(self) -> str | None:
        """Return why the saved state cannot be resumed, such as `"had epochs 60, not 10"`.

        Returns:
            None if it can be resumed, or nothing is saved.
        """
        if not self.path.exists():
            return None
        about = self._read_about()
        return describe_other(about and about["identity"], self.identity)

    def _read_about(self) -> dict[str, Any] | None:
        try:
            with np.load(self.path) as file:
                about = json.loads(str(file["about"]))
                return {name: about[name] for name in ("identity", "history")}
        except _UNREADABLE:
            return None

    def load(self) -> TrainingState | None:
        """Return the saved state, or None if there is none of this run."""
        try:
            with np.load(self.path) as file:
                about = json.loads(str(file["about"]))
                if about["identity"] != self.identity:
                    return None
                return TrainingState(
                    about["history"],
                    _take(file, "variable_"),
                    _take(file, "best_"),
                    about["best_epoch"],
                )
        except _UNREADABLE:
            return None

    def remove(self) -> None:
        """Delete the saved state."""
        self.path.unlink(missing_ok=True)
        partial_path(self.path).unlink(missing_ok=True)


def hash_identity(*parts: Any) -> str:
    """Hash what a training run depends on (plain JSON types) into hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _take(file: Any, prefix: str) -> Arrays:
    count = sum(name.startswith(prefix) for name in file.files)
    return [file[f"{prefix}{n}"] for n in range(count)]
