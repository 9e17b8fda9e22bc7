"""Reads the rows of a file, classifies their text and writes them with the predictions added."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..classifier import Classifier, Prediction
from ..version import __version__
from .partial_output import PartialOutput, Progress, open_partial
from .row_format import RowFormat, Value
from .rows import Batch, FileOptions, InputRows, open_rows

logger = logging.getLogger(__name__)

SINGLE_LABEL_NAMES = ("predicted_label", "probability", "abstained")
MULTI_LABEL_NAMES = ("predicted_labels", "confidence", "abstained")
DIGITS = 6  # of a probability
COMMIT_SECONDS = 1.0  # how much work a killed run loses


@dataclass(frozen=True)
class ScoringOptions(FileOptions):
    """What to score and how.

    Attributes:
        hide_abstained: whether the label is left empty where the classifier abstains.
    """

    hide_abstained: bool = False

    def added_names(self, multi_label: bool) -> tuple[str, ...]:
        """Return the names of the added columns."""
        names = MULTI_LABEL_NAMES if multi_label else SINGLE_LABEL_NAMES
        return tuple(f"{self.prefix}{name}" for name in names)


def score_file(
    classifier: Classifier, options: ScoringOptions, show: Callable[[Progress], None]
) -> Progress:
    """Classify the rows of a file in bounded memory, continuing an interrupted run.

    Args:
        classifier: the loaded bundle.
        options: what to score and how.
        show: receives the progress after every batch.

    Returns:
        What was done, in this run and in its interrupted parts.

    Raises:
        DataError: the input cannot be read, or a row of it; the message names the line.
        OutputError: the output exists or cannot be written.
    """
    vocabulary, target = classifier.bundle.vocabulary, options.output
    rows = open_rows(options, options.added_names(vocabulary.multi_label), vocabulary)
    identity = _identify(classifier, options)
    with open_partial(target, options.input, options.overwrite, identity) as output:
        if output.progress.records:
            logger.info(
                f"continuing an interrupted run: rows done so far: {output.progress.records:,}"
            )
        else:
            output.write(rows.format.first_line().encode())
        _score_rows(classifier, options, rows, output, show)
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
        _write_predictions(predictions, batch, output, options, rows.format, multi_label)
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


def _write_predictions(
    predictions: list[Prediction],
    batch: Batch,
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


def _identify(classifier: Classifier, options: ScoringOptions) -> dict[str, str]:
    """Return what an output depends on: the names are those of a message about what changed."""
    status = options.input.stat()
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
