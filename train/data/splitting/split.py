"""Splits a corpus into training, dev and test text, with all copies of a text in one part.

At random, with all texts of a group in one part if the corpus has groups; by time if it has times:
then the oldest text is trained on and the newest is test text, because a deployed classifier meets
text that was written after what it learned from.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from glovelite.data.corpus_folder import DEV_SHARE, TEST_SHARE
from glovelite.data.labels import shorten_list, show_labels
from glovelite.runtime.aliases import Bools, Longs
from glovelite.runtime.errors import DataError
from glovelite.runtime.logs import log_lines

from ..build_corpus import check_corpus, join_corpora, lacking_labels
from ..corpus import Corpus
from ..inputs import InputTexts, separate, separate_copies
from .grouping import assign_components, fill_classes, find_components
from .initial_texts import NEW, InitialTexts, restrict_drawing

logger = logging.getLogger(__name__)


def cut_by_time(corpus: Corpus, dev_rows: Bools, test_rows: Bools) -> tuple[Corpus, Corpus, Corpus]:
    """Cut a corpus into its oldest texts, the next newer ones and the newest.

    Texts of the same time are ordered as in the corpus, so a cut may fall between them, always at
    the same place. Without times, the order of the corpus counts. Copies of a text may end up in
    several parts. A tenth of `dev_rows`, bool [texts], is taken for dev, one text at least, and the
    same of `test_rows` for test.
    """
    times = np.zeros(len(corpus)) if corpus.times is None else corpus.times
    order = np.argsort(times, kind="stable")
    part_of_row = np.zeros(len(corpus), np.int64)
    for part, rows, share in ((2, test_rows, TEST_SHARE), (1, dev_rows, DEV_SHARE)):
        candidates = order[rows[order]]
        count = max(1, round(len(candidates) * share))
        part_of_row[candidates[part_of_row[candidates] == 0][-count:]] = part
    train, dev, test = corpus.select_parts(part_of_row)
    if missing := lacking_labels(train, np.arange(len(train))):
        row = int(corpus.rows_of(corpus.classes.index(missing[0]))[0])
        others = f", nor do {show_labels(missing[1:])}" if missing[1:] else ""
        raise DataError(
            f"{corpus.name}: label {missing[0]!r} (first at {corpus.where(row)}) does not occur in "
            f"the oldest {len(train):,} texts, which are trained on{others}: add older texts, or "
            "remove the labels"
        )
    return train, dev, test


def _show(time: np.datetime64 | np.float64) -> str:
    """Return a number without trailing zeros, or a date, with its time of day if it has one."""
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).removesuffix("T00:00:00")
    return f"{float(time):.15g}"


@dataclass(frozen=True)
class Split:
    """Three corpora that share no text.

    Attributes:
        train: fitted on.
        dev: for the choice of the epoch and every other choice.
        test: scored once, for the report; nothing is chosen on it. Empty if cross-validation
            replaces it.
        seen_test: further test texts, which training text holds too; None if there are none.
    """

    train: Corpus
    dev: Corpus
    test: Corpus
    seen_test: Corpus | None = None

    def __iter__(self) -> Iterator[tuple[str, Corpus]]:
        """Yield name and corpus of each part."""
        yield from (("train", self.train), ("dev", self.dev), ("test", self.test))


def split_inputs(
    inputs: InputTexts, seed: int, draw_test: bool = True, initial: InitialTexts | None = None
) -> Split:
    """Keep the given dev and test corpora, and draw what is missing from the training text.

    Args:
        inputs: training text, with dev or test text or without.
        seed: the same seed draws the same parts.
        draw_test: whether to draw test text if none is given.
        initial: the texts of the run whose training is continued, or None. They stay in its parts,
            only new ones are drawn; a split by time is drawn as always. What the run was trained
            on is no dev or test text.

    Raises:
        DataError: too few classes, or too few texts or groups for one of them, or no text that the
            initial run was not trained on.
    """
    whole = inputs.train
    everything = np.ones(len(whole), np.bool_)
    dev_rows = everything if inputs.dev is None else whole.is_from(inputs.without_dev)
    test_rows = everything if inputs.test is None else whole.is_from(inputs.without_test)
    if not draw_test:
        test_rows = ~everything
    check_corpus(whole, min_texts=1 + bool(dev_rows.any()) + bool(test_rows.any()))
    if whole.times is not None:
        drawn = _split_by_time(whole, dev_rows, test_rows)
    elif initial is not None:
        drawn = _split_known(whole, seed, dev_rows, test_rows, inputs.seen_test, initial)
    else:
        drawn = Split(*split_corpus(whole, seed, dev_rows, test_rows, kept=inputs.seen_test))
    split = Split(
        drawn.train,
        _join(inputs.dev, drawn.dev),
        _join(inputs.test, drawn.test),
        inputs.seen_test if drawn.seen_test is None else _join(inputs.seen_test, drawn.seen_test),
    )
    if initial is not None:
        split = _without_trained(split, initial)
    log_lines(logger, describe_split(split))
    return split


def split_corpus(
    corpus: Corpus,
    seed: int,
    dev_rows: Bools | None = None,
    test_rows: Bools | None = None,
    kept: Corpus | None = None,
) -> tuple[Corpus, Corpus, Corpus]:
    """Split a corpus at random, stratified by class, with copies of a text in one part.

    A multi-label corpus is stratified by each text's rarest label; then labels that a part lacks
    are moved into it where they can be spared.

    If the corpus has groups, all texts of a group are in one part too.

    Args:
        corpus: a corpus with enough distinct texts in every class.
        seed: the same seed gives the same parts.
        dev_rows: bool [texts], which texts a tenth is drawn from for dev, at least one of each
            class; None for all.
        test_rows: the same for test.
        kept: texts that stay in training, or None.
    """
    everything = np.ones(len(corpus), np.bool_)
    dev, test = (everything if rows is None else rows for rows in (dev_rows, test_rows))
    return corpus.select_parts(_draw_parts(corpus, seed, dev, test, kept))


def describe_split(split: Split) -> Iterator[str]:
    """Describe a split by groups or time, and warn of labels and groups in the wrong parts."""
    of_groups = {name: part.groups for name, part in split if part.groups is not None and len(part)}
    if of_groups:
        counts = ", ".join(f"{len(np.unique(ids)):,} {name}" for name, ids in of_groups.items())
        yield f"split by groups: {counts}"
    training = of_groups.pop("train", None)
    for name, groups in of_groups.items():
        if training is not None and (shared := int(np.isin(groups, training).sum())):
            yield f"warning: {shared:,} {name} texts are of groups that training text holds too"
    times = ", ".join(
        f"{name} {_show(part.times.min())} to {_show(part.times.max())}"
        for name, part in split
        if part.times is not None and len(part)
    )
    if times:
        yield f"split by time: {times}"
    for name, part in split:
        missing = lacking_labels(part, np.arange(len(part)))
        if len(part) and missing:
            yield f"warning: no {name} text has the label {shorten_list(missing)}"


def _split_known(
    corpus: Corpus,
    seed: int,
    dev_rows: Bools,
    test_rows: Bools,
    kept: Corpus | None,
    initial: InitialTexts,
) -> Split:
    """Leave the texts of the initial run in its parts, and draw from the others."""
    parts = initial.find_parts(corpus, dev_rows, test_rows)
    logger.info(initial.describe(corpus, parts))
    dev_rows, test_rows = restrict_drawing(corpus, parts, dev_rows, test_rows)
    new = np.flatnonzero(parts == NEW)
    if len(new):
        drawn = _draw_parts(corpus.select(new), seed, dev_rows[new], test_rows[new], kept)
        parts[new] = drawn
    return Split(*corpus.select_parts(parts))


def _without_trained(split: Split, initial: InitialTexts) -> Split:
    """Set held-out texts apart that the initial run was trained on, like copies of training text.

    Warns of the opposite, which a split by groups or time or separate files cause: scores remain
    fair, but are not those of the same texts.
    """
    name = f"what {initial.run} was trained on"
    if not len(split.test) and not len(initial.test):
        logger.info(f"no test text: {initial.run} has none, and no new text is drawn for it")
    for part, corpus, needed in (
        ("dev", split.dev, True),
        ("test", split.test, len(initial.test) > 0),
    ):
        if needed and not len(corpus):
            raise DataError(
                f"there is no {part} text: {initial.run} knows nearly all texts: add new ones, or "
                f"give --{part}"
            )
    dev, _ = separate_copies(split.dev, "dev", initial.train, name, "dropped")
    test, seen = separate_copies(split.test, "test", initial.train, name, "scored apart")
    if seen is not None:
        split = replace(split, seen_test=_join(split.seen_test, seen))
    if missing := lacking_labels(split.train, np.arange(len(split.train))):
        raise DataError(
            f"{split.train.name}: {initial.run} holds out every text with the label "
            f"{missing[0]!r}: add texts to train on"
        )
    held_out = np.isin(split.train.hashes, np.concatenate([initial.dev, initial.test]))
    if held_out.any():
        logger.warning(f"{int(held_out.sum()):,} texts that {initial.run} held out are trained on")
    return replace(split, dev=dev, test=test)


def _split_by_time(corpus: Corpus, dev_rows: Bools, test_rows: Bools) -> Split:
    """Cut by time, then set copies of older texts apart as for separate files."""
    train, dev, test = cut_by_time(corpus, dev_rows, test_rows)
    parts = separate(train, dev, test)
    return Split(
        train,
        dev if parts.dev is None else parts.dev,
        test if parts.test is None else parts.test,
        parts.seen_test,
    )


def _join(given: Corpus | None, drawn: Corpus) -> Corpus:
    """Return held-out text: what was given, then what was drawn besides it."""
    if given is None:
        return drawn
    return join_corpora([given, drawn]) if len(drawn) else given


def _draw_parts(
    corpus: Corpus, seed: int, dev_rows: Bools, test_rows: Bools, kept: Corpus | None
) -> Longs:
    """Return the part of each text, int64 [texts]: 0 for training, 1 for dev, 2 for test."""
    kept_rows = np.zeros(len(corpus), np.bool_)
    if kept is not None:
        kept_rows = np.isin(corpus.hashes, kept.hashes)
    draw = _draw_texts if corpus.groups is None else _draw_groups
    return draw(corpus, seed, dev_rows, test_rows, kept_rows)


def _draw_texts(corpus: Corpus, seed: int, dev_rows: Bools, test_rows: Bools, kept: Bools) -> Longs:
    """Draw texts; see `_draw_parts`."""
    _, first, text = np.unique(corpus.hashes, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first)
    stratum_of_text = corpus.strata[first]  # of copies with different labels, the first counts
    part_of_text = np.zeros(len(first), np.int64)
    random = np.random.default_rng(seed)
    owed = {2: 0.0, 1: 0.0}  # what rounding has kept from a part of multi-label text so far
    for stratum in range(len(corpus.classes) + 1):
        members = by_appearance[stratum_of_text[by_appearance] == stratum]
        members = members[random.permutation(len(members))]
        for part, rows, share in ((2, test_rows, TEST_SHARE), (1, dev_rows, DEV_SHARE)):
            drawable = members[rows[first[members]]]
            left = drawable[part_of_text[drawable] == 0]
            if corpus.multi_label:  # there are many small strata: rounding up would draw too much
                owed[part] += len(drawable) * share
                drawn = left[: max(0, round(owed[part]))]
                owed[part] -= len(drawn)
            else:
                drawn = left[: max(1, round(len(drawable) * share))]
            part_of_text[drawn] = part
    part_of_text[kept[first]] = 0
    if corpus.multi_label:
        has = corpus.targets[first]
        for part, rows in ((0, np.ones_like(kept)), (2, test_rows), (1, dev_rows)):
            if rows.any():
                fixed = (kept | ~rows)[first]
                fill_classes(has, part_of_text, part, fixed, force=part == 0)
    parts: Longs = part_of_text[text]
    return parts


def _draw_groups(
    corpus: Corpus, seed: int, dev_rows: Bools, test_rows: Bools, kept: Bools
) -> Longs:
    """Draw groups; see `_draw_parts`."""
    components = find_components(corpus)
    drawn = {1: (dev_rows, DEV_SHARE), 2: (test_rows, TEST_SHARE)}
    shares = {part: share for part, (rows, share) in drawn.items() if rows.any()}
    shares = {0: 1 - sum(shares.values()), **shares}
    check_groups(corpus, len(components), len(shares))
    for rows, _ in drawn.values():
        if rows.any():
            kept = kept | ~rows
    only_one = (components.counts > 0).sum(axis=0) == 1  # classes that one component holds
    pinned = (components.counts[:, only_one] > 0).any(axis=1)
    pinned[components.of_row[kept]] = True
    parts = assign_components(components, list(shares.values()), seed, pinned, complete_first=True)
    if len(np.unique(parts)) < len(shares):
        raise DataError(
            f"{corpus.name}: its {len(components):,} groups cannot be split so that training text "
            "has every label: give more groups of each label, or separate dev and test text"
        )
    part_of_row: Longs = np.array(list(shares))[parts][components.of_row]
    return part_of_row


def check_groups(corpus: Corpus, components: int, wanted: int) -> None:
    """Raise DataError if the components of a corpus with groups are fewer than its parts."""
    if components < wanted:
        count = 0 if corpus.groups is None else len(np.unique(corpus.groups))
        joined = f", joined to {components:,} by texts that they share" * (components < count)
        raise DataError(
            f"{corpus.name}: found {count:,} group(s){joined}, expected at least {wanted}: choose "
            "another group column, or split without groups"
        )


def sample(corpus: Corpus, seed: int, count: int) -> Corpus:
    """Draw up to `count` texts at random, in the order of the corpus."""
    rows: Longs = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return corpus.select(np.sort(rows))
