"""The texts that the initial run of a continued training knows, and what follows for the split.

What the initial run was trained on must not be dev or test text of the new run, whose scores would
be too good. Its dev and test text stay what they are, which keeps the scores of both comparable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glovelite.data.corpus_folder import DEV_SHARE, TEST_SHARE, Hashes
from glovelite.data.labels import shorten_list, sort_labels
from glovelite.runtime.aliases import Bools, Longs
from glovelite.runtime.errors import DataError

from ..corpus import Corpus
from .grouping import number_components

NEW = -1  # the part of a text that the initial run does not know


@dataclass(frozen=True)
class InitialTexts:
    """The texts of the initial run, by their hashes in `Corpus.hashes`.

    Attributes:
        run: the initial run's folder, for messages.
        train: what it was trained on, and what its own initial run was trained on.
    """

    run: str
    train: Hashes
    dev: Hashes
    test: Hashes

    def find_parts(self, corpus: Corpus, dev_rows: Bools, test_rows: Bools) -> Longs:
        """Return the part that each text stays in, with all texts of a group in one part.

        A group that the initial run trained on stays in training text. So does a text that may not
        be dev or test text, by `dev_rows` and `test_rows`, bool [texts].

        Returns:
            int64 [texts]: 0 for training, 1 for dev, 2 for test, `NEW` for a new text.
        """
        unknown = np.iinfo(np.int64).max
        parts = np.full(len(corpus), unknown, np.int64)
        for part, hashes, rows in ((2, self.test, test_rows), (1, self.dev, dev_rows)):
            known = np.isin(corpus.hashes, hashes)
            parts[known] = np.where(rows[known], part, 0)
        parts[np.isin(corpus.hashes, self.train)] = 0
        components = number_components(corpus)
        of_component = np.full(1 + int(components.max(initial=-1)), unknown, np.int64)
        np.minimum.at(of_component, components, parts)
        settled: Longs = of_component[components]
        return np.where(settled == unknown, NEW, settled)

    def describe(self, corpus: Corpus, parts: Longs) -> str:
        """Describe how many texts `find_parts` has put in which part."""
        known = {
            "train": int(np.isin(corpus.hashes, self.train).sum()),
            "dev": int((parts == 1).sum()),
            "test": int((parts == 2).sum()),
        }
        shown = ", ".join(f"{count:,} {name}" for name, count in known.items())
        return (
            f"{self.run} knows {shown} texts, which stay there; {int((parts == NEW).sum()):,} new"
        )


def restrict_drawing(
    corpus: Corpus, parts: Longs, dev_rows: Bools, test_rows: Bools
) -> tuple[Bools, Bools]:
    """Draw no held-out text of a label with few new texts if the initial run's text has it.

    The one text of each label that is drawn otherwise may be most of what is new. The arguments are
    those of `InitialTexts.find_parts` and its result.
    """
    restricted = []
    strata = corpus.strata
    for part, rows, share in ((1, dev_rows, DEV_SHARE), (2, test_rows, TEST_SHARE)):
        held = np.bincount(strata[parts == part], minlength=len(corpus.classes) + 1)
        new = np.bincount(strata[(parts == NEW) & rows], minlength=len(corpus.classes) + 1)
        restricted.append(rows & ~((held > 0) & (new * share < 1))[strata])
    return restricted[0], restricted[1]


def add_labels(
    corpus: Corpus, labels: tuple[str, ...], multi_label: bool, run: str
) -> tuple[str, ...]:
    """Return the labels of the initial run, then those that are new in the text.

    Raises:
        DataError: the text lacks labels of the initial run, which `run` names in messages, or only
            one of them is multi-label.
    """
    if corpus.multi_label != multi_label:
        kinds = ("single-label", "multi-label")
        raise DataError(
            f"{corpus.name}: expected {kinds[multi_label]} text as for {run}, found "
            f"{kinds[corpus.multi_label]} text: train without --init, or give the labels in the "
            "same way"
        )
    if missing := sort_labels({*labels} - {*corpus.classes}):
        raise DataError(
            f"{corpus.name}: expected texts of every label of {run}, found none of "
            f"{shorten_list(missing)}: a model forgets labels without texts: add the texts of "
            "that run as a second source, or train without --init"
        )
    return (*labels, *sort_labels({*corpus.classes} - {*labels}))
