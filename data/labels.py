"""Labels: their order, what is suspicious about them, and whether a column holds labels at all."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.binary_files import STANDARD_INPUT
from glovelite.runtime.files.records import Record, open_records
from glovelite.runtime.text.label_characters import JOINERS

from .labelled_text import TextSource

MAX_SHOWN_LABELS = 10
MAX_SHOWN_CHARACTERS = 40  # of a label in a message
MANY_LABELS = 1_000  # from here on it is asked whether they are labels, if most of them are rare
MAX_LABELS = 10_000  # even if all are frequent: training would take more than 10 GB of memory
RARE_TEXTS = 2
_SEPARATORS = ("|", ";", ",")  # of several labels in one field
#: What spreadsheets, pandas and databases write where there is no value.
_MISSING = frozenset(
    ("na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "nil", "none", "undefined", "-", "--", "?")
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Sort labels: numbers by value, then the others by their characters."""
    return tuple(sorted(labels, key=_sort_key))


def show_labels(labels: Sequence[str]) -> str:
    """Return quoted labels, without those beyond `MAX_SHOWN_LABELS`."""
    return shorten_list([repr(shorten_label(label)) for label in labels])


def shorten_list(items: Sequence[str]) -> str:
    """Return items separated by commas, without those beyond `MAX_SHOWN_LABELS`."""
    hidden = len(items) - MAX_SHOWN_LABELS
    more = f" and {hidden:,} more" if hidden > 0 else ""
    return f"{', '.join(items[:MAX_SHOWN_LABELS])}{more}"


def shorten_label(label: str) -> str:
    """Return a label, without the end of a long one."""
    if len(label) <= MAX_SHOWN_CHARACTERS:
        return label
    return f"{label[: MAX_SHOWN_CHARACTERS - 1]}…"


def describe_suspicious_labels(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield warnings of labels that may be missing values, or spellings of each other."""

    def show(labels: Iterable[str]) -> str:
        return shorten_list(
            [f"{shorten_label(label)!r} ({counts[label]:,} texts)" for label in labels]
        )

    if missing := [label for label in counts if label.casefold() in _MISSING]:
        yield f"warning: labels that may stand for missing values: {show(missing)}"
    spellings = defaultdict(list)
    for label in counts:
        spellings[_fold(label)].append(label)
    if variants := [label for group in spellings.values() if len(group) > 1 for label in group]:
        yield f"warning: labels that differ only in case, space or joiners: {show(variants)}"


def are_implausible(counts: Collection[int]) -> bool:
    """Return whether the values are too many for labels, or many and most of them rare."""
    rare = sum(count <= RARE_TEXTS for count in counts)
    return len(counts) > MAX_LABELS or (len(counts) > MANY_LABELS and 2 * rare > len(counts))


def implausible_labels_error(
    name: str, labels: Sequence[str], source: TextSource | None
) -> DataError:
    """Return the error that asks whether this is the label column."""
    found = f"{len(labels):,} different labels, most of them of one or two texts"
    if len(labels) > MAX_LABELS:
        found = f"more than {MAX_LABELS:,} different labels"
    question = suggest_separator(labels, source) or ask_for_label_column(source)
    return DataError(
        f"{name}: {found} ({show_labels(labels[:3])}, …): {question}, or drop rare labels with "
        "--min-texts"
    )


def ask_for_label_column(source: TextSource | None) -> str:
    """Ask whether the labels are those, naming the column that was read and the other ones."""
    if source is None:
        return "are these the labels? Give others"
    if source.label_columns:
        return "are these the labels? Name their columns with --label-columns"
    column, others = _find_label_column(source)
    if column is None:
        return "are these the labels? Name their column with --label-column"
    return (
        f"is {column!r} the label column? Name another one with --label-column "
        f"(there are {show_labels(others)})"
    )


def suggest_separator(labels: Sequence[str], source: TextSource | None) -> str | None:
    """Suggest to separate labels if most of them look like several, such as `comedy|drama`."""
    for separator in _SEPARATORS:
        joined = [label for label in labels if separator in label]
        parts = {part.strip() for label in labels for part in label.split(separator)}
        if source is not None and 2 * len(joined) > len(labels) > len(parts):
            return (
                f"does {shorten_label(joined[0])!r} hold several labels? Separate them with "
                f'--label-separator "{separator}"'
            )
    return None


def _find_label_column(source: TextSource) -> tuple[str | None, Sequence[str]]:
    """Return the name of the label column and of all others; None if there are no names."""
    if source.path == STANDARD_INPUT:  # it has been read
        return source.label_column, ()
    try:
        file = open_records(source.path, source.columns, source.format)
        label = file.columns.label
        if label is None:
            return None, ()
        if file.header is not None and isinstance(label, int):
            names: Sequence[str] = file.header
            return names[label], [*names[:label], *names[label + 1 :]]
        first = next(iter(file), None)
    except (DataError, OSError):
        return None, ()
    if isinstance(first, Record) and isinstance(first.fields, dict):
        return str(label), [name for name in first.fields if name != label]
    return None, ()


def _sort_key(label: str) -> tuple[bool, float, str]:
    is_number = _NUMBER.fullmatch(label) is not None
    return (not is_number, float(label) if is_number else 0.0, label)


def _fold(label: str) -> str:
    visible = label.translate(dict.fromkeys(map(ord, JOINERS)))
    return " ".join(unicodedata.normalize("NFKC", visible).casefold().split())
