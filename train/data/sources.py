"""Reads the labelled text that a user names: training text, and dev and test text if given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runtime.aliases import Log
from runtime.errors import DataError
from runtime.io.labelled_text import Row, TextSource, good_rows, open_rows

from .corpus import Corpus, build_corpus

DEV_FOLDERS = ("dev", "val", "valid", "validation")
TextsAndLabels = tuple[Sequence[str], Sequence[object]]


@dataclass(frozen=True)
class InputTexts:
    """The corpora that a user gave.

    Attributes:
        train: the text to train on, or to split.
        dev: the dev text, if it was given separately, without what training or test text holds.
        test: the test text, if it was given separately, without what training text holds.
        seen_test: the test texts that training text holds, or None if there are none.
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None
    seen_test: Corpus | None = None


def read_inputs(
    source: TextSource,
    log: Log,
    dev: str | None = None,
    test: str | None = None,
    skip_bad_rows: bool = False,
) -> InputTexts:
    """Read training text, and dev and test text where they are given.

    A folder with a `train` folder in it (aclImdb's layout) brings its own dev and test folders.

    Args:
        source: the training text.
        log: receives every step, and everything that is ignored.
        dev: a file or folder of dev text, read like `source`.
        test: a file or folder of test text, read like `source`.
        skip_bad_rows: skip bad rows with a warning.

    Raises:
        DataError: something cannot be read, or dev or test hold a label that training lacks.
        DownloadError: the named corpus cannot be fetched.
    """
    path = Path(source.path)
    if path.is_dir() and (path / "train").is_dir():
        dev = dev or _find_folder(path, *DEV_FOLDERS)
        test = test or _find_folder(path, "test")
        source = replace(source, path=str(path / "train"))

    def read(given: str) -> Corpus:
        rows = open_rows(replace(source, path=given), log)
        return build_corpus(rows.name, good_rows(rows, log, skip_bad_rows), log, rows.files)

    train = read(source.path)
    dev_corpus = None if dev is None else read(dev)
    test_corpus = None if test is None else read(test)
    return _separate(train, dev_corpus, test_corpus, log)


def read_sequences(
    texts: Sequence[str],
    labels: Sequence[object],
    log: Log,
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
) -> InputTexts:
    """Take texts and labels from sequences, such as lists or the columns of a DataFrame.

    Args:
        texts: training texts.
        labels: their labels; converted to strings.
        log: receives everything that is dropped.
        dev: dev texts and labels, if given separately.
        test: test texts and labels, if given separately.

    Raises:
        DataError: an item is not usable; the message names its index.
    """

    def build(name: str, given: TextsAndLabels) -> Corpus:
        return build_corpus(name, _check_sequences(name, *given), log)

    return _separate(
        build("texts", (texts, labels)),
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


def _separate(train: Corpus, dev: Corpus | None, test: Corpus | None, log: Log) -> InputTexts:
    """Check held-out corpora against the training text, and set copies of its texts apart."""
    for name, part in (("dev", dev), ("test", test)):
        if part is not None and not len(part):
            raise DataError(f"{part.name} holds no texts ({name})")
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


def _describe_copies(name: str, copies: Corpus, other_name: str) -> str:
    return (
        f"{len(copies):,} {name} texts that are also in {other_name}, the first at "
        f"{copies.where(0)}"
    )


def _check_sequences(name: str, texts: Sequence[str], labels: Sequence[object]) -> Iterable[Row]:
    if len(texts) != len(labels):
        raise DataError(
            f"{name}: expected as many labels as texts, found {len(labels):,} labels "
            f"for {len(texts):,} texts"
        )
    for index, (text, label) in enumerate(zip(texts, labels)):
        where = f"{name}, index {index}"
        if not isinstance(text, str):
            raise DataError(f"{where}: expected a string, found {type(text).__name__}")
        if not text.strip():
            raise DataError(f"{where}: the text is empty")
        shown = "" if label is None else str(label).strip()
        if not shown or not shown.isprintable():
            raise DataError(f"{where}: expected a printable label, found {label!r:.40}")
        yield Row(text.strip(), shown, index)


def _find_folder(folder: Path, *names: str) -> str | None:
    return next((str(folder / name) for name in names if (folder / name).is_dir()), None)


def _with_training_classes(part: Corpus, train: Corpus) -> Corpus:
    """Number a held-out corpus's classes like the training text's."""
    for label in part.classes:
        if label not in train.classes:
            row = int(np.flatnonzero(part.targets == part.classes.index(label))[0])
            raise DataError(
                f"{part.where(row)}: label {label!r} does not occur in the training text"
            )
    numbers = np.array([train.classes.index(label) for label in part.classes], np.int64)
    return replace(part, targets=numbers[part.targets], classes=train.classes)
