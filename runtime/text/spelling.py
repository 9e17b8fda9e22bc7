"""Finds the known word that is nearest to a misspelt one: the last step of the vocabulary lookup.

`vocab.json` states it as `"spelling": {"letters": "abc…", "shortest": 4}`. A token is looked up if
it is spelt with these letters alone and has from `shortest` to `MAX_LETTERS` of them. Its
candidates are the strings that one edit makes of it and that are listed or hashed. The edits are:

- a letter after the first is deleted,
- two neighboring letters that differ are exchanged,
- a letter after the first is replaced by another of `letters`,
- one of `letters` is inserted after one of its letters.

A candidate costs the bits of `edit_cost`, and how rare it is: the bit length of its id if it is
listed, because tokens are sorted by frequency in training text, or `HASHED_COST`. The token has the
id of the candidate that costs least, of several the lowest id. If all of them cost more than
`MAX_COST`, the token stays unknown.

CRC-32 is linear: each letter changes the hash of a word by a number that depends on the letter and
on how many bytes follow it. So the hashes of all strings at one edit, 350 for a word of seven
letters, take a few operations on arrays, and only few of them are hashes of known words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from operator import xor
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from .hashed_words import HashedWords

MIN_SHORTEST, MAX_LETTERS = 3, 24
MAX_ALPHABET = 64  # bounds the time of a lookup
MAX_CACHED = 1 << 10  # tokens
HASHED_COST, MAX_COST = 13, 16
UNLIKELY_EDIT, SIMILAR_LETTER = 5, 2
VOWELS = frozenset("aeiouy")
#: Letters beside each letter on an English keyboard.
NEIGHBORS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok",
    "o": "ipl", "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb",
    "h": "gjyn", "j": "hkum", "k": "jli", "l": "kop", "z": "asx", "x": "zcs", "c": "xvd",
    "v": "cbf", "b": "vng", "n": "bmh", "m": "njk",
}  # fmt: skip
_FILTER_BITS = 16
_FILTER_SHIFT = np.uint32(32 - _FILTER_BITS)
Hashes = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Spelling:
    """Which tokens are looked up by their nearest spelling.

    Attributes:
        letters: the letters of these tokens and of their candidates, without repetition.
        shortest: number of letters of the shortest token.
    """

    letters: str
    shortest: int

    def takes(self, token: str) -> bool:
        """Whether a token that is unknown is looked up."""
        return self.shortest <= len(token) <= MAX_LETTERS and not token.strip(self.letters)

    def as_json(self) -> dict[str, Any]:
        """Return the content of the vocabulary file's `spelling`."""
        return {"letters": self.letters, "shortest": self.shortest}


def parse_spelling(content: object) -> Spelling:
    """Parse the vocabulary file's `spelling`.

    Raises:
        ValueError: it is malformed; the message says what was expected.
    """
    if not isinstance(content, dict):
        raise ValueError("'spelling' should be an object")
    letters, shortest = content.get("letters"), content.get("shortest")
    if not isinstance(letters, str) or not 1 <= len(set(letters)) == len(letters) <= MAX_ALPHABET:
        raise ValueError(f"'spelling.letters' should be 1 to {MAX_ALPHABET} different letters")
    if any("\ud800" <= letter <= "\udfff" for letter in letters):
        raise ValueError("'spelling.letters' holds half a letter (a lone surrogate)")
    if type(shortest) is not int or not MIN_SHORTEST <= shortest <= MAX_LETTERS:  # True is an int
        raise ValueError(
            f"'spelling.shortest' should be an integer from {MIN_SHORTEST} to {MAX_LETTERS}"
        )
    return Spelling(letters, shortest)


class Edit(NamedTuple):
    """One change of a word.

    Attributes:
        position: where the word changes.
        deleted: number of letters that are removed there, 2 if neighbors are exchanged.
        inserted: the letters that are put in their place.
    """

    position: int
    deleted: int
    inserted: str

    def apply(self, word: str) -> str:
        """Return the edited word."""
        return word[: self.position] + self.inserted + word[self.position + self.deleted :]


def edit_cost(word: str, edit: Edit) -> int:
    """Return the cost of an edit that corrects a word, in bits.

    Letters are often left out, doubled, exchanged, or mistaken for a neighbor on the keyboard or
    for another vowel.
    """
    position, deleted, inserted = edit
    if deleted != 1:
        return 0
    old = word[position]
    if not inserted:
        return 0 if word[position - 1] == old else UNLIKELY_EDIT
    similar = inserted in NEIGHBORS.get(old, "") or {old, inserted} <= VOWELS
    return SIMILAR_LETTER if similar else UNLIKELY_EDIT


