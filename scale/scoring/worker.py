"""Scores parts in a process of the cluster, and writes them."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.runtime.classifier import Classifier, Prediction
from glovelite.runtime.errors import ClusterError, DataError, GloveliteError, OutputError
from glovelite.runtime.files.columns import BadRow, ColumnNames
from glovelite.runtime.scoring.row_format import describe_collision

from ..files import Location
from ..parts import Part, RowBatch, read_part
from ..tables import make_table

DIGITS = 6  # of a probability
FORMATS = ("parquet", "jsonl")
#: Writes rows with their predictions.
Write = Callable[[RowBatch, Sequence[Prediction]], None]
BAD_ROWS_FOLDER = "bad_rows"


@dataclass(frozen=True)
class BulkOptions:
    """How files are scored.

    Attributes:
        format: of the output, `parquet` or `jsonl`.
        text_columns: names of the text columns; empty looks for one.
        encoding: of text files; None detects it.
        header: whether the first row of CSV and TSV names the columns; None guesses.
        prefix: of the names of the added columns.
        rows_per_file: approximate number of rows of an output file.
        workers: classifiers at work; None takes one for each core of the cluster.
        address: of a Ray cluster, such as `auto` or `head:6379`; None starts Ray here.
        overwrite: replace the results of another job.

    Raises:
        OutputError: the format is unknown.
        ClusterError: the address is one of Ray's client, through which Ray Data does not run.
    """

    format: str = "parquet"
    text_columns: tuple[str, ...] = ()
    encoding: str | None = None
    header: bool | None = None
    prefix: str = ""
    rows_per_file: int = 50_000
    workers: int | None = None
    address: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check the format and the address."""
        if (self.address or "").startswith("ray://"):
            raise ClusterError(
                f"{self.address}: Ray Data does not run through Ray's client: start the job on the "
                "cluster, as `ray job submit -- glovelite-score ... --address auto` does"
            )
        if self.format not in FORMATS:
            raise OutputError(f"expected the format {' or '.join(FORMATS)}, found {self.format!r}")


@dataclass(frozen=True)
class AddedColumns:
    """The columns that are added to those of the input; `prefix` begins their names."""

    labels: tuple[str, ...]
    multi_label: bool
    prefix: str = ""

    @property
    def schema(self) -> pa.Schema:
        """Names and types."""
        label = ("predicted_label", pa.string())
        number = "probability"
        if self.multi_label:
            label, number = ("predicted_labels", pa.list_(pa.string())), "confidence"
        types = [
            label,
            (number, pa.float64()),
            ("probabilities", pa.struct([(name, pa.float64()) for name in self.labels])),
            ("abstained", pa.bool_()),
            ("known", pa.float64()),
        ]
        return pa.schema([(f"{self.prefix}{name}", type_) for name, type_ in types])

    def make_values(self, prediction: Prediction) -> list[Any]:
        """Return a row of the columns."""
        label: object = prediction.label
        number = prediction.probability
        if self.multi_label:
            label, number = list(prediction.labels), prediction.confidence
        rounded = {name: round(p, DIGITS) for name, p in prediction.probabilities.items()}
        known = round(prediction.known, DIGITS)
        return [label, round(number, DIGITS), rounded, prediction.abstained, known]

    def check(self, columns: Collection[str], place: str) -> None:
        """Raise DataError that names the place if the input already has one of the columns."""
        for name in self.schema.names:
            if name in columns:
                raise DataError(f"{place} {describe_collision(name, 'a column')}")


@contextmanager
def open_output(target: Location, format_: str, added: AddedColumns) -> Iterator[Write]:
    """Yield a function that writes rows; the file is renamed to its name if the block succeeds."""
    with target.open_atomic() as file:
        if format_ == "jsonl":
            yield partial(_write_json, file, added)
        else:
            writer = _ParquetRows(file, added)
            yield writer.write
            writer.close()


def _write_json(
    file: pa.NativeFile, added: AddedColumns, batch: RowBatch, predictions: Sequence[Prediction]
) -> None:
    """Write a JSON object for each row of a batch of objects."""
    names = added.schema.names
    lines = []
    for fields, prediction in zip(batch.rows, predictions):
        values = zip(names, added.make_values(prediction))
        lines.append(_dump({**fields, **dict(values)}) + "\n")
    file.write("".join(lines).encode())


class _ParquetRows:
    """Writes a table. Objects are collected, because their columns are known at the end only."""

    def __init__(self, file: pa.NativeFile, added: AddedColumns) -> None:
        self._file, self._added = file, added
        self._writer: pq.ParquetWriter | None = None
        self._objects: list[dict[str, Any]] = []
        self._predictions: list[Prediction] = []

    def write(self, batch: RowBatch, predictions: Sequence[Prediction]) -> None:
        if isinstance(batch.rows, list):
            self._objects += batch.rows
            self._predictions += predictions
        else:
            self._write_table(batch.rows, predictions)

    def close(self) -> None:
        """Write the collected objects, and the end of the file."""
        if self._writer is None:
            self._write_table(make_table(self._objects), self._predictions)
        assert self._writer is not None  # made by the call above
        self._writer.close()

    def _write_table(self, table: pa.Table, predictions: Sequence[Prediction]) -> None:
        columns = list(zip(*map(self._added.make_values, predictions)))
        for index, field in enumerate(self._added.schema):
            values = columns[index] if columns else ()
            table = table.append_column(field, pa.array(values, field.type))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)


