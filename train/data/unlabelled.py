"""Reads unlabelled text with a teacher's scores: soft labels for further training text.

The scores are those of any program, in the order of the texts:

- JSONL: `{"probabilities": {"a": 0.7, "b": 0.3}}`, `{"label": "a"}` or `{"labels": ["a"]}`, also
  inside `prediction`, as `glovelite-run --jsonl` writes them
- CSV, TSV: a column of probabilities for each label, named for it, or a column `label`

`weight`, a key or a column, is the weight of the text. The scores may be in the file of the texts.
For self-training there need not be any: all classes get the same probability until models of the
labelled text are trained.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from numbers import Real
from typing import Any, NamedTuple, Union

import numpy as np

from glovelite.data.labels import shorten_label
from glovelite.data.rows import Row, read_label
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.records import BadRow, Record, Records, open_records, read_text
from glovelite.runtime.logs import log_lines

from ..request import UnlabelledTexts
from .build_corpus import build_corpus, join_corpora
from .corpus import Corpus, Origin, SoftTargets, check_size, join_soft, make_soft, soften
from .inputs import describe_copies, separate_copies
from .splitting.split import Split

logger = logging.getLogger(__name__)
#: A text's scores: label -> probability, a label, or a list of labels.
Scores = Union[Mapping[str, float], str, Sequence[str]]
SUM_TOLERANCE = 0.02  # of a distribution: programs round probabilities
SOURCE = "unlabelled"  # the name of the source in reports


class ScoreReader:
    """Turns the scores of one text into probabilities of the classes."""

    def __init__(self, classes: Sequence[str], multi_label: bool) -> None:
        """Take the classes that training text has."""
        self._numbers = {label: number for number, label in enumerate(classes)}
        self._multi_label = multi_label

    def __call__(self, scores: object) -> list[float]:
        """Return the probability of each class, from one of `Scores`.

        Raises:
            ValueError: they cannot be used; the message says why.
        """
        row = [0.0] * len(self._numbers)
        if isinstance(scores, Mapping):
            for label, value in scores.items():
                row[self._number(label)] = _check_probability(label, value)
            return row if self._multi_label else _normalize(row)
        labels = [scores] if isinstance(scores, (str, Real)) else scores
        if not isinstance(labels, (list, tuple)) or not (self._multi_label or len(labels) == 1):
            raise ValueError(f"expected probabilities or a label, found {scores!r:.60}")
        for label in labels:
            row[self._number(label)] = 1.0
        return row

    def unscored(self) -> list[float]:
        """Return the probability of each class of a text without scores: all the same."""
        count = len(self._numbers)
        return [0.5 if self._multi_label else 1 / count] * count

    def _number(self, label: object) -> int:
        number = None
        with suppress(ValueError):
            number = self._numbers.get(read_label(label))
        if number is None:
            known = ", ".join(map(shorten_label, list(self._numbers)[:8]))
            raise ValueError(f"{label!r:.60} is not a label of the training text ({known})")
        return number


def read_unlabelled(source: UnlabelledTexts, gold: Corpus) -> Corpus:
    """Read unlabelled text with its scores of the classes of labelled text.

    Returns:
        A corpus with `soft` targets; the target of a text is its most probable class.
    """
    names = ColumnNames(text=source.text_column, header=source.header)
    texts = open_records(source.path, names, labelled=False, encoding=source.encoding)
    log_lines(logger, texts.describe_columns())
    rows = _read_texts(texts)
    if source.teacher is None:
        pairs: Iterator[tuple[str, int, Record]] = rows
        scores_name, header = texts.name, texts.header
    else:
        scores = open_records(source.teacher, ColumnNames(text=("1",)), labelled=False)
        records, header = _with_header(scores)
        pairs = _match(rows, records, texts.name, scores.name)
        scores_name = scores.name

    def scored() -> Iterator[_ScoredText]:
        for text, line, record in pairs:
            where = f"{scores_name}, line {record.line}"
            fields, table = record.fields, isinstance(record.fields, list)
            if isinstance(fields, list):
                fields = dict(zip(header or (), fields))
            try:
                weight = _read_weight(fields)
                scores = _find_scores(fields, table, gold.classes) if source.has_scores else None
            except ValueError as error:
                raise DataError(f"{where}: {error}") from None
            yield _ScoredText(text, line, where, scores, weight)

    return _build_unlabelled(scored(), texts.name, source, gold)


def take_unlabelled(
    texts: Sequence[str],
    teacher: Sequence[Scores] | None,
    source: UnlabelledTexts,
    gold: Corpus,
) -> Corpus:
    """Take unlabelled texts and a teacher's scores from memory, like `read_unlabelled`."""
    given = [] if teacher is None else list(teacher)
    if source.has_scores and len(texts) != len(given):
        raise DataError(
            f"unlabelled: expected scores of each of the {len(texts):,} texts, found {len(given):,}"
        )

    def scored() -> Iterator[_ScoredText]:
        for index, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"unlabelled, index {index}: expected a text, found {text!r:.40}")
            scores = given[index] if source.has_scores else None
            yield _ScoredText(text.strip(), index, f"teacher, index {index}", scores)

    return _build_unlabelled(scored(), SOURCE, source, gold)


class _ScoredText(NamedTuple):
    """A text with its place, the place of its scores, and the scores unless there are none."""

    text: str
    line: int
    where: str
    scores: object
    weight: float = 1.0