class NearestSpelling:
    """Finds the nearest known words, of one vocabulary."""

    def __init__(
        self, spelling: Spelling, listed: Mapping[str, int], hashed: HashedWords | None
    ) -> None:
        """Prepare the lookup.

        Args:
            spelling: which tokens are looked up.
            listed: token -> id.
            hashed: the index of hashed words, or None.
        """
        self._spelling, self._listed, self._hashed = spelling, listed, hashed
        self._edits = _EditHashes(spelling.letters)
        spelt = (token for token in listed if not token.strip(spelling.letters))
        keys = np.array(sorted(crc32(token.encode()) for token in spelt), np.uint32)
        self._keys = [keys] if len(keys) else []
        if hashed:
            self._keys.append(np.frombuffer(hashed.keys, np.uint32))
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        for keys in self._keys:
            self._filter[keys >> _FILTER_SHIFT] = True
        self._found: dict[str, int | None] = {}

    def find(self, token: str, default: int) -> int:
        """Return the id of the nearest known word, or the default if there is none."""
        if not self._spelling.takes(token):
            return default
        found = self._found  # replaced when it is full, so that other threads keep theirs
        if token not in found:
            if len(found) >= MAX_CACHED:
                found = self._found = {}
            found[token] = min(self._find_candidates(token), default=(0, None))[1]
        id_ = found[token]
        return default if id_ is None else id_

    def _find_candidates(self, word: str) -> Iterator[tuple[int, int]]:
        """Yield cost and id of each candidate, in no order."""
        hashes = self._edits.hash_all(word)
        rows = np.flatnonzero(self._filter[hashes >> _FILTER_SHIFT])
        hashes = hashes[rows]
        for keys in self._keys:
            places = keys.searchsorted(hashes)
            for row in rows[keys.take(places, mode="clip") == hashes].tolist():
                edit = self._edits.edit_of(word, row)
                rarity, id_ = self._rate(edit.apply(word))
                cost = rarity + edit_cost(word, edit)
                if cost <= MAX_COST:
                    yield cost, id_

    def _rate(self, candidate: str) -> tuple[int, int]:
        """Return how rare a candidate is, in bits, and its id; `MAX_COST + 1` if it is unknown."""
        id_ = self._listed.get(candidate)
        if id_ is not None:
            return id_.bit_length(), id_
        id_ = 0 if self._hashed is None else self._hashed.find(candidate, 0)
        return (HASHED_COST if id_ else MAX_COST + 1), id_


class _EditHashes:
    """The CRC-32 of all strings at one edit of a word.

    They are in the order of `edit_of`: deletions and exchanges, then for the letters of each width
    in UTF-8 replacements and insertions; each by position.
    """

    def __init__(self, letters: str) -> None:
        self._widths = {letter: len(letter.encode()) for letter in letters}
        sizes = range((MAX_LETTERS + 1) * max(self._widths.values()) + 1)
        self._zeros = [crc32(bytes(size)) for size in sizes]
        #: letter -> what it changes in the hash of zeros if so many bytes follow it
        self._shares = {
            letter: [
                crc32(letter.encode() + bytes(size)) ^ crc32(bytes(width + size)) for size in sizes
            ]
            for letter, width in self._widths.items()
        }
        #: width -> its letters, and their shares as uint32 [bytes that follow, letters]
        self._by_width: dict[int, tuple[list[str], Hashes]] = {}
        for width in sorted(set(self._widths.values())):
            same = [letter for letter in letters if self._widths[letter] == width]
            shares = np.array([self._shares[letter] for letter in same], np.uint32)
            self._by_width[width] = same, np.ascontiguousarray(shares.T)
        #: width of a letter -> how much longer edits there make a word, without 0
        self._changes = {
            width: {-width, *self._by_width, *(new - width for new in self._by_width)} - {0}
            for width in self._by_width
        }

    def hash_all(self, word: str) -> Hashes:
        """Return the hash of each string at one edit, uint32 [edits]."""
        widths = [self._widths[letter] for letter in word]
        shares = [self._shares[letter] for letter in word]
        following = [*accumulate(reversed(widths), initial=0)][-2::-1]
        own = [share[count] for share, count in zip(shares, following)]
        suffixes = [*accumulate(reversed(own), xor, initial=0)][::-1]
        whole, size = crc32(word.encode()), following[0] + widths[0]
        #: bytes that are added to the rest -> the hash of the letters before each position
        prefixes = {0: [whole ^ suffix for suffix in suffixes]}
        for longer in {change for width in {*widths} for change in self._changes[width]}:
            moved = [share[count + longer] for share, count in zip(shares, following)]
            prefixes[longer] = [*accumulate(moved, xor, initial=self._zeros[size + longer])]

        later = range(1, len(word))
        hashes = [prefixes[-widths[at]][at] ^ suffixes[at + 1] for at in later]
        for at in later:
            exchanged = shares[at - 1][following[at]] ^ shares[at][following[at] + widths[at - 1]]
            hashes.append(whole ^ own[at - 1] ^ own[at] ^ exchanged)
        parts = [np.array(hashes, np.uint32)]
        for width, (_, table) in self._by_width.items():
            others = [prefixes[width - widths[at]][at] ^ suffixes[at + 1] for at in later]
            others += map(xor, prefixes[width][1:], suffixes[1:])
            new = table.take([*following[1:], *following], axis=0)
            new ^= np.array(others, np.uint32)[:, None]
            parts.append(new.ravel())
        return np.concatenate(parts)

    def edit_of(self, word: str, row: int) -> Edit:
        """Return the edit of a row of `hash_all`."""
        later = len(word) - 1
        if row < later:
            return Edit(row + 1, 1, "")
        row -= later
        if row < later:
            return Edit(row, 2, word[row + 1] + word[row])
        row -= later
        for letters, _ in self._by_width.values():
            position, number = divmod(row, len(letters))
            if position < later:
                return Edit(position + 1, 1, letters[number])
            if position <= 2 * later:
                return Edit(position - later + 1, 0, letters[number])
            row -= (2 * later + 1) * len(letters)
        raise IndexError(row)
