"""Distributes texts over parts so that what belongs together stays together.

Copies of a text belong together, and so do all texts of a group; through a text that two groups
hold, these groups do too. Texts that belong together are a component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from glovelite.runtime.aliases import Bools, Classes, Longs

from ..corpus import Corpus


@dataclass(frozen=True)
class Components:
    """The components of a corpus.

    Attributes:
        of_row: int64 [texts], component of each text.
        counts: int64 [components, classes], distinct texts; of copies with different labels, the
            first counts. The texts without a label in a multi-label corpus are counted in a column
            of their own after the others, if there are any.
    """

    of_row: Longs
    counts: Longs

    def __len__(self) -> int:
        return len(self.counts)


def find_components(corpus: Corpus) -> Components:
    """Find the components, which copies of a text and groups join."""
    first, component, text = _connect(corpus)
    targets = corpus.targets[first]
    counts = np.zeros((1 + int(component.max(initial=-1)), len(corpus.classes)), np.int64)
    if corpus.multi_label:
        if not (labelled := targets.any(axis=1)).all():
            targets = np.column_stack([targets, ~labelled])
            counts = np.zeros((len(counts), targets.shape[1]), np.int64)
        np.add.at(counts, component, targets)
    else:
        np.add.at(counts, (component, targets), 1)
    return Components(component[text], counts)


def number_components(corpus: Corpus) -> Longs:
    """Return the component of each text, int64 [texts]."""
    _, component, text = _connect(corpus)
    numbers: Longs = component[text]
    return numbers


def _connect(corpus: Corpus) -> tuple[Longs, Longs, Longs]:
    """Return the row and the component of each distinct text, and the distinct text of each row."""
    _, first, text = np.unique(corpus.hashes, return_index=True, return_inverse=True)
    component = np.arange(len(first))
    if corpus.groups is not None:
        names, group = np.unique(corpus.groups, return_inverse=True)
        size = len(first) + len(names)
        edges = (np.ones(len(text), np.int8), (text, len(first) + group))
        _, nodes = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
        component = nodes[: len(first)].astype(np.int64)
    return first, component, text


def assign_components(
    components: Components,
    shares: Sequence[float],
    seed: int,
    pinned: Bools | None = None,
    complete_first: bool = False,
) -> Longs:
    """Assign components to parts so that each class is shared out as wanted.

    One component after the other, in random order, goes to the part in which it changes the squared
    differences from the wanted numbers of texts, relative to these, for the better. Then classes
    that a part lacks are moved into it where that takes no class from another part.

    `shares` are above 0. Components that are `pinned`, bool [components], stay in the first part,
    which gets every class if `complete_first`, even if another part loses it.

    Returns:
        The part of each component, int64 [components].
    """
    counts = components.counts
    fixed = np.zeros(len(components), bool) if pinned is None else pinned
    parts = _assign_greedily(counts, np.asarray(shares), seed, fixed)
    for part in (0, *range(len(shares) - 1, 0, -1)):  # training, then test, then dev
        fill_classes(counts, parts, part, fixed, complete_first and part == 0)
    return parts


def fill_classes(
    counts: Classes, parts: Longs, part: int, fixed: Bools, force: bool = False
) -> None:
    """Move a component of each class that a part lacks into it, the smallest that can be spared.

    Args:
        counts: [components, classes], texts, or whether there are any.
        parts: int64 [components]; changed in place.
        part: index of the part.
        fixed: bool [components], those that stay where they are.
        force: take the class even from a part that has no other text of one of its classes.
    """
    has = counts > 0
    present = has[parts == part].any(axis=0)
    for label in range(has.shape[1]):
        if present[label]:
            continue
        movable = np.flatnonzero(has[:, label] & ~fixed & (parts != part))
        holders = np.stack([has[parts == number].sum(axis=0) for number in range(parts.max() + 1)])
        spared = movable[(~has[movable] | (holders[parts[movable]] > 1)).all(axis=1)]
        candidates = spared if len(spared) or not force else movable
        if len(candidates):
            moved = candidates[counts[candidates].sum(axis=1).argmin()]
            parts[moved] = part
            present |= has[moved]


def _assign_greedily(
    counts: Longs, shares: npt.NDArray[np.float64], seed: int, fixed: Bools
) -> Longs:
    totals = np.maximum(counts.sum(axis=0), 1)
    present = np.zeros((len(shares), counts.shape[1]), np.int64)
    parts = np.zeros(len(counts), np.int64)
    present[0] = counts[fixed].sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(counts))
    for component in order[~fixed[order]]:
        added = counts[component]
        growth = (2 * present + added) / (shares[:, None] * totals) - 2
        cost = (growth * added / totals).sum(axis=1)
        fill = present.sum(axis=1) / shares
        part = int(np.lexsort((fill, cost))[0])
        present[part] += added
        parts[component] = part
    return parts
