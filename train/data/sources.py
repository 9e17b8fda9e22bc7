"""Reads the labelled text that a user names: training text, and dev and test text if given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from runtime.aliases import Log
from runtime.errors import DataError
from runtime.io.files.text_lines import STANDARD_INPUT
from runtime.io.labelled_text import NAMED_CORPORA, TextSource, good_rows, open_rows

from ..request import UnlabelledTexts
from .corpus import Corpus, Origin, join_corpora
from .inputs import InputTexts, build_input, drop_rare_labels, separate
from .soft.unlabelled import read_unlabelled

#: Part -> the names that its folder may have in aclImdb's layout.
PART_FOLDERS = {
    "train": ("train",),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}


def read_inputs(
    sources: Sequence[TextSource],
    log: Log,
    dev: str | None = None,
    test: str | None = None,
    skip_bad_rows: bool = False,
    min_texts: int = 0,
    unlabelled: UnlabelledTexts | None = None,
) -> InputTexts:
    """Read training text, and dev and test text where they are given.

    A folder with a `train` folder in it (aclImdb's layout) brings its own dev and test folders.

    Args:
        sources: the training text; labels are matched by name.
        log: receives every step, and everything that is ignored.
        dev: a file or folder of dev text for all sources, read like the first of them.
        test: a file or folder of test text for all sources, read like the first of them.
        skip_bad_rows: skip bad rows with a warning.
        min_texts: drop labels that have fewer distinct training texts.
        unlabelled: text with a teacher's labels, to train on besides.

    Raises:
        DataError: something cannot be read, a source is given twice, the times of two sources are
            of different kinds, there are so many rare labels that they can hardly be labels, dev or
            test hold a label that training lacks, or only they are multi-label.
        DownloadError: a named corpus cannot be fetched.
    """
    sources = [replace(source, path=str(source.path)) for source in sources]
    parts = _find_parts(sources, dev, test)
    opened = {  # all of them before the first is read, which may take long
        part: [(name, source, open_rows(source, log)) for name, source in named.items()]
        for part, named in parts.items()
    }

    def read(part: str, multi_label: bool = False) -> list[Corpus]:
        return [
            build_input(
                Origin(rows.name, name, rows.files, source),
                good_rows(rows, log, skip_bad_rows, multi_label),
                log,
                drops_labels=min_texts > 1,
                labels=rows.labels,
                multi_label=multi_label,
            )
            for name, source, rows in opened[part]
        ]

    train = join_corpora(read("train"))
    dev_corpora, test_corpora = (read(part, train.multi_label) for part in ("dev", "test"))
    corpora = drop_rare_labels(
        train,
        join_corpora(dev_corpora) if dev_corpora else None,
        join_corpora(test_corpora) if test_corpora else None,
        min_texts,
        log,
    )
    inputs = separate(*corpora, log)
    names = frozenset(parts["train"])
    return replace(
        inputs,
        unlabelled=None if unlabelled is None else read_unlabelled(unlabelled, inputs.train, log),
        without_dev=frozenset() if dev else names - parts["dev"].keys(),
        without_test=frozenset() if test else names - parts["test"].keys(),
    )


def _find_parts(
    sources: Sequence[TextSource], dev: str | None, test: str | None
) -> dict[str, dict[str, TextSource]]:
    """Return what to read for `train`, `dev` and `test`, each by the source's name."""
    paths = [source.path for source in sources]
    held_out = {part: path for part, path in (("dev", dev), ("test", test)) if path}
    _check_paths(paths, held_out.values())
    names = _name_sources([*paths, *held_out.values()])
    parts: dict[str, dict[str, TextSource]] = {"train": {}, "dev": {}, "test": {}}
    for source in sources:
        for part, folder in _find_part_folders(source.path).items():
            parts[part][names[source.path]] = replace(source, path=folder)
    for part, path in held_out.items():
        parts[part] = {names[path]: replace(sources[0], path=path)}
    return parts


def _find_part_folders(path: str) -> dict[str, str]:
    """Return the parts of a folder in aclImdb's layout; other text is all for `train`."""
    if path in NAMED_CORPORA or not (Path(path) / "train").is_dir():
        return {"train": path}
    folders = {
        part: next((Path(path) / name for name in names if (Path(path) / name).is_dir()), None)
        for part, names in PART_FOLDERS.items()
    }
    return {part: str(folder) for part, folder in folders.items() if folder is not None}


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
