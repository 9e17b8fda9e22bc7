"""Writes the scored rows of a part to a Parquet or JSONL file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.runtime.classifier import Prediction
from glovelite.runtime.errors import DataError
from glovelite.runtime.scoring.row_format import describe_collision

from ..files import Location
from ..rows import Rows

DIGITS = 6  # of a probability
FORMATS = ("parquet", "jsonl")
#: Writes rows with their predictions.
Write = Callable[[Rows, Sequence[Prediction]], None]


@dataclass(frozen=True)
class AddedColumns:
    """The columns that are added to those of the input.

    Attributes:
        labels: the bundle's.
        multi_label: whether a text may have several labels.
        prefix: what their names start with.
    """

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

    def check(self, columns: Collection[str]) -> None:
        """Check that the input has none of the columns.

        Raises:
            DataError: it has one.
        """
        for name in self.schema.names:
            if name in columns:
                raise DataError(f"the input {describe_collision(name, 'a column')}")


@contextmanager
def open_output(target: Location, format_: str, added: AddedColumns) -> Iterator[Write]:
    """Yield a function that writes rows; the file is renamed to its name if the block succeeds.

    Args:
        target: the file.
        format_: one of `FORMATS`.
        added: the columns to add.

    Raises:
        DataError: the input already has one of them.
        OutputError: the file cannot be written.
    """
    with target.open_atomic() as file:
        writer = (_ParquetRows if format_ == "parquet" else _JsonRows)(file, added)
        yield writer.write
        writer.close()


class _JsonRows:
    """Writes a JSON object for each row."""

    def __init__(self, file: pa.NativeFile, added: AddedColumns) -> None:
        self._file, self._added = file, added

    def write(self, rows: Rows, predictions: Sequence[Prediction]) -> None:
        names = self._added.schema.names
        lines = []
        for fields, prediction in zip(_to_objects(rows), predictions):
            self._added.check(fields)
            fields = {name: _to_json(value) for name, value in fields.items()}
            fields.update(zip(names, self._added.make_values(prediction)))
            lines.append(json.dumps(fields, default=str) + "\n")
        self._file.write("".join(lines).encode())

    def close(self) -> None:
        """Write nothing: there is no end."""


class _ParquetRows:
    """Writes a table. Objects are collected, because their columns are known at the end only."""

    def __init__(self, file: pa.NativeFile, added: AddedColumns) -> None:
        self._file, self._added = file, added
        self._writer: pq.ParquetWriter | None = None
        self._objects: list[dict[str, Any]] = []
        self._predictions: list[Prediction] = []

    def write(self, rows: Rows, predictions: Sequence[Prediction]) -> None:
        if isinstance(rows, list):
            self._objects += rows
            self._predictions += predictions
        else:
            self._write_table(rows, predictions)

    def close(self) -> None:
        """Write what was collected, and the end of the file."""
        if self._writer is None:
            self._write_table(make_table(self._objects), self._predictions)
        assert self._writer is not None  # made by the call above
        self._writer.close()

    def _write_table(self, table: pa.Table, predictions: Sequence[Prediction]) -> None:
        self._added.check(table.column_names)
        columns = list(zip(*map(self._added.make_values, predictions)))
        for index, field in enumerate(self._added.schema):
            values = columns[index] if columns else ()
            table = table.append_column(field, pa.array(values, field.type))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)


def make_table(objects: list[dict[str, Any]]) -> pa.Table:
    """Return objects as a table; a column of several types holds JSON.

    Example:
        >>> make_table([{"id": 1}, {"id": "x"}]).column("id").to_pylist()
        ['1', '"x"']
    """
    columns = {}
    for name in dict.fromkeys(name for each in objects for name in each):
        values = [each.get(name) for each in objects]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[name] = pa.array([json.dumps(each) for each in values])
    return pa.table(columns)


def _to_json(value: Any) -> Any:
    """Return a value that JSON has: it has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _to_objects(rows: Rows) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = rows if isinstance(rows, list) else rows.to_pylist()
    return objects
