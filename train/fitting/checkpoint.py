"""The state of an unfinished training run, so that a killed run can resume.

One file, replaced atomically after every epoch: every variable of model and optimizer (including
the random state of dropout layers), the best weights so far, and the history. A checkpoint of other
text, vectors, options or versions is not resumed; it says what differs.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glovelite.evaluation.scores import HEADLINES
from glovelite.runtime.files.output import atomic_file, partial_path

MAX_SHOWN_DIFFERENCES = 3
SHOWN_HASH = 8  # characters of one
#: Dotted name -> number, string, list or None, as JSON returns them.
Identity = dict[str, Any]
Arrays = list[npt.NDArray[Any]]
#: `loss`, `accuracy`, `val_loss`, `val_accuracy`, a value per epoch; `micro_f1` and `val_micro_f1`
#: instead of accuracy for multi-label text.
History = dict[str, list[float]]
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def make_identity(parts: Mapping[str, Any]) -> Identity:
    """Flatten what a run depends on, plain JSON types, to dotted names."""
    return dict(_flatten(json.loads(json.dumps(parts)), ""))


def describe_other(saved: Any, current: Identity) -> str | None:
    """Describe why saved work cannot be resumed, such as `"had epochs 60, not 10"`.

    Args:
        saved: the identity of the run that saved it, as JSON returns it; None if it cannot be read.
        current: the identity of the current run.

    Returns:
        None if it can be resumed.
    """
    if saved == current:
        return None
    if saved is None:
        return "cannot be read"
    if not isinstance(saved, dict):
        return "was saved by another version of glovelite"
    return f"had {describe_difference(saved, current)}"


def describe_difference(saved: Identity, current: Identity) -> str:
    """Describe how the run that a checkpoint was saved by differs from the current one.

    Args:
        saved: the identity of the saved run; its names are those of `metrics.json`.
        current: the identity of the current run, which is another one.

    Returns:
        Such as `"epochs 60, not 10"`. What follows from other differences, such as the vocabulary,
        is not shown.
    """
    names = [name for name in {**current, **saved} if saved.get(name) != current.get(name)]
    follows = _names_that_follow(names)
    differences = [
        f"{shown} {_show(name, saved)}, not {_show(name, current)}"
        for name in names
        if not name.startswith(follows) and (shown := _shown_name(name))
    ]
    if any(name.startswith("corpus.") and not name.startswith(follows) for name in names):
        differences.insert(0, "other text")
    if not differences:
        differences.append("other vectors")
    hidden = len(differences) - MAX_SHOWN_DIFFERENCES
    more = f" and {hidden} more differences" if hidden > 0 else ""
    return f"{'; '.join(differences[:MAX_SHOWN_DIFFERENCES])}{more}"


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
        return ("initial_run.weights", "corpus.fingerprints.", "corpus.texts", "corpus.sources.")
    # Both of these may drop copies.
    if any(name.startswith(("split.", "initial_run.")) for name in names):
        return ("corpus.fingerprints.", "corpus.texts", "corpus.sources.")
    return ("corpus.fingerprints.",) if "configuration.seed" in names else ()


def _flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, each in value.items():
        yield from _flatten(each, f"{name}.{key}" if name else key)


def _show(name: str, identity: Identity) -> str:
    value = identity.get(name)
    if value is None:  # an option that is not set
        return "none" if name.startswith("initial_run.") else "default"
    if name == "initial_run.weights":
        return str(value)[:SHOWN_HASH]
    return str(value) if isinstance(value, str) else json.dumps(value)


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