def _build_unlabelled(
    texts: Iterable[_ScoredText], name: str, source: UnlabelledTexts, gold: Corpus
) -> Corpus:
    """Return a corpus with the soft targets of a teacher; texts of weight 0 are dropped."""
    read = ScoreReader(gold.classes, gold.multi_label)
    probabilities, weights = array("f"), array("f")

    def rows() -> Iterator[Row]:
        for text, line, where, scores, weight in texts:
            try:
                values = read(scores) if source.has_scores else read.unscored()
            except ValueError as error:
                raise DataError(f"{where}: {error}") from None
            probabilities.extend(values)
            weights.append(weight * source.weight)
            labels = [gold.classes[int(np.argmax(values))]]
            if gold.multi_label:
                labels = [label for label, value in zip(gold.classes, values) if value >= 0.5]
            yield Row(text, tuple(labels), line, multi_label=gold.multi_label)

    corpus = build_corpus(
        Origin(name, SOURCE), rows(), labels=gold.classes, multi_label=gold.multi_label
    ).with_classes(gold.classes)
    table = np.array(probabilities, np.float32).reshape(-1, len(gold.classes))
    soft = SoftTargets(
        soften(table, source.temperature, gold.multi_label), np.array(weights, np.float32)
    )
    weighted = np.flatnonzero(soft.weights > 0)
    if not len(weighted):
        raise DataError(f"{name} holds no texts, or all have a weight of 0")
    return replace(corpus, soft=soft).select(weighted)


def add_unlabelled(split: Split, unlabelled: Corpus) -> tuple[Split, list[str]]:
    """Return a split that also trains on unlabelled text, and lines about what was added.

    Copies of held-out text are dropped, and those of training text: their given labels are better.
    """
    check_size(unlabelled.name, len(split.train) + len(unlabelled), len(unlabelled.classes))
    left, lines = unlabelled, list[str]()
    for name, part in split:
        if len(part):
            left, copies = separate_copies(left, "unlabelled", part.hashes, f"{name} text")
            if copies is not None:
                lines.append(f"dropped: {describe_copies('unlabelled', copies, f'{name} text')}")
    soft = left.soft
    assert soft is not None
    lines.append(
        f"{left.name}: {len(left):,} unlabelled texts, with a total weight of "
        f"{soft.weights.sum():,.0f} besides {len(split.train):,} labelled texts"
    )
    gold = split.train
    joined = join_corpora([replace(gold, groups=None, times=None), replace(left, soft=None)])
    targets = join_soft(gold.soft or make_soft(gold.targets, len(gold.classes)), soft)
    return replace(split, train=replace(joined, soft=targets)), lines


def _read_texts(records: Records) -> Iterator[tuple[str, int, Record]]:
    for record in records:
        text = record if isinstance(record, BadRow) else read_text(record, records.columns)
        if isinstance(text, BadRow):
            raise DataError(f"{records.name}, line {text.line}: {text.reason}")
        assert isinstance(record, Record)
        yield text, record.line, record


def _with_header(scores: Records) -> tuple[Iterator[Record | BadRow], tuple[str, ...] | None]:
    """Return the records of a table without its header: of numbers, it is not detected."""
    if scores.header is not None:
        return iter(scores), scores.header
    records = iter(scores)
    first = next(records, None)
    if isinstance(first, Record) and isinstance(first.fields, list):
        return records, tuple(field.strip() for field in first.fields)
    return (record for record in (first, *records) if record is not None), None


def _match(
    texts: Iterator[tuple[str, int, Record]],
    scores: Iterator[Record | BadRow],
    texts_name: str,
    scores_name: str,
) -> Iterator[tuple[str, int, Record]]:
    """Yield each text with its record of scores; raise DataError if there are more of either."""
    expected = found = 0
    for text, record in zip_longest(texts, scores):
        expected += text is not None
        found += record is not None
        if text is None or record is None:
            continue  # counts what is left
        if isinstance(record, BadRow):
            raise DataError(f"{scores_name}, line {record.line}: {record.reason}")
        yield text[0], text[1], record
    if expected != found:
        raise DataError(
            f"{scores_name}: expected a line of scores for each of the {expected:,} texts of "
            f"{texts_name}, found {found:,}"
        )


def _find_scores(fields: Mapping[str, Any], table: bool, classes: Sequence[str]) -> object:
    """Return the probabilities or the labels of a record, by column in a table."""
    if table:
        columns = {label: _to_number(label, fields[label]) for label in classes if label in fields}
        scores: object = columns or fields.get("label")
    else:
        inner = fields.get("prediction")
        found = inner if isinstance(inner, Mapping) else fields
        names = ("probabilities", "labels" if "label" not in found else "label")
        scores = next((found[name] for name in names if name in found), None)
    if scores is None:
        raise ValueError(
            f"expected probabilities of the labels {', '.join(map(shorten_label, classes[:8]))}, "
            f"found {', '.join(map(str, fields))[:60]}; --self-training needs no scores"
        )
    return scores


def _read_weight(fields: Mapping[str, Any]) -> float:
    value = fields.get("weight", 1.0)
    weight = _to_number("weight", value)
    if not 0 <= weight < float("inf"):
        raise ValueError(f"expected a weight of 0 or more, found {value!r:.40}")
    return weight


def _to_number(name: str, value: object) -> float:
    try:
        if isinstance(value, (str, Real)) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise ValueError(f"{name}: expected a number, found {value!r:.40}")


def _check_probability(label: object, value: object) -> float:
    probability = _to_number(f"{label!s:.40}", value)
    if not 0 <= probability <= 1:
        raise ValueError(f"{label!s:.40}: expected a probability from 0 to 1, found {value!r:.40}")
    return probability


def _normalize(row: list[float]) -> list[float]:
    total = sum(row)
    if abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(f"expected probabilities that sum to 1, found a sum of {total:.4g}")
    return [value / total for value in row]
