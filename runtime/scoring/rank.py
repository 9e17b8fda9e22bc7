"""Ranks the rows of a file by how much it would help to label them, the most useful first.

The first pass classifies all rows. Of each it keeps what the ranking needs in memory, at most about
a kilobyte however long the text is, and the row itself in an unnamed file beside the output. The
second pass writes the rows in their order. A ranking depends on all rows, so an interrupted one
starts again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, NamedTuple

from ..classifier import Classifier, Prediction
from .partial_output import PartialOutput, Progress, open_partial
from .row_format import RowFormat
from .rows import FileOptions, InputRows, Item, open_rows
from .score import DIGITS
from .selection import TextPool, measure_entropy, measure_usefulness

_DIGEST_BYTES = 16


@dataclass(frozen=True)
class RankingOptions(FileOptions):
    """What to rank.

    Attributes:
        count: how many rows to write; None writes all.
    """

    count: int | None = None

    def added_names(self, multi_label: bool) -> tuple[str, ...]:
        """Return the names of the added columns."""
        label = "predicted_labels" if multi_label else "predicted_label"
        return tuple(f"{self.prefix}{name}" for name in ("rank", label, "entropy"))


@dataclass
class Ranking:
    """What was ranked.

    Attributes:
        texts: rows that were read.
        skipped: rows that could not be read.
        copies: rows left out because an earlier one has the same text.
        rows: rows written.
        labels: rows written of each predicted label.
        without_labels: rows written for which a multi-label bundle predicts no label.
        seconds: time taken.
    """

    texts: int = 0
    skipped: int = 0
    copies: int = 0
    rows: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    without_labels: int = 0
    seconds: float = 0.0


class _Row(NamedTuple):
    """A classified row: its fields as they are written, and the values of the added ones."""

    start: str
    labels: str | list[str]
    entropy: float


class _RowStore:
    """Rows in a file, read in any order."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._starts = file, array("Q", [0])

    def add(self, row: _Row) -> None:
        content = json.dumps(row).encode()  # escapes lone surrogates
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))

    def read(self, index: int) -> _Row:
        start, end = self._starts[index : index + 2]
        self._file.seek(start)
        return _Row(*json.loads(self._file.read(end - start)))


def rank_file(
    classifier: Classifier, options: RankingOptions, show: Callable[[Progress], None]
) -> Ranking:
    """Write the rows of a file in the order in which to label them; of equal texts only the first.

    Args:
        classifier: the loaded bundle.
        options: what to rank.
        show: receives the progress after every batch that is classified.

    Returns:
        What was ranked.

    Raises:
        DataError: the input cannot be read, or a row of it; the message names the line.
        OutputError: the output exists or cannot be written.
    """
    vocabulary = classifier.bundle.vocabulary
    rows = open_rows(options, options.added_names(vocabulary.multi_label), vocabulary)
    ranking, start = Ranking(), time.monotonic()
    with open_partial(options.output, options.input, options.overwrite, None) as output:
        _rank_rows(classifier, options, rows, ranking, output, show)
    ranking.seconds = time.monotonic() - start
    return ranking


def _rank_rows(
    classifier: Classifier,
    options: RankingOptions,
    rows: InputRows,
    ranking: Ranking,
    output: PartialOutput,
    show: Callable[[Progress], None],
) -> None:
    with tempfile.TemporaryFile(dir=options.output.parent) as file:
        pool, store = TextPool(), _RowStore(file)
        _classify_rows(classifier, rows, ranking, pool, store, show)
        output.write(rows.format.first_line().encode())
        for index in islice(pool.order(), options.count):
            _write_row(store.read(index), rows.format, output, ranking)


def _classify_rows(
    classifier: Classifier,
    rows: InputRows,
    ranking: Ranking,
    pool: TextPool,
    store: _RowStore,
    show: Callable[[Progress], None],
) -> None:
    seen: set[bytes] = set()
    start = time.monotonic()
    for batch in rows.read_batches():
        rows.report_bad(batch.bad, ranking.skipped)
        ranking.skipped += len(batch.bad)
        ranking.texts += len(batch.items)
        new = []
        for item in batch.items:
            content = item.text.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
            if digest not in seen:
                seen.add(digest)
                new.append(item)
        ranking.copies += len(batch.items) - len(new)
        predictions = classifier.predict(item.text for item in new)
        for item, prediction in zip(new, predictions):
            _keep(item, prediction, classifier, pool, store)
        read = ranking.texts + ranking.skipped
        show(Progress(records=read, seconds=time.monotonic() - start))
    rows.report_total(ranking.skipped)


def _keep(
    item: Item, prediction: Prediction, classifier: Classifier, pool: TextPool, store: _RowStore
) -> None:
    vocabulary = classifier.bundle.vocabulary
    probabilities = list(prediction.probabilities.values())
    entropy = measure_entropy(probabilities, vocabulary.multi_label)
    encoded, has_levels = vocabulary.encode(item.text), vocabulary.familiarity is not None
    usefulness = measure_usefulness(entropy, encoded, has_levels)
    pool.add(vocabulary.tokenize(item.text), usefulness)
    labels = list(prediction.labels) if vocabulary.multi_label else prediction.label
    store.add(_Row(item.start, labels, round(entropy, DIGITS)))


def _write_row(row: _Row, format_: RowFormat, output: PartialOutput, ranking: Ranking) -> None:
    ranking.rows += 1
    output.write(format_.end_row(row.start, [ranking.rows, row.labels, row.entropy]))
    labels = [row.labels] if isinstance(row.labels, str) else row.labels
    for label in labels:
        ranking.labels[label] = ranking.labels.get(label, 0) + 1
    ranking.without_labels += not labels
