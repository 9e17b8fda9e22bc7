"""Checks and describes corpora."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from glovelite.data.labels import (
    MAX_SHOWN_LABELS,
    are_implausible,
    ask_for_label_column,
    describe_suspicious_labels,
    implausible_labels_error,
    shorten_label,
    shorten_list,
    show_labels,
    suggest_separator,
)
from glovelite.runtime.aliases import Longs
from glovelite.runtime.errors import DataError

from .corpus import Corpus, count_targets


def check_corpus(corpus: Corpus, min_texts: int = 3) -> Corpus:
    """Return the corpus if a classifier can be trained on it.

    Args:
        corpus: the corpus.
        min_texts: how many distinct texts each class needs.

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
    mean, without = per_text.mean(), int((per_text == 0).sum())
    described = (
        f"multi-label: {len(corpus.classes):,} labels, {mean:.2f} a text, {without:,} texts "
        "without any"
    )
    if (per_text == 1).all():
        return (
            f"{described}; every text has exactly one: for single-label training name their column "
            "with --label-column, strings in it and no --label-separator"
        )
    return described


def describe_corpus(corpus: Corpus) -> Iterator[str]:
    """Describe how much text of which classes there is, and what is unusual about it."""
    rows = corpus.rows_by_source()
    if len(rows) > 1:
        yield from (f"{name}: {len(each):,} texts" for name, each in rows.items())
    lacking = {name: lacking_labels(corpus, each) for name, each in rows.items()}
    if any(lacking.values()):
        shown = "; ".join(f"{name} lacks {_list(each)}" for name, each in lacking.items() if each)
        yield f"warning: the labels of the sources differ: {shown}"
    counts = corpus.count_texts().tolist()
    yield from describe_suspicious_labels(dict(zip(corpus.classes, counts)))
    if question := suggest_separator(corpus.classes, corpus.origins[0].text_source):
        yield f"warning: {question}"
    number = f"{len(corpus.classes):,} " if len(corpus.classes) > MAX_SHOWN_LABELS else ""
    yield (
        f"{corpus.name}: {len(corpus):,} texts, {number}labels {_list(corpus.classes)}; "
        f"{corpus.duplicates:,} duplicate texts stay in the same part of the split"
    )
    if corpus.multi_label:
        yield f"{corpus.name}: {describe_label_sets(corpus)}"
    if contradictions := describe_contradictions(corpus):
        yield f"{corpus.name}: {contradictions}"


def _list(labels: Sequence[str]) -> str:
    return shorten_list([shorten_label(label) for label in labels])
