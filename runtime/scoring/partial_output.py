"""An output file that grows beside its target, from which a killed run continues."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError
from ..files.output import atomic_file, name_refused_file, partial_path, reserve_output
from ..files.records import is_gzipped

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """What a run has done, and its earlier parts if it was interrupted.

    Attributes:
        records: rows of the input that were dealt with.
        size: of the partial output in bytes.
        rows: rows written.
        skipped: rows that could not be read.
        abstained: rows whose prediction should not be relied on.
        labels: rows of each predicted label.
        without_labels: rows for which a multi-label bundle predicts no label.
        seconds: time taken.
    """

    records: int = 0
    size: int = 0
    rows: int = 0
    skipped: int = 0
    abstained: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    without_labels: int = 0
    seconds: float = 0.0

    def count(self, labels: Sequence[str], abstained: bool, hidden: bool) -> None:
        """Count a written row, and its labels unless they are hidden."""
        self.records += 1
        self.rows += 1
        self.abstained += abstained
        if not hidden:
            for label in labels:
                self.labels[label] = self.labels.get(label, 0) + 1
            self.without_labels += not labels


class PartialOutput:
    """The incomplete output, and a file beside it that says how far it is.

    Attributes:
        progress: what is done; written by `commit`.
    """

    def __init__(self, file: BinaryIO, target: Path, identity: dict[str, str] | None) -> None:
        self.progress = Progress()
        self._file, self._target, self._identity = file, target, identity
        self._gzipped = is_gzipped(target.name)
        self._member: gzip.GzipFile | None = None
        self.is_discarded = False

    def write(self, content: bytes) -> None:
        """Append to the output."""
        if not self._gzipped:
            self._file.write(content)
            return
        if self._member is None:
            self._member = gzip.GzipFile("", "wb", fileobj=self._file, mtime=0)
        self._member.write(content)

    def discard(self) -> None:
        """Remove the output if the run fails: no other one can continue it."""
        self.is_discarded = True

    def commit(self) -> None:
        """Bring everything written to the disk; the next run continues from here."""
        if self._member is not None:
            self._member.close()  # a gzip file may hold any number of members
            self._member = None
        self._file.flush()
        os.fsync(self._file.fileno())
        self.progress.size = self._file.tell()
        if self._identity is None:  # nothing continues from here
            return
        state = {"identity": self._identity, "progress": asdict(self.progress)}
        with atomic_file(state_path(self._target)) as file:
            file.write(json.dumps(state).encode())

    def restore(self) -> None:
        """Continue from the last commit of a run with the same identity, or start again."""
        progress, reason = _read_state(self._target, self._identity)
        size = self._file.seek(0, os.SEEK_END)
        if progress is not None and size < progress.size:
            progress, reason = None, "it is incomplete"
        if reason:
            logger.info(
                f"{partial_path(self._target)} cannot be continued ({reason}): starting again"
            )
        self.progress = progress or Progress()
        self._file.truncate(self.progress.size)
        self._file.seek(0, os.SEEK_END)


def state_path(target: Path) -> Path:
    """Return where the progress of a partial output is: `a.csv` -> `a.csv.partial.json`."""
    partial = partial_path(target)
    return partial.with_name(partial.name + ".json")


def check_target(target: Path, source: Path, overwrite: bool) -> None:
    """Raise OutputError if an output exists, is the input, or is something else than a file."""
    if not os.path.lexists(target):
        return
    if not target.is_file():
        raise OutputError(f"{target} is not a regular file: choose another output")
    if target.samefile(source):
        raise OutputError(f"{target} is the input: choose another output")
    if not overwrite:
        raise OutputError(f"{target} exists: choose another output, or --overwrite it")


@contextmanager
def open_partial(
    target: Path, source: Path, overwrite: bool, identity: dict[str, str] | None
) -> Iterator[PartialOutput]:
    """Yield the partial output, continued or new; rename it to the target if the block succeeds.

    If the block fails, the partial output stays for the next run, if that can continue it.

    Args:
        identity: what the output depends on; a partial output of another identity is not used.
            None for an output that cannot be continued.

    Raises:
        OutputError: the target exists or cannot be written, or another run writes it.
    """
    partial, state = partial_path(target), state_path(target)
    with name_refused_file(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with reserve_output(target, "output"):
            check_target(target, source, overwrite)
            if partial.exists() and not state.exists():
                raise OutputError(f"{partial} exists and is not glovelite's: remove or rename it")
            if not state.exists():  # first, so that a partial output is always recognized
                with atomic_file(state) as file:
                    file.write(b"{}")
            output = None
            try:
                with partial.open("ab") as file:
                    output = PartialOutput(file, target, identity)
                    output.restore()
                    yield output
                    output.commit()
                check_target(target, source, overwrite)
            except BaseException:
                if identity is None or (output is not None and output.is_discarded):
                    partial.unlink(missing_ok=True)
                    state.unlink(missing_ok=True)
                raise
            partial.replace(target)
            state.unlink()


def _read_state(target: Path, identity: dict[str, str] | None) -> tuple[Progress | None, str]:
    """Return the progress of an earlier run, or why it cannot be continued if there was one."""
    try:
        state = json.loads(state_path(target).read_bytes())
        if not state:  # nothing was committed
            return None, ""
        if identity is None:
            return None, "another command left it"
        changed = [name for name, value in identity.items() if state["identity"][name] != value]
        if changed:
            return None, f"{' and '.join(changed)} changed"
        return Progress(**state["progress"]), ""
    except (OSError, ValueError, KeyError, TypeError):
        return None, f"{state_path(target)} is damaged"
