"""Scores parts in a process of the cluster."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import dataclass
from typing import Any

from glovelite.runtime.classifier import Classifier
from glovelite.runtime.errors import GloveliteError
from glovelite.runtime.files.record import BadRow

from ..files import Location
from ..parts import Part
from ..rows import read_part
from .output import AddedColumns, open_output

BAD_ROWS_FOLDER = "bad_rows"


@dataclass(frozen=True)
class Work:
    """What every worker is given.

    Attributes:
        classifier: the bundle; it travels by its content.
        parts: the parts of the job.
        output: the folder to write to.
        format: of the output, `parquet` or `jsonl`.
        text_columns: names of the text columns; empty looks for one.
        encoding: of text files; None detects it.
        prefix: what the names of the added columns start with.
    """

    classifier: Classifier
    parts: tuple[Part, ...]
    output: Location
    format: str
    text_columns: tuple[str, ...]
    encoding: str | None
    prefix: str

    @property
    def added(self) -> AddedColumns:
        """The columns of the prediction."""
        vocabulary = self.classifier.bundle.vocabulary
        return AddedColumns(vocabulary.labels, vocabulary.multi_label, self.prefix)

    def check(self, part: Part) -> None:
        """Read the first rows of a part.

        Raises:
            DataError: they have no text column, or already a column that is to be added.
        """
        for batch in read_part(part, self.text_columns, self.encoding):
            rows = batch.rows
            for names in rows[:1] if isinstance(rows, list) else [rows.column_names]:
                self.added.check(names)
            return

    def target(self, part: Part) -> Location:
        """Return the output of a part."""
        return self.output.child(self.file_name(part))

    def file_name(self, part: Part) -> str:
        """Return the name of a part's output in the folder."""
        return f"{part.name}.{self.format}"


@dataclass(frozen=True)
class PartResult:
    """What became of a part.

    Attributes:
        rows: rows written.
        bad: rows that could not be used.
        abstained: rows whose prediction should not be relied on.
        seconds: time taken.
    """

    rows: int
    bad: int
    abstained: int
    seconds: float


class PartScorer:
    """A worker: verifies the bundle on its machine, then scores one part after the other."""

    def __init__(self, work: Work) -> None:
        """Replay the golden texts.

        Raises:
            SelfTestError: predictions differ here from where the bundle was exported.
        """
        self._work = work
        work.classifier.self_test()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Score the part whose number is in a batch of one row, as Ray Data passes it.

        Returns:
            A batch of one row: the fields of `PartResult`, and `error`, what was raised, pickled.
        """
        result, failed = PartResult(0, 0, 0, 0.0), b""
        try:
            result = score_part(self._work, self._work.parts[int(batch["number"][0])])
        except GloveliteError as error:  # Ray would wrap it
            failed = pickle.dumps(error)
        return {name: [value] for name, value in {**vars(result), "error": failed}.items()}


def score_part(work: Work, part: Part) -> PartResult:
    """Read, score and write a part. Its output has all usable rows, or does not exist.

    Raises:
        DataError: the part cannot be read, or has no text column.
        OutputError: the output cannot be written.
    """
    start = time.monotonic()
    rows = abstained = 0
    bad = list[BadRow]()
    with open_output(work.target(part), work.format, work.added) as write:
        for batch in read_part(part, work.text_columns, work.encoding):
            predictions = work.classifier.predict(batch.texts)
            write(batch.rows, predictions)
            rows += len(predictions)
            abstained += sum(each.abstained for each in predictions)
            bad += batch.bad
        _write_bad_rows(work, part, bad)
    return PartResult(rows, len(bad), abstained, time.monotonic() - start)


def _write_bad_rows(work: Work, part: Part, bad: list[BadRow]) -> None:
    """Write the rows of a part that could not be used, if there are any."""
    if not bad:
        return
    folder = work.output.child(BAD_ROWS_FOLDER)
    folder.system.create_dir(folder.path)
    place: dict[str, object] = {"file": part.file.location.name}
    if part.file.format == "jsonl" and part.start:
        place["after_byte"] = part.start
    lines = [json.dumps({**place, "line": each.line, "reason": each.reason}) for each in bad]
    with folder.child(f"{part.name}.jsonl").open_atomic() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
