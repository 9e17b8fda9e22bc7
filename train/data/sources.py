"""Reads the labelled text that a user names: training text, and dev and test text if given."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path

from glovelite.data.corpus_folder import check_finished, read_trained_text
from glovelite.data.labelled_text import (
    NAMED_CORPORA,
    LabelledRows,
    TextSource,
    find_tables,
    good_rows,
    open_rows,
)
from glovelite.data.labels import shorten_list
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.errors import DataError
from glovelite.runtime.files.binary_files import STANDARD_INPUT
from glovelite.runtime.trained_text import TrainedText

from ..request import UnlabelledTexts
from .build_corpus import build_corpus, join_corpora
from .corpus import Corpus, Origin
from .corrections import read_corrections
from .inputs import InputTexts, drop_rare_labels, require_texts, separate
from .unlabelled import read_unlabelled

logger = logging.getLogger(__name__)

#: Part -> the names that its folder may have in aclImdb's layout, or that its files begin with.
PART_NAMES = {
    "train": ("train",),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}


def read_inputs(
    sources: Sequence[TextSource],
    dev: PathLike | None = None,
    test: PathLike | None = None,
    skip_bad_rows: bool = False,
    min_texts: int = 0,
    unlabelled: UnlabelledTexts | None = None,
    corrections: PathLike | None = None,
) -> InputTexts:
    """Read training text, and dev and test text where they are given.

    A folder with a `train` folder in it (aclImdb's layout) brings its own dev and test folders, and
    one with files such as `train-0.parquet` its own dev and test files.

    Labels are matched by name. `dev` and `test` are read like the first source. For the other
    arguments, see `TrainingRequest`.

    Raises:
        DataError: something cannot be read, a source is given twice, the times of two sources are
            of different kinds, there are so many rare labels that they can hardly be labels, dev or
            test hold a label that training lacks, or only they are multi-label.
        DownloadError: a named corpus cannot be fetched.
    """
    sources = [replace(source, path=str(source.path)) for source in sources]
    parts = _find_parts(sources, dev, test)
    correct = None if corrections is None else read_corrections(corrections)
    opened = {  # all of them before the first is read, which may take long
        part: [(name, source, open_rows(source)) for name, source in named.items()]
        for part, named in parts.items()
    }

    def read(part: str, multi_label: bool = False) -> list[Corpus]:
        corpora = []
        for name, source, rows in opened[part]:
            origin = Origin(rows.name, name, rows.files, source)
            good = good_rows(rows, skip_bad_rows, multi_label)
            corpus = build_corpus(
                origin,
                good if correct is None else correct.apply(good, origin),
                drops_labels=min_texts > 1,
                labels=rows.labels,
                multi_label=multi_label,
            )
            corpora.append(require_texts(corpus))
        return corpora

    train = join_corpora(read("train"))
    dev_corpora, test_corpora = (read(part, train.multi_label) for part in ("dev", "test"))
    corrected = None if correct is None else correct.finish()
    corpora = drop_rare_labels(
        train,
        join_corpora(dev_corpora) if dev_corpora else None,
        join_corpora(test_corpora) if test_corpora else None,
        min_texts,
    )
    inputs = separate(*corpora)
    names = frozenset(parts["train"])
    return replace(
        inputs,
        unlabelled=None if unlabelled is None else read_unlabelled(unlabelled, inputs.train),
        without_dev=frozenset() if dev else names - parts["dev"].keys(),
        without_test=frozenset() if test else names - parts["test"].keys(),
        text=_describe_text(opened["train"]),
        corrections=corrected,
    )


def _describe_text(opened: Sequence[tuple[str, TextSource, LabelledRows]]) -> TrainedText:
    """Return how the sources were read; without columns if those of two sources differ."""
    read = []
    for _, source, rows in opened:
        folder = Path(source.path)  # `train` of a corpus folder, whose columns are its own
        before = read_trained_text(folder.parent) if folder.is_dir() else None
        read.append(before or TrainedText(rows.text_columns, bool(source.strip_html)))
    columns = {text.columns for text in read if text.columns}
    return TrainedText(
        columns.pop() if len(columns) == 1 else (), any(text.strip_html for text in read)
    )


def _find_parts(
    sources: Sequence[TextSource], dev: PathLike | None, test: PathLike | None
) -> dict[str, dict[str, TextSource]]:
    """Return what to read for `train`, `dev` and `test`, each by the source's name."""
    paths = [source.path for source in sources]
    held_out = {part: str(path) for part, path in (("dev", dev), ("test", test)) if path}
    _check_paths(paths, held_out.values())
    names = _name_sources([*paths, *held_out.values()])
    parts: dict[str, dict[str, TextSource]] = {"train": {}, "dev": {}, "test": {}}
    for source in sources:
        for part, path in _divide_folder(source.path).items():
            parts[part][names[source.path]] = replace(source, path=path)
    for part, path in held_out.items():
        parts[part] = {names[path]: replace(sources[0], path=path)}
    return parts


def _divide_folder(path: str) -> dict[str, str]:
    """Return the parts of a folder that is divided into some; other text is all for `train`."""
    folder = Path(path)
    if path in NAMED_CORPORA or not folder.is_dir():
        return {"train": path}
    check_finished(folder)
    if (folder / "train").is_dir():
        return _choose_parts({p.name: str(p) for p in folder.iterdir() if p.is_dir()})
    patterns = {
        name: f"{escape(path)}/{name}[-_.]*" for names in PART_NAMES.values() for name in names
    }
    files = {name: found for name, glob in patterns.items() if (found := find_tables(glob))}
    tables = find_tables(path)
    if "train" not in files or tables is None:
        return {"train": path}
    used = {file for found in files.values() for file in found.paths}
    if others := [file for file in tables.paths if file not in used]:
        logger.info(
            f"ignored: {shorten_list(others)}, whose names begin with none of {', '.join(patterns)}"
        )
    return _choose_parts({name: patterns[name] for name in files})


def _choose_parts(paths: Mapping[str, str]) -> dict[str, str]:
    """Return the path of each part, from the paths by name."""
    return {
        part: next(paths[name] for name in names if name in paths)
        for part, names in PART_NAMES.items()
        if any(name in paths for name in names)
    }


def _check_paths(sources: Sequence[str], held_out: Iterable[str]) -> None:
    """Raise DataError if a source is given twice, or standard input for two parts."""
    if [*sources, *held_out].count(STANDARD_INPUT) > 1:
        raise DataError("standard input (-) can be read only once: give it once")
    resolved = [path if path in NAMED_CORPORA else str(Path(path).resolve()) for path in sources]
    for index, path in enumerate(resolved):
        if path in resolved[:index]:
            raise DataError(f"{sources[index]} is given twice: give every source once")


def _name_sources(paths: Iterable[str]) -> dict[str, str]:
    """Return path -> name without the path, which is private; equal names are numbered."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for path in dict.fromkeys(paths):
        name = path if path in NAMED_CORPORA else Path(path).name or Path(path).resolve().name
        name = "standard input" if path == STANDARD_INPUT else name
        counts[name] += 1
        names[path] = name if counts[name] == 1 else f"{name} ({counts[name]})"
    return names
