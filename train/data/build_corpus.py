"""Builds a corpus from rows, checks it, and describes what is unusual about it."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from glovelite.data.corpus_folder import Hashes, hash_text
from glovelite.data.labels import (
    MAX_LABELS,
    MAX_SHOWN_LABELS,
    are_implausible,
    ask_for_label_column,
    describe_suspicious_labels,
    implausible_labels_error,
    shorten_label,
    shorten_list,
    show_labels,
    sort_labels,
    suggest_separator,
)
from glovelite.data.rows import Row, Time
from glovelite.runtime.aliases import Longs
from glovelite.runtime.errors import DataError

from .corpus import Corpus, Origin, TextStore, Times, check_size, count_targets

logger = logging.getLogger(__name__)
_PROGRESS_ROWS = 250_000


def check_corpus(corpus: Corpus, min_texts: int = 3) -> Corpus:
    """Return the corpus if it has enough distinct texts of each class to train a classifier.

    Raises:
        DataError: fewer than two classes, classes with too few distinct texts, labels of every text
            in a multi-label corpus, or so many of them that they can hardly be labels; the message
            names all.
    """
    counts, source = corpus.count_distinct_texts(), corpus.origins[0].text_source
    if are_implausible(counts.tolist()):
        raise implausible_labels_error(corpus.name, corpus.classes, source)
    problems = []
    if len(corpus.classes) < 2:
        problems.append(f"expected two labels or more, found {list(corpus.classes)}")
    if rare := np.flatnonzero(counts < min_texts).tolist():
        problems.append(_describe_rare(corpus, rare, counts, min_texts))
        if question := suggest_separator(corpus.classes, source):
            problems.append(question)
        elif 2 * len(rare) > len(counts) > MAX_SHOWN_LABELS:
            problems.append(ask_for_label_column(source))
    if corpus.multi_label and (everywhere := np.flatnonzero(corpus.targets.all(axis=0)).tolist()):
        problems.append(
            "expected at least one text without each label, found "
            f"{show_labels([corpus.classes[n] for n in everywhere])} in every text: add texts "
            "without, or remove the label"
        )
    if problems:
        raise DataError(f"{corpus.name}: {'; '.join(problems)}")
    return corpus


def _describe_rare(corpus: Corpus, rare: Sequence[int], counts: Longs, min_texts: int) -> str:
    def show(target: int) -> str:
        rows = corpus.rows_of(target)
        where = f", {corpus.where(int(rows[0]))}" if len(rows) else ""
        return f"{shorten_label(corpus.classes[target])!r} ({counts[target]}{where})"

    shown = [show(target) for target in rare[:MAX_SHOWN_LABELS]]
    return (
        f"expected at least {min_texts} distinct texts of each label, found fewer of "
        f"{shorten_list([*shown, *map(str, rare[MAX_SHOWN_LABELS:])])}: add some, or drop these "
        f"labels with --min-texts {min_texts}"
    )


def lacking_labels(corpus: Corpus, rows: Longs) -> tuple[str, ...]:
    """Return the classes of a corpus that none of these rows has."""
    counts = count_targets(corpus.targets[rows], len(corpus.classes))
    return tuple(label for label, count in zip(corpus.classes, counts) if not count)


def describe_contradictions(corpus: Corpus) -> str | None:
    """Return how many texts have copies with other labels, and where the first is; else None."""
    order = np.argsort(corpus.hashes, kind="stable")
    hashes = corpus.hashes[order]
    copies = 1 + np.flatnonzero(hashes[1:] == hashes[:-1])
    differs = corpus.targets[order[copies]] != corpus.targets[order[copies - 1]]
    contradicting = copies[differs.any(axis=1) if corpus.multi_label else differs]
    if not len(contradicting):
        return None
    row = int(order[contradicting].min())
    what = "copies with other labels" if corpus.multi_label else "two labels"
    return (
        f"{len(np.unique(hashes[contradicting])):,} texts have {what}, the first at "
        f"{corpus.where(row)}; all are kept"
    )


def describe_label_sets(corpus: Corpus) -> str:
    """Describe how many labels the texts of a multi-label corpus have."""
    per_text = np.count_nonzero(corpus.targets, axis=1)
    hint = ""
    if (per_text == 1).all():
        hint = (
            "; every text has exactly one: for single-label training name their column with "
            "--label-column, strings in it and no --label-separator"
        )
    return (
        f"multi-label: {len(corpus.classes):,} labels, {per_text.mean():.2f} a text, "
        f"{(per_text == 0).sum():,} texts without any{hint}"
    )


def describe_corpus(corpus: Corpus) -> Iterator[str]:
    """Describe how much text of which classes there is, and what is unusual about it."""
    rows = corpus.rows_by_source()
    if len(rows) > 1:
        yield from (f"{name}: {len(found):,} texts" for name, found in rows.items())
    lacking = {name: lacking_labels(corpus, found) for name, found in rows.items()}
    if any(lacking.values()):
        shown = "; ".join(
            f"{name} lacks {_list(labels)}" for name, labels in lacking.items() if labels
        )
        yield f"warning: the labels of the sources differ: {shown}"
    counts = corpus.count_texts().tolist()
    yield from describe_suspicious_labels(dict(zip(corpus.classes, counts)))
    if question := suggest_separator(corpus.classes, corpus.origins[0].text_source):
        yield f"warning: {question}"
    number = f"{len(corpus.classes):,} " if len(corpus.classes) > MAX_SHOWN_LABELS else ""
    line = f"{corpus.name}: {len(corpus):,} texts, {number}labels {_list(corpus.classes)}"
    if copies := corpus.duplicates:
        stay = "text stays" if copies == 1 else "texts stay"
        line += f"; {copies:,} duplicate {stay} in the same part of the split"
    yield line
    if corpus.multi_label:
        yield f"{corpus.name}: {describe_label_sets(corpus)}"
    if contradictions := describe_contradictions(corpus):
        yield f"{corpus.name}: {contradictions}"


def _list(labels: Sequence[str]) -> str:
    return shorten_list([shorten_label(label) for label in labels])


def build_corpus(
    origin: Origin,
    rows: Iterable[Row],
    drops_labels: bool = False,
    labels: Sequence[str] = (),
    multi_label: bool = False,
) -> Corpus:
    """Store rows as a corpus, without holding their text in memory.

    It is multi-label if a row is, or if `multi_label`. Then rows without a label are kept. There
    may be any number of labels if `drops_labels`: rare ones are dropped later. The classes include
    `labels`.
    """
    store, hashes, lines = TextStore(), array("Q"), array("q")
    groups, times, dated = array("Q"), array("d"), False
    # The classes of all texts, numbered in order of appearance, and how many each text has.
    targets, label_counts = array("q"), array("i")
    numbers = {label: number for number, label in enumerate(labels)}
    for row in rows:
        content = store.add(row.text)
        multi_label = multi_label or row.multi_label
        for label in row.labels:
            targets.append(numbers.setdefault(label, len(numbers)))
        label_counts.append(len(row.labels))
        if not drops_labels and len(numbers) > MAX_LABELS:
            raise implausible_labels_error(origin.name, tuple(numbers), origin.text_source)
        hashes.append(hash_text(content))
        lines.append(row.line)
        if row.group is not None:
            groups.append(hash_text(row.group.encode("utf-8", "surrogatepass")))
        if row.time is not None:
            dated = isinstance(row.time, datetime)
            times.append(_to_number(row.time))
        if len(lines) % _PROGRESS_ROWS == 0:
            logger.info(f"{origin.name}: {len(lines):,} rows read")
    classes = sort_labels(numbers)
    number_of = {label: number for number, label in enumerate(classes)}
    sorted_index = np.array([number_of[label] for label in numbers], np.int64)
    counts = np.array(label_counts, np.int64)
    labelled = np.flatnonzero(counts)
    of_labels = sorted_index[np.array(targets, np.int64)]  # [labels of all texts]
    corpus = Corpus(
        store.finish(),
        np.zeros(len(counts), np.int64),
        classes,
        np.array(hashes, np.uint64),
        (origin,),
        np.zeros(len(counts), np.int32),
        np.array(lines, np.int64),
        np.array(groups, np.uint64) if groups else None,
        _to_times(times, dated) if times else None,
    )
    if multi_label:
        check_size(origin.name, len(counts), len(classes))
        matrix = np.zeros((len(counts), len(classes)), np.bool_)
        matrix[np.repeat(np.arange(len(counts)), counts), of_labels] = True
        return replace(corpus, targets=matrix)
    if len(labelled) < len(counts):  # bad rows of a file that might have been multi-label
        corpus = corpus.select(labelled)
    return replace(corpus, targets=of_labels)


def join_corpora(corpora: Sequence[Corpus]) -> Corpus:
    """Join one corpus or more into one, in this order; classes are matched by name.

    The corpus is multi-label if one of them is.

    Groups and times are kept if all of them have some.
    """
    if len(corpora) == 1:
        return corpora[0]
    store = TextStore()
    for corpus in corpora:
        for text in corpus.texts:
            store.add(text)
    classes = corpora[0].classes  # an initial run's are in its order
    if any(corpus.classes != classes for corpus in corpora):
        classes = sort_labels({label for corpus in corpora for label in corpus.classes})
    if any(corpus.multi_label for corpus in corpora):
        check_size(corpora[0].name, sum(map(len, corpora)), len(classes))
        corpora = [corpus.as_multi_label() for corpus in corpora]
    starts = np.cumsum([0, *(len(corpus.origins) for corpus in corpora)], dtype=np.int32)
    return Corpus(
        store.finish(),
        np.concatenate([corpus.with_classes(classes).targets for corpus in corpora]),
        classes,
        np.concatenate([corpus.hashes for corpus in corpora]),
        tuple(origin for corpus in corpora for origin in corpus.origins),
        np.concatenate([c.origin_numbers + start for c, start in zip(corpora, starts)]),
        np.concatenate([corpus.lines for corpus in corpora]),
        _join_groups(corpora),
        _join_times(corpora),
    )


def _to_number(time: Time) -> float:
    return time.replace(tzinfo=timezone.utc).timestamp() if isinstance(time, datetime) else time


def _to_times(numbers: array[float], dated: bool) -> Times:
    times = np.array(numbers, np.float64)
    return np.rint(times * 1e6).astype("datetime64[us]") if dated else times


def _join_groups(corpora: Sequence[Corpus]) -> Hashes | None:
    groups = [corpus.groups for corpus in corpora if corpus.groups is not None]
    return np.concatenate(groups) if len(groups) == len(corpora) else None


def _join_times(corpora: Sequence[Corpus]) -> Times | None:
    times = [corpus.times for corpus in corpora if corpus.times is not None]
    if len(times) < len(corpora):
        return None
    kinds = ["dates" if part.dtype.kind == "M" else "numbers" for part in times]
    for corpus, kind in zip(corpora, kinds):
        if kind != kinds[0]:
            raise DataError(
                f"{corpus.name}: expected {kinds[0]} as the times, like in {corpora[0].name}, "
                f"found {kind}: give times of one kind"
            )
    return np.concatenate(times)
