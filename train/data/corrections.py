"""Corrected labels, from a list of probable label errors whose column `correct` is filled in."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from glovelite.data.labelled_text import Place
from glovelite.data.labels import shorten_list, sort_labels
from glovelite.data.rows import Row, split_labels
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.column_names import fold_name
from glovelite.runtime.files.columns import LABEL_SEPARATOR, MAX_SHOWN_BAD_ROWS, ColumnNames
from glovelite.runtime.files.records import BadRow, Record, Records, open_records

from .corpus import Origin

REQUIRED = ("source", "line", "text", "correct")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Correction:
    """A label to replace.

    Attributes:
        where: of the correction, for messages.
        text: the text as it was listed.
        label: its label as it was listed; None if that is not known.
        correct: what was filled in.
    """

    where: str
    text: str
    label: str | None
    correct: str

    def apply(self, row: Row, where: str) -> Row:
        """Return a row with its labels corrected.

        Raises:
            DataError: its text is another one, or its label is neither that of the list nor right.
        """
        if row.text.split() != self.text.split():  # a spreadsheet may change line breaks
            raise DataError(
                f"{self.where}: expected the text {self.text!r:.40} at {where}, found "
                f"{row.text!r:.40}: correct the file that was listed, or list its errors again"
            )
        given = split_labels(self.correct, LABEL_SEPARATOR) if row.multi_label else [self.correct]
        labels = tuple(dict.fromkeys(str(label).strip() for label in given if str(label).strip()))
        listed = LABEL_SEPARATOR.join(row.labels)
        if self.label not in (None, listed) and {*labels} != {*row.labels}:
            raise DataError(
                f"{self.where}: expected the label {self.label!r:.40} at {where}, found "
                f"{listed!r:.40}: the file changed since its errors were listed, list them again"
            )
        return row._replace(labels=labels)


@dataclass(frozen=True)
class CorrectionSummary:
    """What `metrics.json` records about corrections.

    Attributes:
        file: its name, without the path.
        texts: number of corrected texts.
    """

    file: str
    texts: int


class Corrections:
    """The corrections of a file, applied to the rows of all sources."""

    def __init__(self, name: str, corrections: Mapping[Place, Correction]) -> None:
        """Take the corrections by the places of their texts."""
        self._name, self._corrections = name, corrections
        self._by_place = dict(corrections)
        for (source, line), correction in corrections.items():  # a list may have other folders
            self._by_place.setdefault((Path(source).name, line), correction)
        self._applied: set[str] = set()
        self._labels: set[str] = set()
        self._corrected_labels: set[str] = set()

    def apply(self, rows: Iterable[Row], origin: Origin) -> Iterator[Row]:
        """Yield the rows of an origin, corrected.

        Raises:
            DataError: a correction does not fit its row.
        """
        for row in rows:
            found = (self._by_place.get(place) for place in origin.places(row.line))
            correction = next(filter(None, found), None)
            if correction is None:
                self._labels.update(row.labels)
                yield row
                continue
            corrected = correction.apply(row, origin.where(row.line))
            self._applied.add(correction.where)
            self._corrected_labels.update(corrected.labels)
            yield corrected

    def finish(self) -> CorrectionSummary:
        """Log what was corrected, after all rows.

        Raises:
            DataError: corrections are of texts that were not read.
        """
        all_ = self._corrections.values()
        missing = [correction.where for correction in all_ if correction.where not in self._applied]
        if missing:
            raise DataError(
                f"{self._name}: {len(missing):,} of {len(all_):,} corrections are of texts that no "
                f"source holds ({'; '.join(missing[:MAX_SHOWN_BAD_ROWS])}): give the sources that "
                "were listed, as they were then, or remove these rows"
            )
        logger.info(f"{self._name}: labels of {len(self._applied):,} texts corrected")
        if new := sort_labels(self._corrected_labels - self._labels):
            logger.warning(f"{self._name}: no other text has the label {shorten_list(new)}")
        return CorrectionSummary(Path(self._name).name, len(self._applied))


def read_corrections(path: PathLike) -> Corrections:
    """Read a list of label errors with corrections: the rows whose column `correct` is filled in.

    Raises:
        DataError: it cannot be read, lacks a column, holds no correction, or two of one text.
    """
    file = open_records(str(path), ColumnNames(("correct",), header=True), labelled=False)
    found: dict[Place, Correction] = {}
    for record in file:
        where = f"{file.name}, line {record.line}"
        if isinstance(record, BadRow):
            raise DataError(f"{where}: {record.reason}")
        fields = _read_fields(record, file)
        if not fields["correct"]:
            continue
        place = fields["source"], _read_line(fields["line"], where)
        correction = Correction(where, fields["text"], fields.get("label"), fields["correct"])
        if found.setdefault(place, correction) is not correction:
            raise DataError(
                f"{where}: this text is corrected twice, before at {found[place].where}"
            )
    if not found:
        raise DataError(f"{file.name}: no row has a label in the column 'correct': fill it in")
    return Corrections(file.name, found)


def _read_fields(record: Record, file: Records) -> dict[str, str]:
    """Return the columns of a list of label errors that are needed, by their names."""
    fields = record.fields
    if isinstance(fields, list):
        fields = dict(zip(file.header or (), fields))
    values = {fold_name(name): value for name, value in fields.items()}
    if missing := [name for name in REQUIRED if name not in values]:
        raise DataError(
            f"{file.name}: expected the columns {', '.join(REQUIRED)}, found no {missing[0]}: give "
            "label_errors.csv of --find-label-errors, or errors.csv of glovelite-convert evaluate"
        )
    names = (*REQUIRED, *(["label"] if "label" in values else []))
    return {name: "" if (value := values[name]) is None else str(value).strip() for name in names}


def _read_line(written: str, where: str) -> int | None:
    """Return the number of a line; None for a text that is a file."""
    if not written:
        return None
    try:
        return int(float(written))  # a spreadsheet may write 7.0
    except (ValueError, OverflowError):
        raise DataError(f"{where}: expected the number of a line, found {written!r:.40}") from None
