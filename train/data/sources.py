"""Reads the labelled text that a user names: training text, and dev and test text if given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np

from runtime.aliases import Log
from runtime.errors import DataError
from runtime.io.labelled_text import (
    NAMED_CORPORA,
    STANDARD_INPUT,
    Row,
    TextSource,
    good_rows,
    open_rows,
)
from runtime.io.times import TimeParser

from .corpus import Corpus, Origin, build_corpus, join_corpora

#: Part -> the names that its folder may have in aclImdb's layout.
PART_FOLDERS = {
    "train": ("train",),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}
TextsAndLabels = tuple[Sequence[str], Sequence[object]]


@dataclass(frozen=True)
class InputTexts:
    """The corpora that a user gave.

    Attributes:
        train: the text to train on, or to split.
        dev: the dev text, if it was given separately, without what training or test text holds.
        test: the test text, if it was given separately, without what training text holds.
        seen_test: the test texts that training text holds, or None if there are none.
        without_dev: the sources that brought no dev text although others did: some of their
            training text is drawn for it.
        without_test: the same for test text.
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None
    seen_test: Corpus | None = None
    without_dev: frozenset[str] = frozenset()
    without_test: frozenset[str] = frozenset()


def read_inputs(
    sources: Sequence[TextSource],
    log: Log,
    dev: str | None = None,
    test: str | None = None,
    skip_bad_rows: bool = False,
) -> InputTexts:
    """Read training text, and dev and test text where they are given.

    A folder with a `train` folder in it (aclImdb's layout) brings its own dev and test folders.

    Args:
        sources: the training text; labels are matched by name.
        log: receives every step, and everything that is ignored.
        dev: a file or folder of dev text for all sources, read like the first of them.
        test: a file or folder of test text for all sources, read like the first of them.
        skip_bad_rows: skip bad rows with a warning.

    Raises:
        DataError: something cannot be read, a source is given twice, the times of two sources are
            of different kinds, or dev or test hold a label that training lacks.
        DownloadError: a named corpus cannot be fetched.
    """
    parts = _find_parts(sources, dev, test)
    opened = {  # all of them before the first is read, which may take long
        part: [(name, open_rows(source, log)) for name, source in named.items()]
        for part, named in parts.items()
    }

    def read(part: str) -> list[Corpus]:
        return [
            _build(Origin(rows.name, name, rows.files), good_rows(rows, log, skip_bad_rows), log)
            for name, rows in opened[part]
        ]

    train, dev_corpora, test_corpora = join_corpora(read("train")), read("dev"), read("test")
    inputs = separate(
        train,
        join_corpora(dev_corpora) if dev_corpora else None,
        join_corpora(test_corpora) if test_corpora else None,
        log,
    )
    names = frozenset(parts["train"])
    return replace(
        inputs,
        without_dev=frozenset() if dev else names - parts["dev"].keys(),
        without_test=frozenset() if test else names - parts["test"].keys(),
    )


def read_sequences(
    texts: Sequence[str],
    labels: Sequence[object],
    log: Log,
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
) -> InputTexts:
    """Take texts and labels from sequences, such as lists or the columns of a DataFrame.

    Args:
        texts: training texts.
        labels: their labels; converted to strings.
        log: receives everything that is dropped.
        dev: dev texts and labels, if given separately.
        test: test texts and labels, if given separately.
        groups: a group for each training text; converted to strings.
        times: a time for each training text: numbers, dates, or either as strings.

    Raises:
        DataError: an item is not usable; the message names its index.
    """

    def build(name: str, given: TextsAndLabels) -> Corpus:
        return _build(Origin(name, name), _check_sequences(name, *given), log)

    rows = _check_sequences("texts", texts, labels, groups, times)
    return separate(
        _build(Origin("texts", "texts"), rows, log),
        build("dev", dev) if dev else None,
        build("test", test) if test else None,
        log,
    )


def separate_copies(
    corpus: Corpus, name: str, other: Corpus, other_name: str
) -> tuple[Corpus, Corpus | None]:
    """Separate the texts of a held-out corpus that another corpus holds too.

    Returns:
        The other texts, and the copies, or None if there are none.

    Raises:
        DataError: the other corpus holds all of them.
    """
    copies = np.isin(corpus.hashes, other.hashes)
    if not copies.any():
        return corpus, None
    if copies.all():
        raise DataError(f"every {name} text is also in {other_name}: give separate texts")
    return corpus.select(np.flatnonzero(~copies)), corpus.select(np.flatnonzero(copies))


def separate(train: Corpus, dev: Corpus | None, test: Corpus | None, log: Log) -> InputTexts:
    """Number held-out classes like the training text's, and set copies of its texts apart.

    Args:
        train: training text.
        dev: dev text, or None; loses what training or test text holds.
        test: test text, or None; what training text holds is set apart.
        log: receives what is dropped or set apart.

    Raises:
        DataError: a held-out corpus has another label, or holds only copies.
    """
    seen_test = None
    if test is not None:
        test, seen_test = separate_copies(
            _with_training_classes(test, train), "test", train, "training"
        )
        if seen_test is not None:
            log(f"scored apart: {_describe_copies('test', seen_test, 'training')}")
    if dev is not None:
        dev = _with_training_classes(dev, train)
        for other, other_name in ((train, "training"), (test, "test")):
            if other is not None:
                dev, copies = separate_copies(dev, "dev", other, other_name)
                if copies is not None:
                    log(f"dropped: {_describe_copies('dev', copies, other_name)}")
    return InputTexts(train, dev, test, seen_test)


