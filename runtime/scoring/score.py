"""Reads the rows of a file, classifies their text and writes them with the predictions added."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..aliases import Log
from ..classifier import Classifier, Prediction
from ..errors import DataError
from ..io.files.columns import ColumnNames
from ..io.files.record import MAX_SHOWN_BAD_ROWS, BadRow, Record
from ..io.records import Records, open_records, read_text
from ..version import __version__
from .partial_output import PartialOutput, Progress, check_target, open_partial
from .row_format import (
    RowFormat,
    Value,
    check_labels,
    check_output_name,
    choose_row_format,
    describe_collision,
)

SINGLE_LABEL_NAMES = ("predicted_label", "probability", "abstained")
MULTI_LABEL_NAMES = ("predicted_labels", "confidence", "abstained")
DIGITS = 6  # of a probability
MAX_BATCH_ROWS = 1_024
MAX_BATCH_CHARACTERS = 4_000_000
COMMIT_SECONDS = 1.0  # how much work a killed run loses


@dataclass(frozen=True)
class ScoringOptions:
    """What to score and how.

    Attributes:
        input: the file to read.
        output: the file to write; its extension names the format.
        text_columns: names or numbers (from 1) of the text columns; empty looks for one.
        encoding: the input's encoding; None detects it.
        prefix: what the names of the added columns start with.
        hide_abstained: whether the label is left empty where the classifier abstains.
        skip_bad_rows: skip rows that cannot be read with a warning instead of stopping.
        overwrite: replace an existing output.
    """

    input: Path
    output: Path
    text_columns: tuple[str, ...] = ()
    encoding: str | None = None
    prefix: str = ""
    hide_abstained: bool = False
    skip_bad_rows: bool = False
    overwrite: bool = False

    def added_names(self, multi_label: bool) -> tuple[str, ...]:
        """Return the names of the added columns."""
        names = MULTI_LABEL_NAMES if multi_label else SINGLE_LABEL_NAMES
        return tuple(f"{self.prefix}{name}" for name in names)


class _Item(NamedTuple):
    """A row to classify: its text, and its fields as they are written."""

    text: str
    start: str


class _Batch(NamedTuple):
    """Consecutive rows.

    Attributes:
        items: those that can be read.
        bad: the others.
    """

    items: list[_Item]
    bad: list[BadRow]


def score_file(
    classifier: Classifier,
    options: ScoringOptions,
    log: Log,
    show: Callable[[Progress], None],
) -> Progress:
    """Classify the rows of a file in bounded memory, continuing an interrupted run.

    Args:
        classifier: the loaded bundle.
        options: what to score and how.
        log: receives a line about everything unusual.
        show: receives the progress after every batch.

    Returns:
        What was done, in this run and in its interrupted parts.

    Raises:
        DataError: the input cannot be read, or a row of it; the message names the line.
        OutputError: the output exists or cannot be written.
    """
    vocabulary, extension = classifier.bundle.vocabulary, check_output_name(options.output)
    if vocabulary.multi_label:
        check_labels(vocabulary.labels, extension)
    identity = _identify(classifier, options)
    check_target(options.output, options.input, options.overwrite)
    names = ColumnNames(text=options.text_columns)
    records = open_records(
        str(options.input), names, labelled=False, encoding=options.encoding, log=log
    )
    added = options.added_names(vocabulary.multi_label)
    format_ = choose_row_format(records, options.output, added)
    if format_.header is None and records.format != "jsonl":
        log(f"{records.name}: no header found, so its first row is classified")
    target = options.output
    with open_partial(target, options.input, options.overwrite, identity, log) as output:
        if output.progress.records:
            log(f"continuing an interrupted run: rows done so far: {output.progress.records:,}")
        else:
            output.write(format_.first_line().encode())
        _score_records(classifier, options, records, format_, output, log, show)
    return output.progress


def _score_records(
    classifier: Classifier,
    options: ScoringOptions,
    records: Records,
    format_: RowFormat,
    output: PartialOutput,
    log: Log,
    show: Callable[[Progress], None],
) -> None:
    progress = output.progress
    multi_label = classifier.bundle.vocabulary.multi_label
    earlier, start = progress.seconds, time.monotonic()
    committed = start
    remaining = islice(iter(records), progress.records, None)
    rows = (_read_item(record, records, format_) for record in remaining)
    for batch in _split_batches(rows, stop_at_bad=not options.skip_bad_rows):
        predictions = classifier.predict(item.text for item in batch.items)
        _write_predictions(predictions, batch, output, options, format_, multi_label)
        now = time.monotonic()
        progress.seconds = earlier + now - start
        if batch.bad and not options.skip_bad_rows:
            output.commit()
            raise DataError(
                f"{_describe(records, batch.bad[0])} (--skip-bad-lines skips such rows)"
            )
        for bad in batch.bad[: max(0, MAX_SHOWN_BAD_ROWS - progress.skipped)]:
            log(f"{_describe(records, bad)}: skipped")
        progress.records += len(batch.bad)
        progress.skipped += len(batch.bad)
        if now - committed >= COMMIT_SECONDS:
            output.commit()
            committed = now
        show(progress)
    if progress.skipped > MAX_SHOWN_BAD_ROWS:
        log(f"{progress.skipped - MAX_SHOWN_BAD_ROWS:,} more rows skipped")


def _write_predictions(
    predictions: list[Prediction],
    batch: _Batch,
    output: PartialOutput,
    options: ScoringOptions,
    format_: RowFormat,
    multi_label: bool,
) -> None:
    progress = output.progress
    for item, prediction in zip(batch.items, predictions):
        hidden = options.hide_abstained and prediction.abstained
        output.write(format_.end_row(item.start, _added_values(prediction, hidden, multi_label)))
        progress.abstained += prediction.abstained
        if hidden:
            continue
        for label in prediction.labels:
            progress.labels[label] = progress.labels.get(label, 0) + 1
        progress.without_labels += not prediction.labels
    progress.rows += len(batch.items)
    progress.records += len(batch.items)


def _added_values(prediction: Prediction, hidden: bool, multi_label: bool) -> list[Value]:
    """Return the values of the added columns, in the order of their names."""
    if multi_label:
        labels = None if hidden else list(prediction.labels)
        return [labels, round(prediction.confidence, DIGITS), prediction.abstained]
    label = None if hidden else prediction.label
    return [label, round(prediction.probability, DIGITS), prediction.abstained]


def _read_item(record: Record | BadRow, records: Records, format_: RowFormat) -> _Item | BadRow:
    if isinstance(record, BadRow):
        return record
    if name := format_.find_collision(record):  # in all rows: nothing to skip
        raise DataError(f"{records.name}, line {record.line} {describe_collision(name, 'a field')}")
    text = read_text(record, records.columns, may_be_empty=True)
    if isinstance(text, BadRow):
        return text
    try:
        return _Item(text, format_.start_row(record))
    except ValueError as error:
        return BadRow(record.line, str(error))


def _split_batches(rows: Iterable[_Item | BadRow], stop_at_bad: bool) -> Iterator[_Batch]:
    """Split rows into batches that fit into memory; a bad row ends one if it ends the run."""
    batch, characters = _Batch([], []), 0
    for row in rows:
        if isinstance(row, BadRow):
            batch.bad.append(row)
        else:
            batch.items.append(row)
            characters += len(row.text) + len(row.start)
        full = len(batch.items) + len(batch.bad) >= MAX_BATCH_ROWS
        if full or characters >= MAX_BATCH_CHARACTERS or (batch.bad and stop_at_bad):
            yield batch
            batch, characters = _Batch([], []), 0
    if batch.items or batch.bad:
        yield batch


def _describe(records: Records, bad: BadRow) -> str:
    return f"{records.name}, line {bad.line}: {bad.reason}"


def _identify(classifier: Classifier, options: ScoringOptions) -> dict[str, str]:
    """Return what an output depends on: the names are those of a message about what changed."""
    try:
        status = options.input.stat()
    except OSError as error:
        raise DataError(f"{options.input} cannot be read: {error.strerror}") from None
    if not options.input.is_file():
        raise DataError(f"{options.input} is not a regular file: --input needs one")
    manifest = json.dumps(classifier.bundle.manifest, sort_keys=True).encode()
    given = (
        options.text_columns,
        options.encoding,
        options.prefix,
        options.hide_abstained,
        classifier.abstain_below,
        __version__,
    )
    return {
        "the input": f"{options.input.resolve()} {status.st_size} {status.st_mtime_ns}",
        "the bundle": hashlib.sha256(manifest).hexdigest(),
        "the options": repr(given),
    }