def _dump(fields: dict[str, Any]) -> str:
    """Return an object as JSON, with null for NaN and infinity, which JSON lacks."""
    try:
        return json.dumps(fields, default=str, allow_nan=False)
    except ValueError:
        written = json.dumps(fields, default=str)
        return json.dumps(json.loads(written, parse_constant=lambda _: None))


@dataclass(frozen=True)
class Work:
    """A job, as its workers receive it."""

    classifier: Classifier
    parts: tuple[Part, ...]
    output: Location
    options: BulkOptions

    @property
    def added(self) -> AddedColumns:
        """The columns of the prediction."""
        vocabulary = self.classifier.bundle.vocabulary
        return AddedColumns(vocabulary.labels, vocabulary.multi_label, self.options.prefix)

    @property
    def names(self) -> ColumnNames:
        """The text columns to look for."""
        trained = self.classifier.bundle.text.columns
        options = self.options
        return ColumnNames(options.text_columns, header=options.header, trained=trained)

    def read(self, part: Part) -> Iterator[RowBatch]:
        """Yield the rows of a part in batches."""
        clean = self.classifier.bundle.text.clean
        return read_part(part, self.names, self.options.encoding, clean)

    def check(self, part: Part) -> None:
        """Raise DataError if a part has no text column, or already one of the added columns."""
        for batch in islice(self.read(part), 1):
            self.check_columns(part, batch)

    def check_columns(self, part: Part, batch: RowBatch) -> None:
        """Raise DataError that names file and row if a row has one of the added columns."""
        name, rows = part.file.location.name, batch.rows
        if not isinstance(rows, list):
            self.added.check(rows.column_names, name)
            return
        for fields, line in zip(rows, batch.lines):
            self.added.check(fields, f"{name}, line {line}{part.after}")

    def file_name(self, part: Part) -> str:
        """Return the name of a part's output in the folder."""
        return f"{part.name}.{self.options.format}"


@dataclass(frozen=True)
class PartResult:
    """The counts of a part that was scored; see `BulkProgress`."""

    rows: int
    bad: int
    abstained: int
    seconds: float


class PartScorer:
    """A worker: verifies the bundle on its machine, then scores one part after the other."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._is_tested = False

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Score the part whose number is in a batch of one row, as Ray Data passes it.

        Returns:
            A batch of one row: the fields of `PartResult`, and `error`, what was raised, pickled.
        """
        result, failed = PartResult(0, 0, 0, 0.0), b""
        try:
            if not self._is_tested:
                self._work.classifier.self_test()
                self._is_tested = True
            result = score_part(self._work, self._work.parts[int(batch["number"][0])])
        except GloveliteError as error:  # Ray would wrap it
            failed = pickle.dumps(error)
        return {name: [value] for name, value in {**vars(result), "error": failed}.items()}


def score_part(work: Work, part: Part) -> PartResult:
    """Read, score and write a part. Its output has all usable rows, or does not exist.

    Raises:
        DataError: the part cannot be scored; the message names file, row and cause.
        OutputError: the output cannot be written.
    """
    start = time.monotonic()
    rows = abstained = 0
    bad = list[BadRow]()
    target, options = work.output.child(work.file_name(part)), work.options
    place = f"{part.file.location.name}, its first rows{part.after}"
    try:
        with open_output(target, options.format, work.added) as write:
            for batch in work.read(part):
                if batch.lines:
                    place = _describe_place(part, batch)
                work.check_columns(part, batch)
                if options.format == "jsonl":
                    batch = batch.as_objects()
                predictions = work.classifier.predict(batch.texts)
                write(batch, predictions)
                rows += len(predictions)
                abstained += sum(prediction.abstained for prediction in predictions)
                bad += batch.bad
            _write_bad_rows(work, part, bad)
    except GloveliteError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{place} cannot be scored: {reason}") from error
    return PartResult(rows, len(bad), abstained, time.monotonic() - start)


def _describe_place(part: Part, batch: RowBatch) -> str:
    first, last = batch.lines[0], batch.lines[-1]
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return f"{part.file.location.name}, {lines}{part.after}"


def _write_bad_rows(work: Work, part: Part, bad: list[BadRow]) -> None:
    """Write the rows of a part that could not be used, if there are any."""
    if not bad:
        return
    folder = work.output.child(BAD_ROWS_FOLDER)
    folder.system.create_dir(folder.path)
    place: dict[str, object] = {"file": part.file.location.name}
    if part.skipped_bytes:
        place["after_byte"] = part.skipped_bytes
    lines = [json.dumps({**place, "line": row.line, "reason": row.reason}) for row in bad]
    folder.child(f"{part.name}.jsonl").write("".join(f"{line}\n" for line in lines))
