"""Training, dev and test text as they were given: rows of files, or sequences in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glovelite.data.corpus_folder import Hashes
from glovelite.data.labelled_text import good_rows
from glovelite.data.labels import ask_for_label_column, shorten_label, shorten_list, show_labels
from glovelite.data.sequences import open_sequences
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.errors import DataError
from glovelite.runtime.trained_text import UNRECORDED, TrainedText

from .build_corpus import build_corpus
from .corpus import Corpus, Origin
from .corrections import CorrectionSummary, read_corrections

logger = logging.getLogger(__name__)
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
        unlabelled: text with a teacher's labels, to train on besides; None if there is none.
        text: how the text to train on was read.
        corrections: what was corrected; None if nothing was to be.
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None
    seen_test: Corpus | None = None
    without_dev: frozenset[str] = frozenset()
    without_test: frozenset[str] = frozenset()
    unlabelled: Corpus | None = None
    text: TrainedText = UNRECORDED
    corrections: CorrectionSummary | None = None

    def with_classes(self, classes: tuple[str, ...]) -> InputTexts:
        """Return all corpora with their classes numbered by `classes`, which holds them all."""
        numbered: dict[str, Any] = {
            name: part.with_classes(classes)
            for name, part in vars(self).items()
            if isinstance(part, Corpus)
        }
        return replace(self, **numbered)


def require_texts(corpus: Corpus) -> Corpus:
    """Return a corpus, or raise DataError if it is empty."""
    if not len(corpus):
        raise DataError(f"{corpus.name} holds no texts")
    return corpus


def drop_rare_labels(
    train: Corpus, dev: Corpus | None, test: Corpus | None, min_texts: int
) -> tuple[Corpus, Corpus | None, Corpus | None]:
    """Drop the labels that have fewer than `min_texts` distinct training texts from all parts."""
    counts = train.count_distinct_texts()
    dropped = {label: int(n) for label, n in zip(train.classes, counts) if n < min_texts}
    if not dropped:
        return train, dev, test
    parts: list[Corpus | None] = []
    numbers = []
    for name, part in (("training", train), ("dev", dev), ("test", test)):
        left = None if part is None else part.without_labels(dropped)
        if part is not None and left is not None:
            numbers.append(f"{len(part) - len(left):,} {name}")
            if not len(left) or (part is train and not left.classes):
                raise DataError(
                    f"{part.name}: every label of the {name} text has fewer than {min_texts} "
                    "distinct training texts: lower --min-texts; or "
                    f"{ask_for_label_column(part.origins[0].text_source)}"
                )
        parts.append(left)
    shown = [f"{shorten_label(label)!r} ({count:,})" for label, count in dropped.items()]
    texts = "their texts stay" if train.multi_label else f"with them {', '.join(numbers)} texts"
    logger.info(
        f"dropped: {len(dropped):,} labels of fewer than {min_texts} distinct texts, "
        f"{shorten_list(shown)}; {texts}"
    )
    kept, dev, test = parts
    return kept or train, dev, test


def separate(train: Corpus, dev: Corpus | None, test: Corpus | None) -> InputTexts:
    """Number held-out classes like the training text's, and set copies of its texts apart.

    Dev text loses what training or test text holds.

    Raises:
        DataError: a held-out corpus has another label, is multi-label although training text is
            not, or holds only copies.
    """
    seen_test = None
    if test is not None:
        test = _with_training_classes(test, train)
        test, seen_test = separate_copies(test, "test", train.hashes, "training", "scored apart")
    if dev is not None:
        dev = _with_training_classes(dev, train)
        for other, other_name in ((train, "training"), (test, "test")):
            if other is not None:
                dev, _ = separate_copies(dev, "dev", other.hashes, other_name, "dropped")
    return InputTexts(train, dev, test, seen_test)


def separate_copies(
    corpus: Corpus, name: str, other: Hashes, other_name: str, action: str | None = None
) -> tuple[Corpus, Corpus | None]:
    """Separate the texts of a held-out corpus that another corpus holds too.

    `other` are its hashes. `action` is what is done with the copies; None logs nothing.

    Returns:
        The other texts, and the copies, or None if there are none.
    """
    copies = np.isin(corpus.hashes, other)
    if not copies.any():
        return corpus, None
    if copies.all():
        raise DataError(f"every {name} text is also in {other_name}: give separate texts")
    found = corpus.select(np.flatnonzero(copies))
    if action:
        logger.info(f"{action}: {describe_copies(name, found, other_name)}")
    return corpus.select(np.flatnonzero(~copies)), found


def describe_copies(name: str, copies: Corpus, other_name: str) -> str:
    """Describe how many texts of a held-out corpus another one holds, and where the first is."""
    return (
        f"{len(copies):,} {name} texts that are also in {other_name}, the first at "
        f"{copies.where(0)}"
    )


def _with_training_classes(part: Corpus, train: Corpus) -> Corpus:
    """Number a held-out corpus's classes like the training text's, and make it multi-label too."""
    if part.multi_label and not train.multi_label:
        raise DataError(
            f"{part.name} is multi-label, {train.name} is single-label: give both in the same way, "
            "such as lists of labels or a column named labels"
        )
    known = {*train.classes}
    if missing := [label for label in part.classes if label not in known]:
        rows = part.rows_of(part.classes.index(missing[0]))
        where = part.where(int(rows[0])) if len(rows) else part.name
        others = f", nor do {show_labels(missing[1:])}" if missing[1:] else ""
        raise DataError(
            f"{where}: label {missing[0]!r} does not occur in the training text{others}"
        )
    part = part.with_classes(train.classes)
    return part.as_multi_label() if train.multi_label else part


def read_sequences(
    texts: Sequence[str],
    labels: Sequence[object],
    dev: TextsAndLabels | None = None,
    test: TextsAndLabels | None = None,
    groups: Sequence[object] | None = None,
    times: Sequence[object] | None = None,
    min_texts: int = 0,
    corrections: PathLike | None = None,
) -> InputTexts:
    """Take texts and labels from sequences, such as lists or the columns of a DataFrame.

    For the forms of the arguments, see `train_classifier`. Times may be strings too.
    """
    correct = None if corrections is None else read_corrections(corrections)

    def build(name: str, given: tuple[Any, ...], multi_label: bool = False) -> Corpus:
        opened = open_sequences(name, *given)
        origin = Origin(name, name, unit=opened.unit)
        rows = good_rows(opened)
        if correct is not None:
            rows = correct.apply(rows, origin)
        return require_texts(build_corpus(origin, rows, min_texts > 1, opened.labels, multi_label))

    train = build("texts", (texts, labels, groups, times))
    corpora = drop_rare_labels(
        train,
        build("dev", dev, train.multi_label) if dev else None,
        build("test", test, train.multi_label) if test else None,
        min_texts,
    )
    corrected = None if correct is None else correct.finish()
    return replace(separate(*corpora), corrections=corrected)