def _build(origin: Origin, rows: Iterable[Row], log: Log) -> Corpus:
    corpus = build_corpus(origin, rows, log)
    if not len(corpus):
        raise DataError(f"{origin.name} holds no texts")
    return corpus


def _describe_copies(name: str, copies: Corpus, other_name: str) -> str:
    return (
        f"{len(copies):,} {name} texts that are also in {other_name}, the first at "
        f"{copies.where(0)}"
    )


def _check_sequences(
    name: str,
    texts: Sequence[str],
    labels: Sequence[object],
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
) -> Iterable[Row]:
    for kind, values in (("labels", labels), ("groups", groups), ("times", times)):
        if values is not None and len(texts) != len(values):
            raise DataError(
                f"{name}: expected as many {kind} as texts, found {len(values):,} {kind} "
                f"for {len(texts):,} texts"
            )
    parse_time = TimeParser()
    columns = (repeat(None) if each is None else each for each in (groups, times))
    for index, (text, label, group, time) in enumerate(zip(texts, labels, *columns)):
        where = f"{name}, index {index}"
        if not isinstance(text, str):
            raise DataError(f"{where}: expected a string, found {type(text).__name__}")
        if not text.strip():
            raise DataError(f"{where}: the text is empty")
        shown = "" if label is None else str(label).strip()
        if not shown or not shown.isprintable():
            raise DataError(f"{where}: expected a printable label, found {label!r:.40}")
        row = Row(text.strip(), shown, index)
        if groups is not None:
            row = row._replace(group=_check_group(group, where))
        if times is not None:
            try:
                row = row._replace(time=parse_time(time))
            except ValueError as error:
                raise DataError(f"{where}: time: {error}") from None
        yield row


def _check_group(value: object, where: str) -> str:
    group = "" if value is None or value != value else str(value).strip()  # NaN is not itself
    if not group:
        raise DataError(f"{where}: expected a group, found {value!r:.40}")
    return group


def _find_parts(
    sources: Sequence[TextSource], dev: str | None, test: str | None
) -> dict[str, dict[str, TextSource]]:
    """Return what to read for `train`, `dev` and `test`, each by the source's name."""
    paths = [source.path for source in sources]
    held_out = {part: path for part, path in (("dev", dev), ("test", test)) if path}
    _check_paths(paths, held_out.values())
    names = _name_sources([*paths, *held_out.values()])
    parts: dict[str, dict[str, TextSource]] = {"train": {}, "dev": {}, "test": {}}
    for source in sources:
        for part, folder in _find_part_folders(source.path).items():
            parts[part][names[source.path]] = replace(source, path=folder)
    for part, path in held_out.items():
        parts[part] = {names[path]: replace(sources[0], path=path)}
    return parts


def _find_part_folders(path: str) -> dict[str, str]:
    """Return the parts of a folder in aclImdb's layout; other text is all for `train`."""
    if path in NAMED_CORPORA or not (Path(path) / "train").is_dir():
        return {"train": path}
    folders = {
        part: next((Path(path) / name for name in names if (Path(path) / name).is_dir()), None)
        for part, names in PART_FOLDERS.items()
    }
    return {part: str(folder) for part, folder in folders.items() if folder is not None}


def _check_paths(sources: Sequence[str], held_out: Iterable[str]) -> None:
    """Raise DataError if a source is given twice, or standard input for two parts."""
    if [*sources, *held_out].count(STANDARD_INPUT) > 1:
        raise DataError("standard input (-) can be read only once: give it once")
    resolved = [path if path in NAMED_CORPORA else str(Path(path).resolve()) for path in sources]
    for index, path in enumerate(resolved):
        if path in resolved[:index]:
            raise DataError(f"{sources[index]} is given twice: give every source once")


def _name_sources(paths: Iterable[str]) -> dict[str, str]:
    """Return path -> name without the path, which is private; equal names are numbered."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for path in dict.fromkeys(paths):
        name = path if path in NAMED_CORPORA else Path(path).name or Path(path).resolve().name
        name = "standard input" if path == STANDARD_INPUT else name
        counts[name] += 1
        names[path] = name if counts[name] == 1 else f"{name} ({counts[name]})"
    return names


def _with_training_classes(part: Corpus, train: Corpus) -> Corpus:
    """Number a held-out corpus's classes like the training text's."""
    for label in part.classes:
        if label not in train.classes:
            row = int(np.flatnonzero(part.targets == part.classes.index(label))[0])
            raise DataError(
                f"{part.where(row)}: label {label!r} does not occur in the training text"
            )
    return part.with_classes(train.classes)
