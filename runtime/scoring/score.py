"""Reads the rows of a file in batches, classifies them and writes them with the predictions."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..bundle import Bundle
from ..classifier import Classifier, Prediction
from ..errors import DataError
from ..files.columns import MAX_SHOWN_BAD_ROWS, BadRow, ColumnNames, Record
from ..files.records import Records, open_records, read_text
from ..logs import log_lines
from ..trained_text import HTML_IS_REMOVED, TrainedText
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

logger = logging.getLogger(__name__)

MAX_BATCH_ROWS = 1_024
MAX_BATCH_CHARACTERS = 4_000_000
SINGLE_LABEL_NAMES = ("predicted_label", "probability", "abstained")
MULTI_LABEL_NAMES = ("predicted_labels", "confidence", "abstained")
DIGITS = 6  # of a probability
COMMIT_SECONDS = 1.0  # how much work a killed run loses


@dataclass(frozen=True)
class ScoringOptions:
    """Which file to score, and how.

    Attributes:
        output: the file to write; its extension names the format.
        text_columns: names or numbers (from 1) of the text columns; empty looks for one.
        encoding: the input's encoding; None detects it.
        prefix: what the names of the added columns start with.
        header: whether the first row of a table names its columns; None guesses.
        skip_bad_rows: skip rows that cannot be read with a warning instead of stopping.
        overwrite: replace an existing output.
        hide_abstained: leave the label empty where the classifier abstains.
    """

    input: Path
    output: Path
    text_columns: tuple[str, ...] = ()
    encoding: str | None = None
    header: bool | None = None
    prefix: str = ""
    skip_bad_rows: bool = False
    overwrite: bool = False
    hide_abstained: bool = False


class Item(NamedTuple):
    """A row to classify: its text, and its fields as they are written."""

    text: str
    start: str


class Batch(NamedTuple):
    """Consecutive rows.

    Attributes:
        items: those that can be read.
        bad: the others.
    """

    items: list[Item]
    bad: list[BadRow]


@dataclass(frozen=True)
class InputRows:
    """The rows of an input, and how they are written."""

    records: Records
    format: RowFormat
    skip_bad: bool
    trained: TrainedText

    def read_batches(self, first: int = 0) -> Iterator[Batch]:
        """Yield rows in batches that fit into memory, from the row of this number on.

        A bad row is the last of its batch if it ends the run.
        """
        batch, characters = Batch([], []), 0
        for row in map(self._read_item, islice(self.records, first, None)):
            if isinstance(row, BadRow):
                batch.bad.append(row)
            else:
                batch.items.append(row)
                characters += len(row.text) + len(row.start)
            full = len(batch.items) + len(batch.bad) >= MAX_BATCH_ROWS
            if full or characters >= MAX_BATCH_CHARACTERS or (batch.bad and not self.skip_bad):
                yield batch
                batch, characters = Batch([], []), 0
        if batch.items or batch.bad:
            yield batch

    def report_bad(self, bad: list[BadRow], skipped: int) -> None:
        """Log the first rows that are skipped, given how many were skipped before.

        Raises:
            DataError: bad rows are not skipped.
        """
        if bad and not self.skip_bad:
            raise DataError(f"{self._describe(bad[0])} (--skip-bad-lines skips such rows)")
        for row in bad[: max(0, MAX_SHOWN_BAD_ROWS - skipped)]:
            logger.info(f"{self._describe(row)}: skipped")

    def report_total(self, skipped: int) -> None:
        """Log how many rows were skipped that were not logged."""
        if skipped > MAX_SHOWN_BAD_ROWS:
            logger.info(f"{skipped - MAX_SHOWN_BAD_ROWS:,} more rows skipped")

    def _read_item(self, record: Record | BadRow) -> Item | BadRow:
        if isinstance(record, BadRow):
            return record
        if name := self.format.find_collision(record):  # in all rows: nothing to skip
            collision = describe_collision(name, "a field")
            raise DataError(f"{self.records.name}, line {record.line} {collision}")
        text = read_text(record, self.records.columns, may_be_empty=True)
        if isinstance(text, BadRow):
            return text
        try:
            return Item(self.trained.clean(text), self.format.start_row(record))
        except ValueError as error:
            return BadRow(record.line, str(error))

    def _describe(self, bad: BadRow) -> str:
        return f"{self.records.name}, line {bad.line}: {bad.reason}"


def open_rows(options: ScoringOptions, bundle: Bundle) -> InputRows:
    """Check both files, open the input, and choose how its rows are read and written."""
    vocabulary, trained = bundle.vocabulary, bundle.text
    extension = check_output_name(options.output)
    if vocabulary.multi_label:
        check_labels(vocabulary.labels, extension)
    try:
        options.input.stat()
    except OSError as error:
        raise DataError(f"{options.input} cannot be read: {error.strerror}") from None
    if not options.input.is_file():
        raise DataError(f"{options.input} is not a regular file: --input needs one")
    check_target(options.output, options.input, options.overwrite)
    columns = ColumnNames(options.text_columns, header=options.header, trained=trained.columns)
    records = open_records(str(options.input), columns, labelled=False, encoding=options.encoding)
    added = MULTI_LABEL_NAMES if vocabulary.multi_label else SINGLE_LABEL_NAMES
    names = tuple(f"{options.prefix}{name}" for name in added)
    format_ = choose_row_format(records, options.output, names)
    return InputRows(records, format_, options.skip_bad_rows, trained)


def score_file(
    classifier: Classifier, options: ScoringOptions, show: Callable[[Progress], None]
) -> Progress:
    """Classify the rows of a file in bounded memory, continuing an interrupted run.

    Args:
        show: receives the progress after every batch.

    Returns:
        What was done, in this run and in its interrupted parts.

    Raises:
        DataError: the input cannot be read, or a row of it; the message names the line.
        OutputError: the output exists or cannot be written.
    """
    target = options.output
    rows = open_rows(options, classifier.bundle)
    identity = _identify(classifier, options)
    with open_partial(target, options.input, options.overwrite, identity) as output:
        log_lines(logger, rows.records.describe_columns())
        if rows.trained.strip_html:
            logger.info(f"{rows.records.name}: {HTML_IS_REMOVED}")
        if output.progress.records:
            logger.info(
                f"continuing an interrupted run: rows done so far: {output.progress.records:,}"
            )
        else:
            output.write(rows.format.first_line().encode())
        _score_rows(classifier, options, rows, output, show)
        if _identify(classifier, options) != identity:
            output.discard()
            raise DataError(f"{options.input} changed while it was read: start again")
    return output.progress


def _score_rows(
    classifier: Classifier,
    options: ScoringOptions,
    rows: InputRows,
    output: PartialOutput,
    show: Callable[[Progress], None],
) -> None:
    progress = output.progress
    multi_label = classifier.bundle.vocabulary.multi_label
    earlier, start = progress.seconds, time.monotonic()
    committed = start
    for batch in rows.read_batches(progress.records):
        predictions = classifier.predict(item.text for item in batch.items)
        for item, prediction in zip(batch.items, predictions):
            hidden = options.hide_abstained and prediction.abstained
            values = _added_values(prediction, hidden, multi_label)
            output.write(rows.format.end_row(item.start, values))
            progress.count(prediction.labels, prediction.abstained, hidden)
        now = time.monotonic()
        progress.seconds = earlier + now - start
        if batch.bad and not options.skip_bad_rows:
            output.commit()
        rows.report_bad(batch.bad, progress.skipped)
        progress.records += len(batch.bad)
        progress.skipped += len(batch.bad)
        if now - committed >= COMMIT_SECONDS:
            output.commit()
            committed = now
        show(progress)
    rows.report_total(progress.skipped)
    if progress.skipped and progress.skipped == progress.records:
        output.discard()
        raise DataError(
            f"{rows.records.name}: none of its {progress.records:,} rows can be classified: fix "
            "the first ones, or name the columns with --text-column"
        )


def _added_values(prediction: Prediction, hidden: bool, multi_label: bool) -> list[Value]:
    """Return the values of the added columns, in the order of their names."""
    if multi_label:
        labels = None if hidden else list(prediction.labels)
        return [labels, round(prediction.confidence, DIGITS), prediction.abstained]
    label = None if hidden else prediction.label
    return [label, round(prediction.probability, DIGITS), prediction.abstained]


def _identify(classifier: Classifier, options: ScoringOptions) -> dict[str, str]:
    """Return what an output depends on: the names are those of a message about what changed."""
    manifest = json.dumps(classifier.bundle.manifest, sort_keys=True).encode()
    given = (
        options.text_columns,
        options.encoding,
        options.header,
        options.prefix,
        options.hide_abstained,
        classifier.abstain_below,
        __version__,
    )
    return {
        "the input": _identify_file(options.input),
        "the bundle": hashlib.sha256(manifest).hexdigest(),
        "the options": repr(given),
    }


def _identify_file(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        return f"{path} {error.strerror}"
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
