"""The state of an unfinished training, kept beside its target so that a killed run can go on.

One file, replaced whole after every epoch: every variable of model and optimizer (the dropout
layers' random state among them), the best weights so far, and the history. A checkpoint of other
text, vectors, settings or versions is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = list[npt.NDArray[Any]]
History = dict[str, list[float]]


@dataclass(frozen=True)
class State:
    """Where a training stands after an epoch.

    Attributes:
        history: `accuracy`, `loss`, `val_accuracy`, `val_loss`, one value an epoch.
        variables: of model and optimizer, in Keras's order.
        best: the model's weights after its best epoch.
    """

    history: History
    variables: Arrays
    best: Arrays

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.history.get("loss", ()))

    @property
    def best_epoch(self) -> int:
        """The epoch of least dev loss, from 1; 0 before the first."""
        losses = self.history.get("val_loss", ())
        return int(np.argmin(losses)) + 1 if losses else 0


@dataclass(frozen=True)
class Checkpoint:
    """A place to keep a state, valid for one training only.

    Attributes:
        path: the file.
        identity: hash of all that the training depends on.
    """

    path: Path
    identity: str

    def save(self, state: State) -> None:
        """Keep a state, replacing the last one whole."""
        arrays = {f"variable_{n}": value for n, value in enumerate(state.variables)}
        arrays |= {f"best_{n}": value for n, value in enumerate(state.best)}
        about = json.dumps({"identity": self.identity, "history": state.history})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, about=np.array(about), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def load(self) -> State | None:
        """Give the kept state, or None where there is none of this very training."""
        try:
            with np.load(self.path) as file:
                about = json.loads(str(file["about"]))
                if about["identity"] != self.identity:
                    return None
                return State(about["history"], _take(file, "variable_"), _take(file, "best_"))
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        """Forget the state: the training is done."""
        for path in (self.path, self.path.with_suffix(".partial")):
            path.unlink(missing_ok=True)


def identify(*parts: Any) -> str:
    """Hash what a training depends on, plain JSON types, into hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _take(file: Any, prefix: str) -> Arrays:
    count = sum(name.startswith(prefix) for name in file.files)
    return [file[f"{prefix}{n}"] for n in range(count)]
